"""Reading an ordinary message without a CBOR decoder: its form is known to the byte.

Nearly all that travels and is listed is a message with the fields of this version and no `meta`.
Deterministic CBOR puts them in one order, so that comparing slices proves what
`msglog.message.decode_object` proves by a walk, in a tenth of the time. What is not of that form is
not judged here at all.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - struct gives it no class's name

from msglog.annotation import TYPE_CHECKING
from msglog.message import (
    AUTHOR_BYTES_LIMIT,
    BODY_BYTES_LIMIT,
    OBJECT_BYTES_LIMIT,
    OFFSET_MINUTES_LIMIT,
    TAG_BYTES_LIMIT,
    TAG_LIMIT,
)
from msglog.objectid import DIGEST_BYTES, ObjectId

if TYPE_CHECKING:
    from typing import TypeAlias


Plain: TypeAlias = "tuple[bytes, int, int, str, str, tuple[str, ...], ObjectId | None]"
"""uuid, time, offset, author, body, tags, reply_to: the first fields of a Message but for `meta`.

A tuple, because whoever goes through a whole log makes one for each message.
"""

SMALLEST_TIME = 1 << 32
"""Earlier times (71 minutes into 1970 and before) have shorter heads and are not read here."""

_SMALLEST_BYTES = 73
_LARGEST_TIME = (1 << 63) - 1
_REQUIRED_FIELDS = 0xA6
_TAGS, _AUTHOR, _OFFSET = b"dtags", b"fauthor", b"foffset"
_TIME = b"dtime\x1b"
_TYPE_AND_UUID = b"dtypegmessageduuidP"
_REPLY_TO = b"hreply_toX\x20"
_REPLY_TO_BYTES = len(_REPLY_TO) + DIGEST_BYTES
_MIDDLE = Struct(f">{len(_TIME)}sQ{len(_TYPE_AND_UUID)}s16s")


def scan(data: bytes) -> Plain | None:
    """Return what an ordinary message says, or None for whatever has to be looked at as a whole.

    What is returned has been checked as `decode_object` does, and is what that returns. None is no
    verdict: it may be a message all the same (with `meta`, a field of a newer version, a time
    before SMALLEST_TIME), a foreign object, or nothing that a log may hold. So to read many:
    `plain = scan(data)`, and where that is None, `decode_object(data)`.
    """
    if not _SMALLEST_BYTES <= len(data) <= OBJECT_BYTES_LIMIT or data[1:6] != b"dbody":
        return None
    optional = data[0] - _REQUIRED_FIELDS
    head = data[6]
    start = 7
    if head == 0x78:
        size, start = data[7], 8
        if size < 24:
            return None
    elif head == 0x79:
        size, start = data[7] << 8 | data[8], 9
        if size < 1 << 8:
            return None
    elif head == 0x7A:
        size, start = int.from_bytes(data[7:11], "big"), 11
        if not 1 << 16 <= size <= BODY_BYTES_LIMIT:
            return None
    else:
        size = head - 0x60
        if not 0 <= size < 24:
            return None
    position = start + size
    tags: tuple[str, ...] = ()
    reply_to: ObjectId | None = None
    try:
        body = str(data[start:position], "utf-8")
        if optional and data[position : position + 5] == _TAGS:
            optional -= 1
            tags, position = _read_tags(data, position + 5)
        time_head, time, middle, uuid = _MIDDLE.unpack_from(data, position)
        if optional:
            if optional != 1 or data[-_REPLY_TO_BYTES:-DIGEST_BYTES] != _REPLY_TO:
                return None
            reply_to = ObjectId(data[-DIGEST_BYTES:])
            ending = data[position + _MIDDLE.size : -_REPLY_TO_BYTES]
        else:
            ending = data[position + _MIDDLE.size :]
        author, offset = _read_ending(ending)
    except (ValueError, StructError):
        return None
    if time_head != _TIME or middle != _TYPE_AND_UUID or not SMALLEST_TIME <= time <= _LARGEST_TIME:
        return None
    return uuid, time, offset, author, body, tags, reply_to


def _read_text(data: bytes, position: int, limit: int) -> tuple[str, int]:
    """Return the text of 1 to limit bytes that begins at position, and where it ends.

    Raises ValueError, which UnicodeDecodeError is.
    """
    head = data[position : position + 3]
    if not head:
        raise ValueError
    start, size = position + 1, head[0] - 0x60
    if size == 24:
        start, size = position + 2, int.from_bytes(head[1:2], "big")
        if size < 24:
            raise ValueError
    elif size == 25:
        start, size = position + 3, int.from_bytes(head[1:3], "big")
        if size < 1 << 8:
            raise ValueError
    elif size > 25:
        raise ValueError
    end = start + size
    if not 1 <= size <= limit or end > len(data):
        raise ValueError
    return str(data[start:end], "utf-8"), end


def _read_tags(data: bytes, position: int) -> tuple[tuple[str, ...], int]:
    """Return the tags whose array begins at position, and where it ends; raises ValueError."""
    head = data[position : position + 2]
    if not head:
        raise ValueError
    number = head[0] - 0x80
    position += 1
    if number == 24:
        number = int.from_bytes(head[1:2], "big")
        position += 1
        if number < 24:
            raise ValueError
    elif number > 24:
        raise ValueError
    if not 1 <= number <= TAG_LIMIT:
        raise ValueError
    tags: list[str] = []
    last = ""
    for _ in range(number):
        tag, position = _read_text(data, position, TAG_BYTES_LIMIT)
        if tag <= last:
            raise ValueError
        tags.append(tag)
        last = tag
    return tuple(tags), position


@lru_cache(maxsize=512)
def _read_ending(ending: bytes) -> tuple[str, int]:
    """Return the author and the offset from the bytes that both take up, to the last.

    Few pairs make up most of a log, so they are remembered; what raises ValueError is not, and what
    does not has at most some 280 bytes.
    """
    if not ending.startswith(_AUTHOR):
        raise ValueError
    author, position = _read_text(ending, len(_AUTHOR), AUTHOR_BYTES_LIMIT)
    if ending[position : position + len(_OFFSET)] != _OFFSET:
        raise ValueError
    number = ending[position + len(_OFFSET) :]
    return author, _read_offset(number)


def _read_offset(number: bytes) -> int:
    """Return the offset whose encoding is number; raises ValueError."""
    argument, extra = int.from_bytes(number[1:], "big"), len(number) - 1
    head = number[0] if number else 0xFF
    negative = head & 0xE0 == 0x20
    head &= 0xDF
    if extra == 0 and head < 24:
        argument = head
    elif not (extra == 1 and head == 24 and argument >= 24) and not (
        extra == 2 and head == 25 and argument >= 1 << 8
    ):
        raise ValueError
    offset = ~argument if negative else argument
    if abs(offset) > OFFSET_MINUTES_LIMIT:
        raise ValueError
    return offset

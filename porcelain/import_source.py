"""What `import` reads, seen as numbered rows: good ones with a message, bad ones with a reason."""

from __future__ import annotations

import codecs

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.digest import digest
from msglog.errors import IntegrityError
from msglog.key import make_key
from msglog.message import BODY_BYTES_LIMIT, UUID_BYTES
from msglog.objectid import object_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from msglog.key import Key
    from msglog.message import Message

LINE_BYTES_LIMIT = 7 * BODY_BYTES_LIMIT
"""How long a line may be: in JSON each byte of a body can take six as an escape."""

_SKIPPED_AT_ONCE = 1 << 20
_NAMESPACE = bytes.fromhex("b7f0a1de4c5e8d3f9a60c2475be3186d")
"""What sets names of ours apart from others' that are made into uuids in the same way."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, line or commit of a source, counted from 1.

    key: None if it is bad, which `why` then explains, or if it is an object of a newer msglog, of
    which a line does not carry everything. data: the object's bytes. label: what to call it, if not
    by its number.
    """

    number: int
    key: Key | None
    data: bytes = b""
    why: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return self.label or f"row {self.number}"


@dataclass(slots=True)
class Reading:
    """How far a source has been read, for display.

    size: the bytes that were read; whole: how many there are, if that is known. rows: how many rows
    there are, if that is known.
    """

    size: int = 0
    whole: int | None = None
    rows: int | None = None


def good_row(number: int, message: Message, label: str = "") -> Row:
    """Return the row of a message, which is bad if the format does not allow the message."""
    try:
        data = message.encode()
    except IntegrityError as error:
        return Row(number, None, why=error.why, label=label)
    return Row(number, make_key(message.time, object_id(data)), data, label=label)


def bad_row(number: int, why: str, label: str = "") -> Row:
    """Return a row that is no message."""
    return Row(number, None, why=why, label=label)


def lines(file: IO[bytes], first: bytes, reading: Reading) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank, counted from 1, with their ends; None for one too long.

    first: what `readline(LINE_BYTES_LIMIT + 1)` gave before, or b"" at the very end.
    """
    number = 0
    line = first
    while line:
        number += 1
        reading.size += len(line)
        if len(line) > LINE_BYTES_LIMIT:
            while line and not line.endswith(b"\n"):
                line = file.readline(_SKIPPED_AT_ONCE)
                reading.size += len(line)
            yield number, None
        elif not line.isspace():
            yield number, line
        line = file.readline(LINE_BYTES_LIMIT + 1)


def without_mark(first: bytes) -> bytes:
    """Return a first line without the mark of UTF-8 that some editors and exports begin with."""
    return first.removeprefix(codecs.BOM_UTF8)


def named_uuid(kind: str, name: bytes) -> bytes:
    """Return the uuid that a name always gets: version 8 of RFC 9562, of a SHA-256."""
    uuid = bytearray(digest(_NAMESPACE + kind.encode() + b"\0" + name)[:UUID_BYTES])
    uuid[6] = uuid[6] & 0x0F | 0x80
    uuid[8] = uuid[8] & 0x3F | 0x80
    return bytes(uuid)


def text_of(data: bytes) -> str:
    r"""Return bytes as text; those that are not UTF-8 are written as `\xNN`."""
    return data.decode("utf-8", "backslashreplace")

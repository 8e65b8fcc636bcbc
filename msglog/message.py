"""Messages, and the wider family of objects that a log may hold.

Any object in a log is a map with `type`, `uuid` and `time`. What this version understands is a
Message; everything else is Foreign: kept and relayed byte for byte, never a reason to stop a log.
"""

from __future__ import annotations

from itertools import pairwise

from msglog.annotation import TYPE_CHECKING, cast
from msglog.dataclass import dataclass, field
from msglog.encoding import EncodingError, decode, encode
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, make_key
from msglog.objectid import DIGEST_BYTES, ObjectId, object_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from msglog.encoding import Value
    from msglog.key import Key

MetaValue: TypeAlias = "str | int | float | bool"

MESSAGE_TYPE = "message"
UUID_BYTES = 16
OBJECT_BYTES_LIMIT = 17 << 20
BODY_BYTES_LIMIT = 16 << 20
AUTHOR_BYTES_LIMIT = 256
OFFSET_MINUTES_LIMIT = 14 * 60
TYPE_BYTES_LIMIT = 64
TAG_LIMIT = 64
TAG_BYTES_LIMIT = 128
META_LIMIT = 64
META_KEY_BYTES_LIMIT = 128
META_TEXT_BYTES_LIMIT = 1 << 16

_KNOWN = frozenset(("type", "uuid", "time", "offset", "author", "body", "tags", "meta", "reply_to"))
_SUPPORTED_FEATURES: frozenset[str] = frozenset()


class MessageError(EncodingError):
    """An object is well encoded, but is not what a log may hold."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its author wrote it.

    uuid: 16 bytes; two equal bodies at one instant stay two messages.
    time: microseconds since 1970 UTC, int64. offset: minutes east of UTC, as git keeps it.
    body: exactly as given, without Unicode normalisation. tags: sorted and unique.
    reply_to: an id that may not be here (yet).
    extra: optional fields of newer versions (`sig`, `attach`), kept as they are.
    """

    uuid: bytes
    time: int
    offset: int
    author: str
    body: str
    tags: tuple[str, ...] = ()
    meta: Mapping[str, MetaValue] = field(default_factory=dict)
    reply_to: ObjectId | None = None
    extra: Mapping[str, Value] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the object's bytes; raises MessageError for a field that the format refuses."""
        if not _KNOWN.isdisjoint(self.extra):
            raise MessageError("a field of its own is given once more as an extra one")
        fields: dict[str, Value] = {
            **self.extra,
            "type": MESSAGE_TYPE,
            "uuid": self.uuid,
            "time": self.time,
            "offset": self.offset,
            "author": self.author,
            "body": self.body,
        }
        if self.tags:
            fields["tags"] = list(self.tags)
        if self.meta:
            fields["meta"] = dict(self.meta)
        if self.reply_to is not None:
            fields["reply_to"] = bytes(self.reply_to)
        _check_envelope(fields)
        _check_message(fields)
        data = encode(fields)
        if len(data) > OBJECT_BYTES_LIMIT:
            raise MessageError(f"it is over {OBJECT_BYTES_LIMIT} bytes")
        return data


@dataclass(frozen=True, slots=True)
class Foreign:
    """An object of a type, or with needs, that this version does not know: carried, not read.

    needs: what would be needed to show it, for people.
    """

    type: str
    uuid: bytes
    time: int
    needs: str
    fields: Mapping[str, Value]


def decode_object(data: bytes) -> Message | Foreign:
    """Return what a log object says; raises EncodingError or MessageError if no log may hold it."""
    if len(data) > OBJECT_BYTES_LIMIT:
        raise MessageError(f"it is over {OBJECT_BYTES_LIMIT} bytes")
    value = decode(data)
    if not isinstance(value, dict):
        raise MessageError("it is not a map")
    _check_envelope(value)
    kind = cast("str", value["type"])
    uuid = cast("bytes", value["uuid"])
    time = cast("int", value["time"])
    if kind != MESSAGE_TYPE:
        return Foreign(kind, uuid, time, f"objects of type {kind!r}", value)
    missing = _missing_features(value)
    if missing:
        return Foreign(kind, uuid, time, ", ".join(missing), value)
    _check_message(value)
    reply_to = value.get("reply_to")
    return Message(
        uuid=uuid,
        time=time,
        offset=cast("int", value["offset"]),
        author=cast("str", value["author"]),
        body=cast("str", value["body"]),
        tags=tuple(cast("list[str]", value.get("tags", []))),
        meta=cast("dict[str, MetaValue]", value.get("meta", {})),
        reply_to=None if reply_to is None else ObjectId(cast("bytes", reply_to)),
        extra={name: item for name, item in value.items() if name not in _KNOWN},
    )


def object_key(data: bytes) -> Key:
    """Return the key of a log object, having checked it whole; raises as `decode_object` does."""
    return make_key(decode_object(data).time, object_id(data))


def _missing_features(fields: Mapping[str, Value]) -> list[str]:
    must = fields.get("must", [])
    if not isinstance(must, list) or not all(isinstance(item, str) for item in must):
        raise MessageError("must is not a list of texts")
    return [repr(item) for item in must if item not in _SUPPORTED_FEATURES]


def _check_envelope(fields: Mapping[str, Value]) -> None:
    kind, uuid, time = fields.get("type"), fields.get("uuid"), fields.get("time")
    if not isinstance(kind, str) or not 0 < len(kind.encode()) <= TYPE_BYTES_LIMIT:
        raise MessageError(f"type is not a text of 1 to {TYPE_BYTES_LIMIT} bytes")
    if not isinstance(uuid, bytes) or len(uuid) != UUID_BYTES:
        raise MessageError(f"uuid is not {UUID_BYTES} bytes")
    if type(time) is not int or not TIME_MINIMUM <= time <= TIME_MAXIMUM:
        raise MessageError("time is not an int64")


def _check_message(fields: Mapping[str, Value]) -> None:
    offset = fields.get("offset")
    if type(offset) is not int or abs(offset) > OFFSET_MINUTES_LIMIT:
        raise MessageError(f"offset is not within {OFFSET_MINUTES_LIMIT} minutes of UTC")
    _check_text("author", fields.get("author"), smallest=1, largest=AUTHOR_BYTES_LIMIT)
    _check_text("body", fields.get("body"), smallest=0, largest=BODY_BYTES_LIMIT)
    if "tags" in fields:
        _check_tags(fields["tags"])
    if "meta" in fields:
        _check_meta(fields["meta"])
    if "reply_to" in fields:
        reply_to = fields["reply_to"]
        if not isinstance(reply_to, bytes) or len(reply_to) != DIGEST_BYTES:
            raise MessageError(f"reply_to is not {DIGEST_BYTES} bytes")


def _check_tags(tags: Value) -> None:
    if not isinstance(tags, list) or not 0 < len(tags) <= TAG_LIMIT:
        raise MessageError(f"tags is not a list of 1 to {TAG_LIMIT} texts")
    for tag in tags:
        _check_text("a tag", tag, smallest=1, largest=TAG_BYTES_LIMIT)
    texts = cast("list[str]", tags)
    if any(first >= second for first, second in pairwise(texts)):
        raise MessageError("tags are not sorted and unique")


def _check_meta(meta: Value) -> None:
    if not isinstance(meta, dict) or not 0 < len(meta) <= META_LIMIT:
        raise MessageError(f"meta is not a map of 1 to {META_LIMIT} entries")
    for name, value in meta.items():
        _check_text("a key of meta", name, smallest=1, largest=META_KEY_BYTES_LIMIT)
        if isinstance(value, str):
            _check_text("a text of meta", value, smallest=0, largest=META_TEXT_BYTES_LIMIT)
        elif not isinstance(value, int | float):
            raise MessageError("a value of meta is not a text, a number or true or false")
        elif isinstance(value, int) and not TIME_MINIMUM <= value <= TIME_MAXIMUM:
            raise MessageError("a number of meta is outside int64")


def _check_text(what: str, value: Value | None, *, smallest: int, largest: int) -> None:
    if not isinstance(value, str):
        raise MessageError(f"{what} is not a text")
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError as error:
        raise MessageError(f"{what} is not valid Unicode") from error
    if not smallest <= size <= largest:
        raise MessageError(f"{what} is not of {smallest} to {largest} bytes")

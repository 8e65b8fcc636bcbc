"""Messages as JSON: the field names that every command prints, on lines safe for a terminal."""

import json
import re
import time
from collections.abc import Mapping

from msglog.message import Foreign, Message
from msglog.objectid import ObjectId

_SECOND = 1_000_000
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
# Controls, invisible and reordering characters, and all that some readers take for line ends.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)


def to_json(value: Mapping[str, object]) -> str:
    """Return an object as one line of JSON with its newline; what is unsafe to show is escaped."""
    return json_safe(_ENCODER.encode(value)) + "\n"


def json_safe(document: str) -> str:
    """Return a JSON document with what is unsafe in its strings as JSON's own escapes."""
    if document.isascii() and document.isprintable():
        return document
    return _UNSAFE.sub(_escape, document)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def message_fields(oid: ObjectId, message: Message | Foreign) -> dict[str, object]:
    """Return the fields of a message in their order; of a foreign object, what can be told."""
    if isinstance(message, Foreign):
        return {
            "id": oid.hex(),
            "uuid": message.uuid.hex(),
            "time": rfc3339(message.time, 0),
            "type": message.type,
            "needs": message.needs,
        }
    return {
        "id": oid.hex(),
        "uuid": message.uuid.hex(),
        "time": rfc3339(message.time, message.offset),
        "author": message.author,
        "body": message.body,
        "tags": list(message.tags),
        "meta": dict(message.meta),
        "reply_to": None if message.reply_to is None else message.reply_to.hex(),
    }


def rfc3339(moment: int, offset: int) -> str:
    """Return a time (microseconds since 1970 UTC) as RFC 3339 with microseconds and its offset.

    Years past 9999 and before 0 are written as ISO 8601 does, with a sign and six digits.
    """
    seconds, fraction = divmod(moment, _SECOND)
    at = time.gmtime(seconds + offset * 60)
    year = f"{at.tm_year:04d}" if 0 <= at.tm_year <= 9999 else f"{at.tm_year:+07d}"
    sign, minutes = ("-", -offset) if offset < 0 else ("+", offset)
    return (
        f"{year}-{at.tm_mon:02d}-{at.tm_mday:02d}T{at.tm_hour:02d}:{at.tm_min:02d}"
        f":{at.tm_sec:02d}.{fraction:06d}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    )

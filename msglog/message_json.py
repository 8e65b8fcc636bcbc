"""Messages as JSON: the field names that every command prints, on lines safe for a terminal."""

from __future__ import annotations

import json
import re

from msglog.annotation import TYPE_CHECKING
from msglog.message import Foreign
from msglog.timestamp import rfc3339
from msglog.unsafe_text import UNSAFE, is_safe_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msglog.message import Message
    from msglog.message_scan import Plain
    from msglog.objectid import ObjectId

__all__ = ["json_safe", "message_fields", "ordinary_json", "rfc3339", "to_json"]

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_quoted = json.encoder.encode_basestring
_UNSAFE = re.compile(f"[{UNSAFE}]")


def to_json(value: Mapping[str, object]) -> str:
    """Return an object as one line of JSON with its newline; what is unsafe to show is escaped."""
    return json_safe(_ENCODER.encode(value)) + "\n"


def json_safe(document: str) -> str:
    """Return a JSON document with what is unsafe in its strings as JSON's own escapes."""
    return document if is_safe_line(document) else _UNSAFE.sub(_escape, document)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def ordinary_json(oid: ObjectId, plain: Plain) -> str:
    """Return an ordinary message as `to_json` has its `message_fields`."""
    uuid, time, offset, author, body, tags, reply_to = plain
    return (
        json_safe(
            f'{{"id": "{oid.hex()}", "uuid": "{uuid.hex()}", "time": "{rfc3339(time, offset)}",'
            f' "author": {_quoted(author)}, "body": {_quoted(body)},'
            f' "tags": [{", ".join(map(_quoted, tags))}], "meta": {{}}, "reply_to": '
            + ("null}" if reply_to is None else f'"{reply_to.hex()}"}}')
        )
        + "\n"
    )


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

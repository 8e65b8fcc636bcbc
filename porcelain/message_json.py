"""Messages as JSON, the same everywhere: `list --json` prints what `add --batch --json` takes."""

from __future__ import annotations

import json

from msglog.annotation import TYPE_CHECKING, cast
from msglog.errors import UsageError
from msglog.key import key_object_id
from msglog.message import UUID_BYTES, Message, decode_object
from msglog.message_json import message_fields, ordinary_json, to_json
from msglog.message_scan import scan
from msglog.objectid import parse_object_id
from msglog.when import Moment, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from msglog.key import Key
    from msglog.message import MetaValue
    from msglog.when import LocalOffset

__all__ = [
    "FIELDS",
    "LOCAL_FIELDS",
    "json_text",
    "load_fields",
    "message_fields",
    "message_from_fields",
    "parse_message",
    "to_json",
]

_FOUND = ("score", "snippet", "matches")
LOCAL_FIELDS = ("id", "logs", "remotes", "received", "held_back", *_FOUND)
"""What says something of this repository, or is computed: it is printed, and ignored when read."""

FIELDS = ("id", "uuid", "time", "author", "body", "tags", "meta", "reply_to")


class MessageJsonError(UsageError):
    """A line is not a message as JSON."""


def parse_message(
    line: str, *, author: str, uuid: bytes, now: int, local_offset: LocalOffset
) -> Message:
    """Return the message that a line of JSON says; what it leaves out is taken from the arguments.

    LOCAL_FIELDS are ignored. Raises MessageJsonError for a field that is not known or
    not of its type; the limits of the format are checked when the message is encoded.
    """
    return message_from_fields(
        load_fields(line), author=author, uuid=uuid, now=now, local_offset=local_offset
    )


def message_from_fields(
    fields: Mapping[str, Any], *, author: str, uuid: bytes, now: int, local_offset: LocalOffset
) -> Message:
    """Return the message of a JSON object, as `parse_message` does."""
    unknown = sorted(fields.keys() - {*FIELDS, *LOCAL_FIELDS})
    if unknown:
        raise MessageJsonError(
            f"unknown field {unknown[0][:80]!r}", hint=f"Known are {', '.join(FIELDS)}."
        )
    written = fields.get("time")
    moment = Moment(now, local_offset(now))
    if written is not None:
        moment = parse(_text(fields, "time", ""), now=now, local_offset=local_offset)
    reply_to = fields.get("reply_to")
    tags = fields.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise MessageJsonError("'tags' is not a list of texts")
    meta = fields.get("meta") or {}
    if not isinstance(meta, dict) or not all(
        isinstance(value, str | int | float) for value in meta.values()
    ):
        raise MessageJsonError("'meta' is not an object of texts, numbers, true and false")
    return Message(
        uuid=uuid if fields.get("uuid") is None else _uuid(_text(fields, "uuid", "")),
        time=moment.time,
        offset=moment.offset,
        author=_text(fields, "author", author),
        body=_text(fields, "body", ""),
        tags=tuple(sorted(set(cast("list[str]", tags)))),
        meta=cast("dict[str, MetaValue]", meta),
        reply_to=None if reply_to is None else parse_object_id(_text(fields, "reply_to", "")),
    )


def json_text(key: Key, data: bytes) -> str:
    """Return an object, whose digest has been checked, as a line of JSON."""
    plain = scan(data)
    if plain is None:
        return to_json(message_fields(key_object_id(key), decode_object(data)))
    return ordinary_json(key_object_id(key), plain)


def load_fields(line: str) -> dict[str, Any]:
    """Return the JSON object that a line is; raises MessageJsonError."""
    try:
        value = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "it is nested too deep"
        raise MessageJsonError("not JSON", why=why) from error
    if not isinstance(value, dict):
        raise MessageJsonError("not a JSON object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""Made once: `json.loads` makes one for each line."""


def _text(fields: Mapping[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise MessageJsonError(f"{name!r} is not a text")
    return value


def _uuid(text: str) -> bytes:
    digits = text.replace("-", "")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != UUID_BYTES or len(digits) != 2 * UUID_BYTES:
        raise MessageJsonError(f"{text[:80]!r} is not a uuid")
    return value

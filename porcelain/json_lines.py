"""JSON Lines, as `list --json` prints them and `export` writes them, as rows of `import`."""

from __future__ import annotations

import base64
import binascii

from msglog.annotation import TYPE_CHECKING
from msglog.encoding import EncodingError
from msglog.errors import MsglogError
from msglog.key import key_object_id
from msglog.message import Foreign, decode_object, object_key
from msglog.message_json import message_fields, ordinary_json, to_json
from msglog.message_scan import scan
from msglog.objectid import object_id
from porcelain.import_source import Row, bad_row, good_row, lines, without_mark
from porcelain.message_json import load_fields, message_from_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from msglog.key import Key
    from porcelain.import_source import Reading

WHOLE = "cbor"
"""The field with all bytes of an object, in base64, of which the other fields do not say all."""

_WANTED = ("uuid", "time", "author", "body")


def exact_json(key: Key, data: bytes) -> str:
    """Return an object, whose digest has been checked, as a line that `json_rows` reads back."""
    plain = scan(data)
    if plain is not None:
        return ordinary_json(key_object_id(key), plain)
    found = decode_object(data)
    fields = message_fields(key_object_id(key), found)
    if isinstance(found, Foreign) or found.extra:
        fields[WHOLE] = base64.b64encode(data).decode()
    return to_json(fields)


def json_rows(file: IO[bytes], first: bytes, reading: Reading) -> Iterator[Row]:
    """Yield the lines of a file; first: its first line, which was read already."""
    for number, line in lines(file, without_mark(first), reading):
        yield bad_row(number, "it is too long") if line is None else _row(number, line)


def json_fields(line: bytes) -> dict[str, Any]:
    """Return the JSON object that a line is; raises ValueError with the reason if it is none."""
    try:
        return load_fields(line.decode())
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except MsglogError as error:
        raise ValueError(f"it is {error.what}") from error


def _row(number: int, line: bytes) -> Row:
    try:
        fields = json_fields(line)
    except ValueError as error:
        return bad_row(number, str(error))
    if WHOLE in fields:
        return _whole_row(number, fields)
    if "needs" in fields and "type" in fields and "body" not in fields:
        return Row(number, None)
    for name in _WANTED:
        if not isinstance(fields.get(name), str):
            return bad_row(number, f"it has no {name}")
    try:
        message = message_from_fields(fields, author="", uuid=b"", now=0, local_offset=_utc)
    except MsglogError as error:
        return bad_row(number, error.why or error.what)
    return _as_stated(good_row(number, message), fields)


def _whole_row(number: int, fields: dict[str, Any]) -> Row:
    try:
        data = base64.b64decode(fields[WHOLE], validate=True)
        key = object_key(data)
    except EncodingError as error:
        return bad_row(number, error.why)
    except (TypeError, ValueError, binascii.Error):
        return bad_row(number, f"{WHOLE!r} is not base64")
    return _as_stated(Row(number, key, data), fields)


def _as_stated(row: Row, fields: dict[str, Any]) -> Row:
    """Return a row, or a bad one if it is not the message whose id the line says."""
    stated = fields.get("id")
    if row.key is not None and stated is not None and stated != object_id(row.data).hex():
        return bad_row(row.number, "its id is not that of what it says")
    return row


def _utc(_time: int) -> int:
    return 0

"""What `import` reads, seen as numbered rows: good ones with a message, bad ones with a reason."""

from __future__ import annotations

import json

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import MsglogError
from msglog.message import BODY_BYTES_LIMIT, UUID_BYTES
from msglog.objectid import object_id
from porcelain.message_json import parse_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from msglog.message import Message

LINE_BYTES_LIMIT = 7 * BODY_BYTES_LIMIT
"""How long a line of JSON may be: each byte of a body can take six as an escape."""

_WANTED = ("uuid", "time", "author", "body")


@dataclass(frozen=True, slots=True)
class Row:
    """One row or line of a source, counted from 1.

    message: None if it is bad, which `why` then explains, or if it is an object of a newer msglog,
    of which JSON does not carry everything.
    """

    number: int
    message: Message | None
    why: str = ""


def json_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield the lines of JSON Lines as `list --json` prints them, from the file's beginning."""
    file.seek(0)
    number = 0
    while line := file.readline(LINE_BYTES_LIMIT + 1):
        number += 1
        if len(line) > LINE_BYTES_LIMIT:
            yield Row(number, None, "it is too long")
            return
        if line.strip():
            yield _row(number, line)


def _row(number: int, line: bytes) -> Row:
    try:
        text = line.decode()
        fields = json.loads(text)
        if not isinstance(fields, dict):
            return Row(number, None, "it is not a JSON object")
        if "needs" in fields and "type" in fields and "body" not in fields:
            return Row(number, None)
        missing = [name for name in _WANTED if not isinstance(fields.get(name), str)]
        if missing:
            return Row(number, None, f"it has no {missing[0]}")
        message = parse_message(
            text, author="", uuid=bytes(UUID_BYTES), now=0, local_offset=lambda _: 0
        )
        stated = fields.get("id")
        if stated is not None and stated != object_id(message.encode()).hex():
            return Row(number, None, "its id is not that of what it says")
    except UnicodeDecodeError:
        return Row(number, None, "it is not UTF-8")
    except (ValueError, RecursionError):
        return Row(number, None, "it is not JSON")
    except MsglogError as error:
        return Row(number, None, error.why or error.what)
    return Row(number, message)

"""Entries of systemd's journal, as `journalctl -o json` or `-o export` prints them, for `import`.

Source: https://systemd.io/JOURNAL_EXPORT_FORMATS/ and systemd.journal-fields(7).
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.message import Message
from porcelain.import_source import bad_row, good_row, lines, named_uuid, text_of, without_mark
from porcelain.journal_export import entries, is_exported
from porcelain.json_lines import json_fields
from porcelain.syslog import FACILITIES, SEVERITIES, as_number, facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO, Any

    from porcelain.import_source import Reading, Row

_CURSOR, _TIME, _MESSAGE = "__CURSOR", "__REALTIME_TIMESTAMP", "MESSAGE"
_WANTED = frozenset(
    f"{_CURSOR} {_TIME} {_MESSAGE} MESSAGE_ID PRIORITY SYSLOG_FACILITY SYSLOG_IDENTIFIER SYSLOG_PID"
    " _COMM _HOSTNAME _PID _SYSTEMD_UNIT _SYSTEMD_USER_UNIT".split()
)
"""What is read of an entry; others have some hundred fields more."""

_TIME_DIGITS_LIMIT = 19
_HINT = "say --all to journalctl"


def journal_rows(file: IO[bytes], first: bytes, reading: Reading, *, author: str) -> Iterator[Row]:
    """Yield the entries of a file in either form; first: its first line, which was read already.

    The same entry is the same message in both. author: of those that name no host.
    """
    if not is_exported(first):
        for number, line in lines(file, without_mark(first), reading):
            yield bad_row(number, "it is too long") if line is None else _json(number, line, author)
        return
    for number, fields in entries(file, first, reading, wanted=_WANTED):
        yield bad_row(number, fields) if isinstance(fields, str) else _row(number, fields, author)


def _json(number: int, line: bytes, author: str) -> Row:
    try:
        fields = json_fields(line)
    except ValueError as error:
        return bad_row(number, str(error))
    return _row(number, fields, author)


def _row(number: int, fields: Mapping[str, Any], author: str) -> Row:
    cursor, time = fields.get(_CURSOR), fields.get(_TIME)
    if not isinstance(cursor, str) or not cursor:
        return bad_row(number, f"it has no {_CURSOR}")
    if not isinstance(time, str) or not _is_time(time):
        return bad_row(number, f"it has no {_TIME}")
    if _MESSAGE in fields and fields[_MESSAGE] is None:
        return bad_row(number, f"its {_MESSAGE} was left out for its size; {_HINT}")
    tags, meta = facts(
        program=_text(fields, "SYSLOG_IDENTIFIER") or _text(fields, "_COMM"),
        pid=_text(fields, "_PID") or _text(fields, "SYSLOG_PID"),
        severity=_choice(SEVERITIES, _text(fields, "PRIORITY")),
        facility=_choice(FACILITIES, _text(fields, "SYSLOG_FACILITY")),
        unit=_text(fields, "_SYSTEMD_UNIT") or _text(fields, "_SYSTEMD_USER_UNIT"),
        message_id=_text(fields, "MESSAGE_ID"),
    )
    message = Message(
        uuid=named_uuid("journal", cursor.encode("utf-8", "surrogatepass")),
        time=int(time),
        offset=0,
        author=_text(fields, "_HOSTNAME") or author,
        body=_text(fields, _MESSAGE),
        tags=tags,
        meta=meta,
    )
    return good_row(number, message)


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _TIME_DIGITS_LIMIT


def _choice(names: tuple[str, ...], text: str) -> str:
    number = as_number(text)
    return names[number] if isinstance(number, int) and number < len(names) else text


def _text(fields: Mapping[str, Any], name: str) -> str:
    """Return a field as text; several values one below the other; "" for what is not there."""
    value = fields.get(name)
    if not isinstance(value, list) or _is_bytes(value):
        return _one_text(value)
    return "\n".join([_one_text(item) for item in value])


def _one_text(value: object) -> str:
    if isinstance(value, str):
        return value
    # Bytes that are not UTF-8 are printed as a list of numbers.
    return text_of(bytes(value)) if isinstance(value, list) and _is_bytes(value) else ""


def _is_bytes(value: list[object]) -> bool:
    return bool(value) and all(isinstance(item, int) and 0 <= item < 0x100 for item in value)

"""Messages as a table for spreadsheets: CSV (RFC 4180) in which no cell is a formula.

Spreadsheets run what a cell begins with `=` and its kin, wherever the cell came from. OWASP's page
on CSV injection is followed: such cells get an apostrophe in front, and every cell is in quotation
marks. It is for looking at; what comes back from a spreadsheet is seldom what went in.
"""

from __future__ import annotations

import csv
import json
from io import StringIO

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_object_id, key_time
from msglog.message import Foreign, decode_object
from msglog.timestamp import rfc3339
from porcelain.display import block, one_line
from porcelain.message_json import FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.key import Key

FORMULA = ("=", "+", "-", "@", "\t", "\n", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a formula at the beginning of a cell; the last four are the same in full width."""


def head() -> str:
    """Return the first line: what the columns are called."""
    return _line(FIELDS)


def table_row(key: Key, data: bytes) -> str:
    """Return an object, whose digest has been checked, as one row, with its line end."""
    oid = key_object_id(key).hex()
    message = decode_object(data)
    if isinstance(message, Foreign):
        said = f"needs a newer msglog: {message.needs}"
        return _line((oid, message.uuid.hex(), rfc3339(key_time(key), 0), "", said, "", "", ""))
    meta = json.dumps(message.meta, ensure_ascii=False) if message.meta else ""
    return _line(
        (
            oid,
            message.uuid.hex(),
            rfc3339(message.time, message.offset),
            one_line(message.author),
            message.body,
            ", ".join(map(one_line, message.tags)),
            meta,
            "" if message.reply_to is None else message.reply_to.hex(),
        )
    )


def cell(text: str) -> str:
    """Return text as no spreadsheet runs it and no terminal obeys it."""
    shown = block(text)
    if shown.startswith(FORMULA) or shown.lstrip().startswith(FORMULA):
        return f"'{shown}"
    return shown


def _line(texts: Sequence[str]) -> str:
    line = StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        [cell(text) for text in texts]
    )
    return line.getvalue()

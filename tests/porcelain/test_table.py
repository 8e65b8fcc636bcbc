"""CSV: no cell is a formula, each message one row."""

import csv
import json
from io import StringIO

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.message import Message, object_key
from msglog.objectid import ObjectId
from porcelain.message_json import FIELDS
from porcelain.table import FORMULA, cell, head, table_row


def row(data: bytes) -> dict[str, str]:
    text = head() + table_row(object_key(data), data)
    (found,) = csv.DictReader(StringIO(text, newline=""), strict=True)
    return found


def test_all_fields() -> None:
    data = Message(
        bytes(16), 1, 60, "ann", "one\ntwo", ("a", "b"), {"k": 1.5, "l": "x"}, ObjectId(bytes(32))
    ).encode()
    assert tuple(row(data)) == FIELDS
    assert row(data) == {
        "id": object_key(data)[8:].hex(),
        "uuid": "0" * 32,
        "time": "1970-01-01T01:00:00.000001+01:00",
        "author": "ann",
        "body": "one\ntwo",
        "tags": "a, b",
        "meta": json.dumps({"k": 1.5, "l": "x"}),
        "reply_to": "0" * 64,
    }


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "\tx", "\nx", "  =1", "\u3000=1", "\uff1d1+1"],
)
def test_a_formula_is_none(text: str) -> None:
    assert cell(text) == f"'{text}"
    data = Message(bytes(16), 1, 0, text, text, (text,), {text: 1}).encode()
    found = row(data)
    assert found["body"] == f"'{text}"
    for name in ("author", "tags", "meta"):
        assert not found[name].lstrip().startswith(FORMULA)


def test_each_cell_is_in_quotation_marks() -> None:
    """So that with another separator a part of a text is no cell either."""
    data = Message(bytes(16), 1, 0, "ann", "a;=1").encode()
    assert '","ann","a;=1","","",""\n' in table_row(object_key(data), data)


def test_what_acts_on_a_terminal_is_shown() -> None:
    assert cell("a\x1b[31m\r\x00\u202e") == "a\\x1b[31m\\r\\x00\\u202e"


def test_a_time_before_the_year_0_is_no_formula() -> None:
    assert row(Message(bytes(16), -(1 << 63), 0, "a", "b").encode())["time"].startswith("'-")


def test_an_object_of_a_newer_msglog() -> None:
    data = cbor2.dumps({"type": "seal", "uuid": bytes(16), "time": 0}, canonical=True)
    assert row(data)["body"] == "needs a newer msglog: objects of type 'seal'"


@given(st.text(max_size=30), st.text(min_size=1, max_size=10))
def test_every_message_is_one_row_and_no_cell_a_formula(body: str, author: str) -> None:
    data = Message(bytes(16), 1, 0, author, body, (author,)).encode()
    text = table_row(object_key(data), data)
    (cells,) = csv.reader(StringIO(text, newline=""), strict=True)
    assert len(cells) == len(FIELDS)
    assert not any(one.lstrip().startswith(FORMULA) for one in cells)

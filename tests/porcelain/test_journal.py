"""Entries of systemd's journal as journalctl prints them."""

import json
from io import BytesIO
from typing import Any

import pytest

from msglog.message import Message, decode_object
from porcelain.import_source import Reading, Row
from porcelain.journal import journal_rows

ENTRY = {
    "__CURSOR": "s=1;i=2;b=3;m=4;t=5;x=6",
    "__REALTIME_TIMESTAMP": "1767225600000001",
    "__MONOTONIC_TIMESTAMP": "17",
    "_HOSTNAME": "gate",
    "SYSLOG_IDENTIFIER": "sshd",
    "_COMM": "sshd-session",
    "_PID": "44",
    "SYSLOG_PID": "45",
    "PRIORITY": "6",
    "SYSLOG_FACILITY": "4",
    "_SYSTEMD_UNIT": "ssh.service",
    "MESSAGE": "Accepted key",
}


def rows(*entries: dict[str, Any] | bytes) -> list[Row]:
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in entries]
    file = BytesIO(b"\n".join(lines))
    return list(journal_rows(file, file.readline(), Reading(), author="imported"))


def one(**changes: Any) -> Message:
    fields = {name: value for name, value in {**ENTRY, **changes}.items() if value != "gone"}
    (row,) = rows(fields)
    assert row.key is not None, row.why
    message = decode_object(row.data)
    assert isinstance(message, Message)
    return message


def test_an_entry() -> None:
    message = one()
    assert (message.time, message.offset) == (1_767_225_600_000_001, 0)
    assert (message.author, message.body, message.tags) == ("gate", "Accepted key", ("sshd",))
    assert message.meta == {
        "pid": 44,
        "severity": "info",
        "facility": "auth",
        "unit": "ssh.service",
    }


def test_a_byte_order_mark_is_not_looked_at() -> None:
    (row,) = rows(b"\xef\xbb\xbf" + json.dumps(ENTRY).encode())
    assert row.key is not None


def test_it_is_known_by_its_cursor() -> None:
    assert one().uuid == one(MESSAGE="other").uuid
    assert one().uuid != one(__CURSOR="s=1;i=3").uuid
    first, second = rows(ENTRY, ENTRY)
    assert first.data == second.data


@pytest.mark.parametrize(
    ("changes", "author", "body", "tags"),
    [
        ({"_HOSTNAME": "gone"}, "imported", "Accepted key", ("sshd",)),
        ({"SYSLOG_IDENTIFIER": "gone"}, "gate", "Accepted key", ("sshd-session",)),
        ({"MESSAGE": "gone"}, "gate", "", ("sshd",)),
        ({"MESSAGE": [104, 105, 0xFF]}, "gate", "hi\\xff", ("sshd",)),
        ({"MESSAGE": ["one", "two"]}, "gate", "one\ntwo", ("sshd",)),
        ({"MESSAGE": ["one", [104, 105]]}, "gate", "one\nhi", ("sshd",)),
        ({"MESSAGE": [1000]}, "gate", "", ("sshd",)),
        ({"SYSLOG_IDENTIFIER": "x" * 200}, "gate", "Accepted key", ()),
    ],
)
def test_fields_as_they_come(
    changes: dict[str, Any], author: str, body: str, tags: tuple[str, ...]
) -> None:
    message = one(**changes)
    assert (message.author, message.body, message.tags) == (author, body, tags)


def test_what_is_no_number_stays_text() -> None:
    meta = one(PRIORITY="9", SYSLOG_FACILITY="x", _PID="9" * 40).meta
    assert (meta["severity"], meta["facility"], meta["pid"]) == ("9", "x", "9" * 40)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({**ENTRY, "__CURSOR": ""}, "__CURSOR"),
        ({**ENTRY, "__CURSOR": 5}, "__CURSOR"),
        ({**ENTRY, "__REALTIME_TIMESTAMP": None}, "__REALTIME_TIMESTAMP"),
        ({**ENTRY, "__REALTIME_TIMESTAMP": "-5"}, "__REALTIME_TIMESTAMP"),
        ({**ENTRY, "__REALTIME_TIMESTAMP": "9" * 19}, "time is not"),
        ({**ENTRY, "__REALTIME_TIMESTAMP": "\u0661"}, "__REALTIME_TIMESTAMP"),
        ({**ENTRY, "MESSAGE": None}, "--all"),
        ({**ENTRY, "MESSAGE": "\ud800"}, "Unicode"),
        ({**ENTRY, "SYSLOG_IDENTIFIER": "\ud800"}, "Unicode"),
        ({**ENTRY, "__CURSOR": "\ud800", "MESSAGE": None}, "--all"),
        (b"[]", "not a JSON object"),
        (b"{", "it is not JSON"),
        (b"\xff", "UTF-8"),
        (b'{"MESSAGE":' + b"[" * 100_000, ""),
    ],
    ids=range(14),
)
def test_a_bad_entry_is_told_and_the_next_is_read(entry: Any, why: str) -> None:
    bad, good = rows(entry, ENTRY)
    assert bad.key is None
    assert bad.why
    assert why in bad.why
    assert good.key is not None

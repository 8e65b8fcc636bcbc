"""Lines of syslog: what they say, in which year, and which of them are the same."""

from collections.abc import Callable
from datetime import UTC
from io import BytesIO
from typing import IO, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.message import Message, decode_object
from porcelain.import_source import Reading, Row
from porcelain.syslog import MissingYearError, Occurrences, Setting, Years, syslog_rows

DAY = 86_400_000_000
NEW_YEAR = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def rows(
    data: bytes,
    *,
    year: int | None = 2026,
    written: int | None = None,
    zone: Any = UTC,
    again: bool = True,
) -> list[Row]:
    file = BytesIO(data)
    opener: Callable[[], IO[bytes]] | None = (lambda: BytesIO(data)) if again else None
    setting = Setting("imported", zone, year, written)
    return list(syslog_rows(file, file.readline(), Reading(), setting, opener))


def messages(data: bytes, **options: Any) -> list[Message]:
    found = []
    for row in rows(data, **options):
        assert row.key is not None, row.why
        message = decode_object(row.data)
        assert isinstance(message, Message)
        found.append(message)
    return found


def one(line: str, **options: Any) -> Message:
    (message,) = messages(line.encode(), **options)
    return message


@pytest.mark.parametrize(
    ("line", "author", "body", "tags", "meta"),
    [
        # The examples of RFC 5424, 6.5.
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed",
            "mymachine.example.com",
            "'su root' failed",
            ("su",),
            {"facility": "auth", "severity": "crit", "message_id": "ID47"},
        ),
        (
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.",
            "192.0.2.1",
            "%% It's time.",
            ("myproc",),
            {"pid": 8710, "facility": "local4", "severity": "notice"},
        ),
        (
            '<165>1 2003-10-11T22:14:15.003Z host app - ID47 [a@1 k="v\\"\\]" l=""][b x="]"] text'.replace(
                '"]"', '"y"'
            ),
            "host",
            "text",
            ("app",),
            {
                "facility": "local4",
                "severity": "notice",
                "message_id": "ID47",
                "structured_data": '[a@1 k="v\\"\\]" l=""][b x="y"]',
            },
        ),
        (
            "<0>1 2003-10-11T22:14:15Z - - - - -",
            "imported",
            "",
            (),
            {"facility": "kern", "severity": "emerg"},
        ),
        # Those of RFC 3164, 5.4, and what files and sockets have.
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
            "mymachine",
            "'su root' failed for lonvick on /dev/pts/8",
            ("su",),
            {"facility": "auth", "severity": "crit"},
        ),
        ("Feb  5 17:32:18 10.0.0.99 Use the BFG!", "10.0.0.99", "Use the BFG!", (), {}),
        ("Feb  5 17:32:18 gate sshd[7]: Accepted", "gate", "Accepted", ("sshd",), {"pid": 7}),
        ("Feb  5 17:32:18 gate kernel: [  1.2] x: y", "gate", "[  1.2] x: y", ("kernel",), {}),
        ("Feb  5 17:32:18 gate a/b[c]:", "gate", "", ("a/b",), {"pid": "c"}),
        ("Feb  5 17:32:18 fe80::1 app: x", "fe80::1", "x", ("app",), {}),
        ("Feb  5 17:32:18 app: x", "imported", "x", ("app",), {}),
        ("Feb  5 17:32:18 app[5]: x", "imported", "x", ("app",), {"pid": 5}),
        ("2026-02-05T17:32:18.5+01:00 gate app[5]: x", "gate", "x", ("app",), {"pid": 5}),
    ],
)
def test_what_a_line_says(
    line: str, author: str, body: str, tags: tuple[str, ...], meta: dict[str, Any]
) -> None:
    message = one(line)
    assert (message.author, message.body, message.tags, message.meta) == (author, body, tags, meta)


@pytest.mark.parametrize(
    ("stamp", "time", "offset"),
    [
        ("Jan  1 00:00:00", NEW_YEAR, 0),
        ("Jan  1 00:00:00.25", NEW_YEAR + 250_000, 0),
        ("Jan  1 00:00:60", NEW_YEAR + 60_000_000, 0),
        ("2026-01-01T00:00:00Z", NEW_YEAR, 0),
        ("2026-01-01T02:00:00.000001+02:00", NEW_YEAR + 1, 120),
    ],
)
def test_when(stamp: str, time: int, offset: int) -> None:
    message = one(f"{stamp} host x")
    assert (message.time, message.offset) == (time, offset)


def test_dates_are_of_the_zone() -> None:
    message = one("Jul  1 02:00:00 host x", zone=ZoneInfo("Europe/Zurich"))
    assert (message.time, message.offset) == (NEW_YEAR + 181 * DAY, 120)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"-- MARK --", "no line of syslog"),
        (b"Feb 30 00:00:00 host x", "no such day"),
        (b"Feb 29 00:00:00 host x", "no such time"),  # 2026 is no leap year
        (b"Foo  1 00:00:00 host x", "no month Foo"),
        (b"Jan  1 24:00:00 host x", "no such time"),
        (b"Jan  1 00:00:61 host x", "no such time"),
        (b"<192>Jan  1 00:00:00 host x", "no priority 192"),
        (b"<34>1 - host app - - - x", "says no time"),
        (b"<34>1 2026-13-01T00:00:00Z host app - - - x", "no such day"),
        (b"<34>1 2026-01-01T00:00:00+20:00 host app - - - x", "14 hours"),
        (b"<34>2 2026-01-01T00:00:00Z host app - - - x", "no line of syslog"),
        (b'<34>1 2026-01-01T00:00:00Z host app - - [a b="c] x', "no line of syslog"),
        (b'<34>1 2026-01-01T00:00:00Z host app - - [a b="' + b"c" * 70_000 + b'"]', "meta"),
        ("Ja\u0661  1 00:00:00 host x".encode(), "no line of syslog"),
        (b"Jan  1 00:00:00 " + b"h" * 300 + b" x", "author"),
        (b"Jan  1 00:00:00 h " + b"x" * ((16 << 20) + 1), "body"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_bad_line_is_told_and_the_next_is_read(line: bytes, why: str) -> None:
    bad, good = rows(line + b"\r\n\n" + b"Jan  1 00:00:00 host x")
    assert bad.key is None
    assert why in bad.why
    assert (bad.number, good.number) == (1, 3)
    assert good.key is not None


def test_bytes_that_are_no_text_are_kept_apart() -> None:
    first, second = messages(b"Jan  1 00:00:00 host \xff\nJan  1 00:00:00 host \\xff")
    assert first.body == second.body == "\\xff"
    assert first.uuid != second.uuid


# Which are the same

LINE = b"Jan  1 00:00:00 host app: boom\n"


def ids(data: bytes, **options: Any) -> list[bytes]:
    return [row.data for row in rows(data, **options)]


def test_equal_lines_are_several_and_the_same_ones_next_time() -> None:
    twice = ids(LINE + LINE)
    assert len(set(twice)) == 2
    assert ids(LINE) == twice[:1]
    assert ids(LINE * 3)[:2] == twice
    assert ids(LINE.rstrip() + b"\r\n") == twice[:1]  # however its line ends


def test_files_that_overlap() -> None:
    lines = [b"Jan  1 00:00:%02d host app: boom\n" % (number // 3) for number in range(90)]
    whole = ids(b"".join(lines))
    assert len(set(whole)) == 90
    # A rotated file that ends where a second ends, and one that was copied while it grew.
    assert set(ids(b"".join(lines[:45]))) | set(ids(b"".join(lines[30:]))) == set(whole)
    assert ids(b"".join(lines[:44])) == whole[:44]


def test_another_year_is_another_line() -> None:
    assert ids(LINE) != ids(LINE, year=2027)
    lines = LINE + b"Jul  1 00:00:00 host x\nDec 31 00:00:00 host x\n" + LINE
    first, _, _, last = messages(lines)
    assert last.time - first.time == 365 * DAY


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 4))
def test_occurrences_are_bounded(names: list[int], limit: int) -> None:
    occurrences = Occurrences(limit)
    seen: dict[int, int] = {}
    for number, name in enumerate(names):
        count = occurrences.count(bytes([name]))
        assert count in (0, seen.get(name, -1) + 1)
        between = (
            set(names[max(i for i, one in enumerate(names[:number]) if one == name) + 1 : number])
            if name in seen
            else set()
        )
        if len(between) < limit and name in seen:
            assert count == seen[name] + 1
        seen[name] = count
    assert len(occurrences._counts) <= limit


# Which year it is


@pytest.mark.parametrize(
    ("dates", "years"),
    [
        ("0101 0630 1231 0101 0630", "0 0 0 1 1"),
        ("1231 0101 1231 0101", "0 1 0 1"),  # a line comes late
        ("0315 0309 0316", "0 0 0"),
        ("0101 1115 0101", "0 0 1"),  # little is written
        ("0301 0224 0301 0221", "0 0 0 1"),  # more than a week late is next year
        ("0229 0301 0228", "0 0 0"),
        ("0601 0601 0601", "0 0 0"),
    ],
)
def test_the_year_changes_where_dates_go_back(dates: str, years: str) -> None:
    told = Years(0)
    found = [told.year_of(int(date[:2]), int(date[2:])) for date in dates.split()]
    assert " ".join(map(str, found)) == years


@pytest.mark.parametrize(
    ("last", "written", "year"),
    [
        ("Dec 31 00:00:00", NEW_YEAR - 1, 2025),
        ("Dec 31 00:00:00", NEW_YEAR + 5 * DAY, 2025),  # read, or copied, in the new year
        ("Jan  1 00:00:00", NEW_YEAR, 2026),
        ("Jan  1 00:00:00", NEW_YEAR - 1, 2026),  # clocks disagree
        ("Jan  3 00:00:00", NEW_YEAR, 2025),
    ],
)
def test_the_last_line_is_as_late_as_the_file_allows(last: str, written: int, year: int) -> None:
    *_, found = messages(f"{last} host x\n".encode(), year=None, written=written)
    start = {2025: NEW_YEAR - 365 * DAY, 2026: NEW_YEAR}[year]
    assert start <= found.time < start + 365 * DAY


def test_a_file_that_spans_years() -> None:
    lines = b"Jun  1 00:00:00 h x\nJan  1 00:00:00 h x\ngarbage\nFeb  1 00:00:00 h x\nJan  1 00:00:00 h x\n"
    found = [row for row in rows(lines, year=None, written=NEW_YEAR) if row.key is not None]
    times = [decode_object(row.data).time for row in found]
    assert times == [NEW_YEAR + days * DAY for days in (-365 - 214, -365, -334, 0)]


def test_nothing_says_the_year() -> None:
    with pytest.raises(MissingYearError, match="--year"):
        rows(LINE, year=None, written=NEW_YEAR, again=False)
    with pytest.raises(MissingYearError, match="--year"):
        rows(LINE, year=None, written=None)
    with pytest.raises(MissingYearError, match="absurd"):
        rows(LINE, year=None, written=1 << 62)
    assert rows(b"2026-01-01T00:00:00Z host x", year=None)[0].key is not None

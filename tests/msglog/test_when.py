import calendar
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.key import SECOND, TIME_MAXIMUM, TIME_MINIMUM
from msglog.timestamp import rfc3339
from msglog.when import Moment, SpanError, WhenError, parse, parse_bound, parse_span

NOW = calendar.timegm((2026, 3, 31, 10, 30, 15)) * SECOND + 250_000


def utc(_moment: int) -> int:
    return 0


def east(_moment: int) -> int:
    return 120


def says(text: str, offset: int = 0) -> str:
    moment = parse(text, now=NOW, local_offset=lambda _: offset)
    return rfc3339(moment.time, moment.offset)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-31T12:30:00+01:00", "2026-01-31T12:30:00.000000+01:00"),
        ("2026-01-31t12:30:00.5z", "2026-01-31T12:30:00.500000+00:00"),
        ("2026-01-31 12:30:00 -0930", "2026-01-31T12:30:00.000000-09:30"),
        ("2026-01-31 12:30", "2026-01-31T12:30:00.000000+02:00"),
        ("2026-01-31", "2026-01-31T00:00:00.000000+02:00"),
        ("1969-07-20T20:17:40.123456789Z", "1969-07-20T20:17:40.123456+00:00"),
        ("+012345-01-01T00:00:00Z", "+012345-01-01T00:00:00.000000+00:00"),
        ("now", "2026-03-31T12:30:15.250000+02:00"),
        ("12:30", "2026-03-31T12:30:00.000000+02:00"),
        ("today", "2026-03-31T00:00:00.000000+02:00"),
        ("Yesterday", "2026-03-30T00:00:00.000000+02:00"),
        ("yesterday 23:59:59", "2026-03-30T23:59:59.000000+02:00"),
        ("tomorrow 7:05", "2026-04-01T07:05:00.000000+02:00"),
        ("2 hours ago", "2026-03-31T10:30:15.250000+02:00"),
        ("an hour ago", "2026-03-31T11:30:15.250000+02:00"),
        ("-2h", "2026-03-31T10:30:15.250000+02:00"),
        ("+90 min", "2026-03-31T14:00:15.250000+02:00"),
        ("in 3 days", "2026-04-03T12:30:15.250000+02:00"),
        ("1h30m ago", "2026-03-31T11:00:15.250000+02:00"),
        ("1 day, 2 hours and 5 seconds ago", "2026-03-30T10:30:10.250000+02:00"),
        ("1 month ago", "2026-02-28T12:30:15.250000+02:00"),
        ("2 years ago", "2024-03-31T12:30:15.250000+02:00"),
        ("@0", "1970-01-01T02:00:00.000000+02:00"),
        ("@-1.5", "1970-01-01T01:59:58.500000+02:00"),
    ],
)
def test_times_as_people_write_them(text: str, shown: str) -> None:
    assert says(text, 120) == shown


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "soon", "2026", "2026-13-01", "2026-02-29", "2026-01-32", "25:00", "12:60", "2h",
        "2 hours", "-2h ago", "in 2 hours ago", "2 fortnights ago", "2026-01-31T12:30:00+15:00",
        "2026-01-31T12:30:00+01:60", "99999999 years ago", "+999999-01-01T00:00:00Z", "٣ hours ago",
        "2026-01-31\x00", "@99999999999999999999",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(WhenError):
        parse(text, now=NOW, local_offset=utc)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01T00:00:00.000000", "2026-12-31T23:59:59.999999"),
        ("2024-02", "2024-02-01T00:00:00.000000", "2024-02-29T23:59:59.999999"),
        ("2026-12", "2026-12-01T00:00:00.000000", "2026-12-31T23:59:59.999999"),
        (" 2026-01-31", "2026-01-31T00:00:00.000000", "2026-01-31T23:59:59.999999"),
        ("Yesterday", "2026-03-30T00:00:00.000000", "2026-03-30T23:59:59.999999"),
        ("yesterday 12:00", "2026-03-30T12:00:00.000000", "2026-03-30T12:00:00.000000"),
        ("@0", "1970-01-01T02:00:00.000000", "1970-01-01T02:00:00.000000"),
    ],
)
def test_bounds_have_days_months_and_years_whole(text: str, first: str, last: str) -> None:
    for is_last, shown in ((False, first), (True, last)):
        bound = parse_bound(text, last=is_last, now=NOW, local_offset=lambda _: 120)
        assert rfc3339(bound.time, bound.offset) == f"{shown}+02:00"


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-02-30", "26-01", "soon", ""])
def test_what_is_no_bound_is_refused(text: str) -> None:
    for last in (False, True):
        with pytest.raises(WhenError, match=f"what time {text!r} is"):
            parse_bound(text, last=last, now=NOW, local_offset=utc)


def test_local_time_takes_the_offset_that_is_in_force_then() -> None:
    summer = calendar.timegm((2026, 3, 29, 1, 0, 0)) * SECOND

    def berlin(moment: int) -> int:
        return 120 if moment >= summer else 60

    for text, shown in (
        ("2026-03-29 01:59", "2026-03-29T01:59:00.000000+01:00"),
        ("2026-03-29 03:00", "2026-03-29T03:00:00.000000+02:00"),
        ("2026-01-01", "2026-01-01T00:00:00.000000+01:00"),
    ):
        moment = parse(text, now=NOW, local_offset=berlin)
        assert rfc3339(moment.time, moment.offset) == shown


@given(st.integers(TIME_MINIMUM, TIME_MAXIMUM), st.integers(-14 * 60, 14 * 60))
def test_every_time_comes_back(moment: int, offset: int) -> None:
    text = rfc3339(moment, offset)
    assert parse(text, now=0, local_offset=east) == Moment(moment, offset)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with suppress(WhenError):
        parse(text, now=NOW, local_offset=east)
    with suppress(WhenError):
        parse_bound(text, last=True, now=NOW, local_offset=east)


@pytest.mark.parametrize("unit", ["ms", "ss", "hs", "ds", "ws", "ys", "mss"])
def test_short_units_have_no_plural(unit: str) -> None:
    """Milliseconds were taken for minutes."""
    with pytest.raises(SpanError):
        parse_span(f"1{unit}")
    with pytest.raises(WhenError):
        says(f"1{unit} ago")


def test_plurals_of_longer_units() -> None:
    assert parse_span("2secs 2mins 2hrs 2days") == 2 * (1 + 60 + 3600 + 86400) * SECOND
    assert says("2 mons ago") == says("2 months ago")


def test_a_span_that_is_no_time_is_told_how_it_would_be_one() -> None:
    with pytest.raises(WhenError) as caught:
        says("2 Hours")
    assert caught.value.hint == "Write '2 hours ago' or 'in 2 hours'."
    for text in ("2 hours ago", "in 2 hours"):
        says(text)

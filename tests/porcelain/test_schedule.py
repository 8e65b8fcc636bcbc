"""When the next round is due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.when import SpanError
from porcelain.schedule import (
    LONGEST_DELAY_SECONDS,
    SESSION_SECONDS,
    Schedule,
    parse_interval,
)

INTERVALS = st.integers(5, 366 * 86_400).map(float)
TIMES = st.integers(0, 1 << 40).map(lambda number: number / 1024)


@given(INTERVALS, TIMES, st.integers(0, 1 << 30).map(lambda number: number / 1024))
def test_rounds_keep_their_distance_however_long_they_take(
    interval: float, started: float, took: float
) -> None:
    seconds = Schedule(interval).until_next(started, started + took)
    assert 0 < seconds <= interval
    rounds = (took + seconds) / interval
    assert rounds == pytest.approx(round(rounds), abs=1e-6)
    assert round(rounds) == took // interval + 1


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_wait_after_failures_grows_and_is_bounded(failures: int, chance: float) -> None:
    schedule = Schedule(30.0)
    seconds = schedule.after_failure(failures, chance)
    assert 2 <= seconds <= LONGEST_DELAY_SECONDS
    assert schedule.after_failure(failures + 1, chance) >= seconds
    assert schedule.after_failure(failures, 0) * 2 == schedule.after_failure(failures, 1)


def test_a_session_is_kept_for_less_than_servers_bear() -> None:
    schedule = Schedule(60.0)
    assert schedule.outlasts(100.0, 100.0 + SESSION_SECONDS)
    assert not schedule.outlasts(100.0, 101.0 + SESSION_SECONDS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1 day", 86_400),
        ("2 Weeks", 1_209_600),
    ],
)
def test_an_interval_is_read(text: str, seconds: int) -> None:
    assert parse_interval(text).interval == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "4s",
        "0s",
        "-30s",
        "in 5m",
        "5m ago",
        "5 month",
        "1 y",
        "367d",
        "5q",
        "5s;",
        "\u0665s",
        "m",
    ],
)
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(SpanError, match="cannot tell how long"):
        parse_interval(text)

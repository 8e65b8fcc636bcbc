"""Statements that say that they get on, and stop when they are told to."""

import contextlib
import sqlite3

import pytest

from msglog.sqlite_progress import attended

LONG = "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n LIMIT {}) SELECT max(x) FROM n"


def test_a_long_statement_says_that_it_gets_on() -> None:
    beats: list[None] = []
    connection = sqlite3.connect(":memory:")
    with attended(connection, lambda: beats.append(None)):
        assert connection.execute(LONG.format(100_000)).fetchone() == (100_000,)
    said = len(beats)
    assert said > 3
    connection.execute(LONG.format(100_000)).fetchone()
    assert len(beats) == said


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("why")])
def test_what_is_raised_meanwhile_stops_it_and_comes_out(error: BaseException) -> None:
    def fail() -> None:
        raise error

    connection = sqlite3.connect(":memory:")
    with pytest.raises(type(error)) as caught, attended(connection, fail):
        connection.execute(LONG.format(10**12)).fetchone()
    assert caught.value is error
    assert connection.execute(LONG.format(100_000)).fetchone() == (100_000,)


def test_what_is_raised_is_not_lost_where_the_failure_is_dealt_with() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    connection = sqlite3.connect(":memory:")
    with (
        pytest.raises(KeyboardInterrupt),
        attended(connection, fail),
        contextlib.suppress(sqlite3.Error),
    ):
        connection.execute(LONG.format(10**12)).fetchone()


def test_other_errors_stay_what_they_are() -> None:
    connection = sqlite3.connect(":memory:")
    with (
        pytest.raises(sqlite3.OperationalError, match="no such table"),
        attended(connection, lambda: None),
    ):
        connection.execute("SELECT * FROM missing")
    with attended(connection, None):
        connection.execute("SELECT 1")

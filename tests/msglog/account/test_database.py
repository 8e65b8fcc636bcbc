"""The file of an account: made whole, opened without making anything, newer ones refused."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog import sqlite_file
from msglog.account import database
from msglog.account.database import (
    FORMAT,
    AccountBusyError,
    AccountError,
    AccountFormatError,
    DamagedAccountError,
    Database,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "account.db"


@pytest.fixture
def made(path: Path) -> Iterator[Database]:
    opened = Database.create(path, suffix="x")
    yield opened
    opened.close()


def test_it_is_for_its_owner_and_durable(made: Database, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.select("PRAGMA journal_mode") == [("wal",)]
    assert made.select("PRAGMA synchronous") == [(2,)]
    assert made.select("PRAGMA foreign_keys") == [(1,)]
    assert made.select("PRAGMA user_version") == [(FORMAT,)]


def test_fingerprints_and_names_are_indexed(made: Database) -> None:
    for sql in (
        "SELECT 1 FROM keys WHERE fingerprint = 'x'",
        "SELECT 1 FROM users WHERE name = 'x'",
        "SELECT 1 FROM keys WHERE user = 1",
        "SELECT 1 FROM grants WHERE repository = 'main'",
    ):
        (plan,) = made.select(f"EXPLAIN QUERY PLAN {sql}")
        assert plan[3].startswith("SEARCH"), plan


def test_making_it_twice_is_refused(made: Database, path: Path) -> None:
    made.execute("INSERT INTO users VALUES (1, 'ann', 'read', 0)")
    with pytest.raises(AccountError, match="cannot make"):
        Database.create(path, suffix="y")
    assert made.select("SELECT name FROM users") == [("ann",)]
    assert not [other for other in path.parent.iterdir() if ".new-" in other.name]


def test_a_missing_one_is_not_made(path: Path) -> None:
    with pytest.raises(AccountError, match="there is no server account"):
        Database.open(path)
    assert list(path.parent.iterdir()) == []


def test_one_that_vanishes_is_not_made(path: Path) -> None:
    with pytest.raises(AccountError, match="cannot use"):
        database._connect(path)
    assert list(path.parent.iterdir()) == []


def test_a_newer_format_is_refused(made: Database, path: Path) -> None:
    made.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(AccountFormatError, match="newer msglog"):
        Database.open(path)


@pytest.mark.parametrize("data", [b"", b"not a database, but long enough for a header" * 30])
def test_other_files_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(AccountFormatError, match="not a msglog server account"):
        Database.open(path)


def test_another_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (x)")
    connection.close()
    with pytest.raises(AccountFormatError, match="not a msglog server account"):
        Database.open(path)


def test_damage_is_named(made: Database, path: Path) -> None:
    made.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    opened = Database.open(path)
    try:
        with pytest.raises(DamagedAccountError, match="is damaged"):
            opened.select("SELECT * FROM users")
    finally:
        opened.close()


def test_a_transaction_is_all_or_nothing(made: Database) -> None:
    class StopError(Exception):
        pass

    def fail() -> None:
        with made.transaction():
            made.execute("INSERT INTO users VALUES (1, 'ann', 'read', 0)")
            raise StopError

    with pytest.raises(StopError):
        fail()
    assert made.select("SELECT * FROM users") == []


def test_a_busy_account_is_said_to_be(
    made: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.0)
    other = Database.open(path)
    try:
        with made.transaction(), pytest.raises(AccountBusyError, match="busy"), other.transaction():
            pass
    finally:
        other.close()


def test_the_version_tells_of_changes_by_others(made: Database, path: Path) -> None:
    first = made.version()
    assert made.version() == first
    other = Database.open(path)
    other.execute("INSERT INTO users VALUES (1, 'ann', 'read', 0)")
    other.close()
    assert made.version() != first


def test_a_transaction_within_another_is_a_part_of_it(made: Database) -> None:
    def outer() -> None:
        with made.transaction():
            with made.transaction():
                made.execute("INSERT INTO users VALUES (1, 'ann', 'read', 0)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        outer()
    assert made.select("SELECT name FROM users") == []
    with made.transaction(), made.transaction(writing=False):
        made.execute("INSERT INTO users VALUES (1, 'ann', 'read', 0)")
    assert made.select("SELECT name FROM users") == [("ann",)]

"""SQLite files: never made by opening, made whole or not at all."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog import sqlite_file
from msglog.sqlite_file import (
    Making,
    Trouble,
    connect,
    cut_wal,
    reason,
    trouble,
    wal_size,
)


def test_opening_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        connect(tmp_path / "x.db")
    assert trouble(caught.value) is Trouble.OTHER
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with Making(path, "a") as unfinished:
        assert not path.exists()
        assert Path(unfinished).stat().st_mode & 0o777 == 0o600
        Path(unfinished).write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_fails_half_way_never_appears(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Making(tmp_path / "x.db", "a"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError), Making(path, "a") as unfinished:
        Path(unfinished).write_bytes(b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_errors_mean(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database, but as long as the header of one would be " * 4)
    connection = connect(path)
    with pytest.raises(sqlite3.DatabaseError) as foreign:
        connection.execute("SELECT 1 FROM sqlite_master")
    connection.close()
    assert trouble(foreign.value) is Trouble.FOREIGN
    path.write_bytes(b"")
    first, second = connect(path), connect(path)
    second.execute("PRAGMA busy_timeout = 0")
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as busy:
        second.execute("BEGIN IMMEDIATE")
    assert trouble(busy.value) is Trouble.BUSY
    with pytest.raises(sqlite3.OperationalError) as damaged:
        first.execute("SELECT * FROM messages")
    assert trouble(damaged.value) is Trouble.DAMAGED
    first.close()
    second.close()


def test_a_reason_is_one_line() -> None:
    error = sqlite3.DatabaseError('malformed - near "\x01":\n  CREATE TABLE x (\n  \u2028y)')
    assert reason(error) == 'malformed - near "\\x01": CREATE TABLE x ( y)'
    assert reason(MemoryError()) == "a record asks for more memory than there is"
    assert reason(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")) == "it has bad text"
    assert len(reason(sqlite3.DatabaseError("x" * 1000))) == 200


@pytest.mark.parametrize("name", ["a b", "a?mode=memory", "a#b", "50%41", "é", "\udcff"])
def test_a_path_is_taken_to_the_letter(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    connection = connect(path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    assert path.stat().st_size > 0
    assert list(tmp_path.iterdir()) == [path]


class Protocol(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_PROTOCOL


def test_an_index_of_the_log_that_somebody_holds_is_busy_not_broken() -> None:
    assert trouble(Protocol("locking protocol")) is Trouble.BUSY


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    path = tmp_path / "x.db"
    path.write_bytes(b"")
    first, second = connect(path), connect(path)
    first.execute("PRAGMA journal_mode = WAL")
    first.execute("CREATE TABLE t (x)")
    yield first, second
    first.close()
    second.close()


def patience(connection: sqlite3.Connection) -> int:
    ((milliseconds,),) = connection.execute("PRAGMA busy_timeout")
    assert isinstance(milliseconds, int)
    return milliseconds


def test_the_log_is_cut_off_at_each_step_from_its_limit_on(
    two: tuple[sqlite3.Connection, sqlite3.Connection],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = two
    path = tmp_path / "x.db"
    monkeypatch.setattr(sqlite_file, "WAL_BYTES_LIMIT", 1 << 16)
    monkeypatch.setattr(sqlite_file, "WAL_BYTES_STEP", 1 << 15)
    monkeypatch.setattr(sqlite_file, "_CUTTING_MILLISECONDS", 0)
    first.execute("INSERT INTO t VALUES (zeroblob(70000))")
    long = wal_size(path)
    assert long > 1 << 16
    cut_wal(first, long - 10, long)  # no step was made
    assert wal_size(path) == long
    cut_wal(first, 0, (1 << 16) - 1)  # it is short
    assert wal_size(path) == long
    second.execute("INSERT INTO t VALUES (1)")
    reading = second.execute("SELECT x FROM t")
    assert reading.fetchone() is not None
    first.execute("INSERT INTO t VALUES (1)")
    cut_wal(first, 0, long)  # somebody reads
    assert wal_size(path) >= long
    assert patience(first) == 30_000
    reading.close()
    cut_wal(first, 0, long)
    assert wal_size(path) == 0
    assert first.execute("SELECT count(*) FROM t").fetchone() == (3,)

"""SQLite files: never made by opening, made whole or not at all."""

import sqlite3
from pathlib import Path

import pytest

from msglog.sqlite_file import Making, Trouble, connect, reason, trouble


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


def test_what_a_killed_maker_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    for left in ("x.db.new-b", "x.db.new-b-journal", "x.db.new-c-wal"):
        (tmp_path / left).write_bytes(b"half")
    other = tmp_path / "y.db.new-b"
    other.write_bytes(b"of another file")
    with Making(path, "a"):
        pass
    assert set(tmp_path.iterdir()) == {path, other}


def test_what_somebody_else_makes_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msglog.folder.LOCK_SECONDS", 0)
    path = tmp_path / "x.db"
    with Making(path, "a") as unfinished:
        with pytest.raises(TimeoutError), Making(path, "b"):
            pass
        assert Path(unfinished).exists()
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


def test_somebody_who_is_frozen_while_they_recover_is_busy() -> None:
    """SQLite does not ask how long to wait for that, and then says `locking protocol`."""
    error = sqlite3.OperationalError("locking protocol")
    error.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
    assert trouble(error) is Trouble.BUSY


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

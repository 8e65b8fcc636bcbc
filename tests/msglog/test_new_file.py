"""Files that are put in their place when they are whole, and not without what belongs to them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from msglog.new_file import filled_beside, in_one_file
from msglog.sqlite_file import connect


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with filled_beside(str(path)) as unfinished:
        Path(unfinished).write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    with pytest.raises(FileExistsError), filled_beside(str(path)):
        pass
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "other")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def fail(path: Path) -> None:
    with filled_beside(str(path)) as unfinished:
        Path(unfinished).write_text("not yet")
        raise ZeroDivisionError


def leave_a_log(path: Path) -> None:
    with filled_beside(str(path)) as file:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE things (number)")
            log = Path(f"{file}-wal").read_bytes()
        Path(f"{file}-wal").write_bytes(log)


def test_what_was_left_in_a_log_is_not_left_behind(tmp_path: Path) -> None:
    """As where a full disk keeps SQLite from bringing its log into the file when it is closed."""
    with pytest.raises(OSError, match="one file"):
        leave_a_log(tmp_path / "db")
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_writes_straight_into_its_file(tmp_path: Path) -> None:
    file = tmp_path / "db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with closing(connect(file)) as connection:
        in_one_file(connection)
        connection.execute("CREATE TABLE things (number)")
        assert [one.name for one in tmp_path.iterdir()] == ["db"]
    assert file.read_bytes()[18:20] == b"\1\1"  # its header: no write-ahead log

"""The lock of readers: it stands with SQLite's own, and nothing of theirs is lost by it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from msglog import shared_lock
from msglog.shared_lock import NoLockError, SharedLock, read_beginning
from tests.reading_only import in_child


def nothing() -> None:
    """Prepare nothing."""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A file that a journal undoes, which nobody has open."""
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE t (x)")
    yield file
    shared_lock._SPARE.clear()


def write(path: Path) -> str:
    """Try to write in another process; return what SQLite says."""

    def work() -> str:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("INSERT INTO t VALUES (1)")
            except sqlite3.OperationalError as error:
                return str(error)
            return "written"

    return in_child(work, prepare=nothing)


def test_nobody_writes_while_it_is_held(path: Path) -> None:
    lock = SharedLock(path, 0)
    assert write(path) == "database is locked"
    lock.free()
    lock.free()
    assert write(path) == "written"


def test_readers_read_beside_it(path: Path) -> None:
    lock = SharedLock(path, 0)
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    lock.free()


def test_a_writer_is_waited_for_and_not_for_ever(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TimeoutError):
            SharedLock(path, 0.05)
        writer.execute("ROLLBACK")
        SharedLock(path, 0).free()


def test_the_locks_of_a_connection_of_this_process_outlast_it(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        SharedLock(path, 0).free()
        assert read_beginning(path, 6) == b"SQLite"
        assert write(path) == "database is locked"
        reader.execute("COMMIT")
    assert write(path) == "written"


def test_two_at_once_are_freed_one_by_one_and_files_are_used_again(path: Path) -> None:
    one, two = SharedLock(path, 0), SharedLock(path, 0)
    files = {one.descriptor, two.descriptor}
    assert len(files) == 2
    one.free()
    assert write(path) == "database is locked"
    two.free()
    assert write(path) == "written"
    again = SharedLock(path, 0)
    assert again.descriptor in files
    again.free()


def test_a_forked_process_frees_nothing_of_ours(path: Path) -> None:
    SharedLock(path, 0).free()
    in_child(lambda: SharedLock(path, 0).free(), prepare=nothing)
    lock = SharedLock(path, 0)
    in_child(lambda: SharedLock(path, 0).free(), prepare=nothing)
    assert write(path) == "database is locked"
    lock.free()


def test_what_is_not_there_or_not_to_be_had_is_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError):
        SharedLock(path.with_name("y.db"), 0)
    monkeypatch.delattr("fcntl.F_OFD_SETLK")
    with pytest.raises(NoLockError):
        SharedLock(path, 0)


def test_its_bytes_are_read(path: Path) -> None:
    lock = SharedLock(path, 0)
    assert lock.read(1 << 20, 4) == path.read_bytes()[4:]
    lock.free()
    assert os.fstat(shared_lock._SPARE[path.stat().st_dev, path.stat().st_ino][0]).st_size

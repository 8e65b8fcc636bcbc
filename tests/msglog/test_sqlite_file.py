"""SQLite files: never made by opening, made whole or not at all."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog import sqlite_file
from msglog.sqlite_file import (
    LOG_BYTES,
    Making,
    Trouble,
    begin_writing,
    connect,
    cut_wal,
    keep_log_short,
    kind_of,
    mount_of,
    pause,
    prepare,
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


def no_links(error: int, *, made: bool) -> Callable[[Any, Any], None]:
    real = os.link

    def link(source: Any, target: Any) -> None:
        if made:
            real(source, target)
        raise OSError(error, os.strerror(error))

    return link


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system whose folders have no locks."""
    monkeypatch.setattr("msglog.folder.Locked._lock", lambda _: False)


def refused(number: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_the_name_is_given_in_one_step_where_folders_have_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refused(errno.EROFS))
    path = tmp_path / "x.db"
    with Making(path, "a") as unfinished:
        Path(unfinished).write_bytes(b"whole")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError), Making(path, "b") as unfinished:
        Path(unfinished).write_bytes(b"new")
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize(("first", "second"), [(errno.EROFS, 0), (errno.EPERM, errno.EROFS)])
@pytest.mark.usefixtures("no_locks")
def test_no_empty_file_is_left_where_the_name_cannot_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, second: int
) -> None:
    monkeypatch.setattr(os, "link", refused(first))
    if second:
        monkeypatch.setattr(os, "rename", refused(second))
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)), Making(tmp_path / "x.db", "a"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_locks")
def test_a_file_appears_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links(1, made=False))
    path = tmp_path / "x.db"
    with Making(path, "a") as unfinished:
        Path(unfinished).write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError), Making(path, "b") as unfinished:
        Path(unfinished).write_bytes(b"new")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("no_locks")
def test_a_link_whose_answer_was_lost_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links(17, made=True))
    path = tmp_path / "x.db"
    with Making(path, "a") as unfinished:
        Path(unfinished).write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of mounts in place of the kernel's, in which every folder is on mount 27."""
    descriptors = tmp_path / "fdinfo"
    descriptors.mkdir()
    for number in range(256):
        (descriptors / str(number)).write_bytes(b"pos:\t0\nflags:\t012\nmnt_id:\t27\nino:\t2\n")
    path = tmp_path / "mountinfo"
    monkeypatch.setattr(sqlite_file, "_DESCRIPTORS", str(descriptors))
    monkeypatch.setattr(sqlite_file, "_MOUNTS", str(path))
    return path


LINE = b"27 1 0:44 / /home rw,relatime shared:3 master:1 - nfs4 server:/home rw,vers=4.2"


@given(before=st.integers(0, 3000), after=st.integers(0, 3), size=st.integers(100, 200_000))
def test_the_line_of_a_mount_is_found_among_any_others(before: int, after: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lines = [b"%d 1 254:0 / /27 rw - ext4 27 rw" % (270 + n) for n in range(before)]
        lines += [LINE, *[b"2%d 27 0:1 / / rw - proc 27 rw" % n for n in range(after)]]
        text = b"".join(line + b"\n" for line in lines)
        parts = [text[i : i + size] for i in range(0, len(text), size)]
        reads = iter([b"mnt_id:\t27\n", b"", *parts, b""])
        patch.setattr(os, "read", lambda *_: next(reads))
        assert mount_of("/") == LINE


def test_the_kind_stands_behind_the_optional_fields() -> None:
    assert kind_of(LINE) == b"nfs4"
    assert kind_of(b"27 1 254:0 / / rw - ext4 /dev/vda rw") == b"ext4"
    assert kind_of(b"") == b""


def test_what_nobody_can_tell_is_no_mount(table: Path) -> None:
    assert mount_of("/") == b""  # there is no table
    table.write_bytes(b"")
    assert mount_of("/") == b""
    table.write_bytes(b"28 1 0:44 / /home rw - nfs4 server:/home rw\n")
    assert mount_of("/") == b""
    assert mount_of("/no such folder") == b""


def test_the_mount_of_a_real_folder(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/proc")
    assert kind_of(mount_of(str(link))) == b"proc"
    assert kind_of(mount_of("/proc/self")) == b"proc"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
def test_what_cannot_be_told_just_now_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"")
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")

        def refuse(*_: Any) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            with pytest.raises(sqlite3.OperationalError, match=os.strerror(number)):
                prepare(connection, path, identified)
        assert pragma(connection, "journal_mode") == "wal"


def identified() -> None:
    """It is ours."""


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store" / "x.db"
    path.parent.mkdir()
    path.write_bytes(b"")
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t (x BLOB)")
    return path


def test_by_default_a_file_has_a_log_that_is_never_checkpointed_by_sqlite(store: Path) -> None:
    with closing(connect(store)) as connection:
        prepare(connection, store, identified)
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "synchronous") == 2
        assert pragma(connection, "wal_autocheckpoint") == 0


def test_nothing_is_changed_before_a_file_is_known_to_be_ours(store: Path) -> None:
    def foreign() -> None:
        raise ZeroDivisionError

    with closing(connect(store)) as connection, pytest.raises(ZeroDivisionError):
        prepare(connection, store, foreign)
    with closing(connect(store)) as connection:
        assert pragma(connection, "journal_mode") == "delete"


class Watched(sqlite3.Connection):
    """A connection that looks, before a checkpoint, whether another could write."""

    path: Path
    seen: list[str]

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if "checkpoint" in sql and "auto" not in sql:
            with closing(connect(self.path, patience=0)) as other:
                try:
                    other.execute("BEGIN IMMEDIATE")
                    self.seen.append("anybody may write")
                except sqlite3.OperationalError:
                    self.seen.append("nobody else may write")
        return super().execute(sql, *parameters)


def test_nobody_writes_while_the_log_is_moved(store: Path) -> None:
    Watched.path, Watched.seen = store, []
    watched = sqlite3.connect(store, isolation_level=None, factory=Watched)
    with closing(watched) as connection, closing(connect(store)) as other:
        prepare(connection, store, identified)
        prepare(other, store, identified)
        connection.execute("INSERT INTO t VALUES (zeroblob(?))", (LOG_BYTES,))
        keep_log_short(connection, store)
        assert Watched.seen == ["nobody else may write"]
        assert store.stat().st_size > LOG_BYTES


def test_the_log_stays_short_although_others_have_the_file_open(store: Path) -> None:
    log = store.with_name("x.db-wal")
    with closing(connect(store)) as idle, closing(connect(store)) as connection:
        for one in (idle, connection):
            prepare(one, store, identified)
        assert pragma(idle, "page_count")
        longest = 0
        for _ in range(64):
            connection.execute("INSERT INTO t VALUES (zeroblob(?))", (LOG_BYTES // 16,))
            keep_log_short(connection, store)
            longest = max(longest, log.stat().st_size)
        assert LOG_BYTES < longest < 1.25 * LOG_BYTES
        assert store.stat().st_size > 3 * LOG_BYTES


def test_a_writer_at_work_is_not_waited_for_until_the_log_is_very_long(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = []

    def noted(path: Path, **options: Any) -> sqlite3.Connection:
        patience.append(options["patience"])
        return connect(path, patience=0)

    with closing(connect(store)) as connection, closing(connect(store)) as writer:
        prepare(connection, store, identified)
        connection.execute("INSERT INTO t VALUES (zeroblob(?))", (LOG_BYTES,))
        writer.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(sqlite_file, "connect", noted)
        keep_log_short(connection, store)  # it fails, and nothing is raised
        assert store.stat().st_size < LOG_BYTES
        writer.execute("ROLLBACK")
        connection.execute("INSERT INTO t VALUES (zeroblob(?))", (4 * LOG_BYTES,))
        keep_log_short(connection, store)
        assert patience == [0, sqlite_file.BUSY_SECONDS]
        assert store.stat().st_size > LOG_BYTES


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
    monkeypatch.setattr(sqlite_file, "_CUTTING_SECONDS", 0)
    first.execute("PRAGMA journal_size_limit = 0")
    first.execute("INSERT INTO t VALUES (zeroblob(70000))")
    long = wal_size(path)
    assert long > 1 << 16
    cut_wal(first, path, long - 10, long)  # no step was made
    assert wal_size(path) == long
    cut_wal(first, path, 0, (1 << 16) - 1)  # it is short
    assert wal_size(path) == long
    second.execute("INSERT INTO t VALUES (1)")
    reading = second.execute("SELECT x FROM t")
    assert reading.fetchone() is not None
    first.execute("INSERT INTO t VALUES (1)")
    cut_wal(first, path, 0, long)  # somebody reads
    assert wal_size(path) >= long
    assert patience(first) == 30_000
    reading.close()
    cut_wal(first, path, 0, long)
    first.execute("INSERT INTO t VALUES (1)")
    assert wal_size(path) < 1 << 14  # a header and a page
    assert first.execute("SELECT count(*) FROM t").fetchone() == (4,)


def held(path: Path) -> sqlite3.Connection:
    """Return a connection to a new file with a write-ahead log that keeps other writers out."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_writer_gets_its_turn_when_the_other_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    with closing(held(path)) as other, closing(connect(path)) as one:
        asked: list[float] = []

        def wait(seconds: float) -> None:
            asked.append(seconds)
            if len(asked) == 20:
                other.execute("COMMIT")

        monkeypatch.setattr(time, "sleep", wait)
        begin_writing(one)
        assert one.in_transaction
        assert len(asked) == 20
        assert one.execute("PRAGMA busy_timeout").fetchone() == (30_000,)


def test_patience_with_other_writers_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    moment = 0.0

    def wait(seconds: float) -> None:
        nonlocal moment
        moment += seconds

    monkeypatch.setattr(time, "sleep", wait)
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    with closing(held(path)), closing(connect(path, patience=3)) as one:
        with pytest.raises(sqlite3.OperationalError) as caught:
            begin_writing(one)
        assert trouble(caught.value) is Trouble.BUSY
        assert 3.0 <= moment < 3.2
        assert one.execute("PRAGMA busy_timeout").fetchone() == (3_000,)


def test_what_is_no_waiting_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database" * 100)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    with closing(connect(path)) as one:
        with pytest.raises(sqlite3.DatabaseError) as caught:
            begin_writing(one)
        assert trouble(caught.value) is Trouble.FOREIGN


def test_who_has_waited_longer_asks_more_often() -> None:
    pauses = [pause(100, seconds / 10) for seconds in range(300)]
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[-1] < pauses[0] / 10
    newcomer = [pause(attempt, 0.0) for attempt in range(6)]
    assert sum(newcomer) < pauses[0]

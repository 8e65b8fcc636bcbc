"""Stores that are only read: whole, as they are now, and beside whoever writes them."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from msglog import shared_disk, shared_lock
from msglog.incoming import drop
from msglog.key import key_object_id
from msglog.repository import Repository
from msglog.sqlite_file import LocksError
from msglog.store import read_only
from msglog.store.read_only import ReadOnlyStore, RefsNotice, open_read_only
from msglog.store.store import (
    Agreement,
    Commit,
    ForeignStoreError,
    ReadOnlyStoreError,
    StoreBusyError,
    StoreError,
    StoreFormatError,
)
from tests.plumbing.running import NOW, fill, message
from tests.reading_only import by_modes, by_modes_of, can_mount, with_mount

COUNT = 300


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A repository that nobody has open."""
    fill(tmp_path / "r", COUNT)
    yield tmp_path / "r"
    shared_lock._SPARE.clear()


@pytest.fixture
def path(folder: Path) -> str:
    return str(folder / "store.db")


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def add(folder: Path, number: int) -> None:
    with closing(Repository.open(folder)) as repository:
        repository.add("main", dict([message(number)]), time=NOW)


def read(repository: Repository) -> list[str]:
    keys = repository.keys(repository.log("main").root)
    return [key_object_id(key).hex() for key, _ in repository.messages(keys)]


def opened(folder: Path) -> Repository:
    """Open it as somebody does who may not write, though this process may."""
    store, notices = open_read_only(str(folder / "store.db"))
    repository = Repository(store, folder, read_only=store.error)
    repository.notices = notices
    return repository


def by_mode(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    return by_modes_of(folder, work)


def by_mode_of_the_file(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    (folder / "store.db").chmod(0o444)
    return by_modes(work)


def by_mode_of_the_folder(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    folder.chmod(0o555)
    try:
        return by_modes(work)
    finally:
        folder.chmod(0o755)


PLACES = [
    by_mode,
    by_mode_of_the_file,
    by_mode_of_the_folder,
    *([with_mount] if can_mount() else []),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda one: one.__name__)
def test_all_of_it_is_read_and_nothing_is_left_beside_it(
    folder: Path, place: Callable[[Path, Callable[[], list[str]]], list[str]]
) -> None:
    def work() -> list[str]:
        with closing(Repository.open(folder)) as repository:
            assert isinstance(repository.store, ReadOnlyStore)
            with pytest.raises(ReadOnlyStoreError):
                repository.check_writable()
            with pytest.raises(ReadOnlyStoreError):
                repository.add("main", dict([message(COUNT)]), time=NOW)
            assert len(repository.find(read(repository)[7])) == 1
            return read(repository)

    before = names(folder)
    assert len(place(folder, work)) == COUNT
    assert names(folder) == before


@pytest.mark.parametrize("place", PLACES, ids=lambda one: one.__name__)
def test_it_is_read_beside_somebody_who_has_it_open(
    folder: Path, place: Callable[[Path, Callable[[], list[str]]], list[str]]
) -> None:
    with closing(Repository.open(folder)) as owner:
        owner.add("main", dict([message(COUNT)]), time=NOW)
        assert (folder / "store.db-wal").stat().st_size

        def work() -> list[str]:
            with closing(Repository.open(folder)) as repository:
                return read(repository)

        assert len(place(folder, work)) == COUNT + 1


def test_who_begins_to_write_is_noticed_and_read_with(folder: Path) -> None:
    with closing(opened(folder)) as reader:
        assert len(read(reader)) == COUNT
        with closing(Repository.open(folder)) as owner:
            owner.add("main", dict([message(COUNT)]), time=NOW)
            assert len(read(reader)) == COUNT + 1
            owner.add("main", dict([message(COUNT + 1)]), time=NOW)
            assert len(read(reader)) == COUNT + 2
        # What the owner could not end because of us is there for the next one.
        assert len(read(reader)) == COUNT + 2
        add(folder, COUNT + 2)
        assert len(read(reader)) == COUNT + 3
    add(folder, COUNT + 3)
    assert names(folder) == {"store.db"}


def test_what_was_read_while_somebody_came_is_read_again(folder: Path) -> None:
    """A whole life of another process, with a checkpoint, within one reading."""
    with closing(opened(folder)) as reader:
        store = reader.store
        assert isinstance(store, ReadOnlyStore)
        seen: list[int] = []

        def work(inner: object) -> int:
            count = len(inner.refs())  # type: ignore[attr-defined]
            if not seen:
                with closing(Repository.open(folder)) as owner:
                    owner.create_log("other", time=NOW)
            seen.append(count)
            return count

        assert store._read(work) == 2
        assert seen == [1, 2]


def test_torn_pages_are_never_given_out(folder: Path, path: str) -> None:
    """What a checkpoint has half moved into the file is damage, unless somebody is seen there."""
    with closing(opened(folder)) as reader:
        root = reader.log("main").root
        with closing(Repository.open(folder)) as owner:
            owner.add("main", dict(message(n) for n in range(COUNT, 4 * COUNT)), time=NOW)
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            assert len(list(reader.keys(root))) == COUNT
            assert len(read(reader)) == 4 * COUNT


def test_a_log_that_a_crash_has_left_is_read(folder: Path) -> None:
    with closing(Repository.open(folder)) as owner:
        owner.add("main", dict([message(COUNT)]), time=NOW)
        left = folder.with_name("left")
        shutil.copytree(folder, left)
    for name in (names(left), {"store.db", "store.db-wal"}):
        for one in names(left) - name:
            (left / one).unlink()
        before = names(left)

        def work() -> list[str]:
            with closing(Repository.open(left)) as repository:
                return read(repository)

        assert len(by_mode(left, work)) == COUNT + 1
        assert names(left) == before


def test_a_copied_log_that_is_gone_on_with_is_read_as_it_is_then(folder: Path) -> None:
    with closing(Repository.open(folder)) as owner:
        owner.add("main", dict([message(COUNT)]), time=NOW)
        left = folder.with_name("left")
        shutil.copytree(folder, left)
    (left / "store.db-shm").unlink()
    with closing(opened(left)) as reader:
        assert len(read(reader)) == COUNT + 1
        add(left, COUNT + 1)
        assert len(read(reader)) == COUNT + 2


def rollback(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()


def test_a_file_with_a_rollback_journal_is_read_beside_its_writers(folder: Path, path: str) -> None:
    rollback(path)
    with closing(opened(folder)) as reader:
        assert len(read(reader)) == COUNT
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("DELETE FROM refs")
            assert len(read(reader)) == COUNT
            writer.execute("ROLLBACK")


def test_what_a_journal_takes_back_is_taken_back_in_a_copy(folder: Path, path: str) -> None:
    rollback(path)
    left = folder.with_name("left")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")  # so that it spills before it is committed
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM messages")
        writer.execute("DELETE FROM nodes")
        assert (folder / "store.db-journal").stat().st_size
        shutil.copytree(folder, left)
        writer.execute("ROLLBACK")
    before = names(left)

    def work() -> list[str]:
        with closing(Repository.open(left)) as repository:
            return read(repository)

    assert len(by_mode(left, work)) == COUNT
    assert names(left) == before


def test_a_writer_who_has_the_file_for_himself_is_waited_for(
    folder: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_only, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            opened(folder)
        writer.execute("ROLLBACK")


def test_an_older_format_is_brought_up_to_date_in_a_copy(folder: Path, path: str) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    source = Path(__file__).parents[2] / "formats" / "store-2.sql"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(source.read_text())
    before = (folder / "store.db").read_bytes()
    with closing(opened(folder)) as reader:
        assert read(reader)
    assert (folder / "store.db").read_bytes() == before


def test_a_newer_format_and_what_is_no_store_are_refused(folder: Path, path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreFormatError, match="newer"):
        opened(folder)
    Path(path).write_bytes(b"x" * 8192)
    with pytest.raises(ForeignStoreError):
        opened(folder)


def test_one_that_may_not_be_read_either(folder: Path) -> None:
    (folder / "store.db").chmod(0)

    def work() -> str:
        try:
            Repository.open(folder)
        except StoreError as error:
            return str(error)
        return "opened"

    assert "Permission denied" in by_modes(work)


def test_it_is_not_taken_for_another_that_was_put_in_its_place(
    folder: Path, tmp_path: Path
) -> None:
    with closing(Repository.create(tmp_path / "other", identity=b"y" * 16, time=NOW)):
        pass
    with closing(opened(folder)) as reader:
        os.replace(tmp_path / "other" / "store.db", folder / "store.db")
        with pytest.raises(StoreError, match="not the same store"):
            reader.logs()


def on(kind: bytes, options: bytes = b"rw") -> bytes:
    return b"1 2 0:3 / /home rw - %b server:/home %b" % (kind, options)


def test_where_other_machines_may_write(
    folder: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_only, "mount_of", lambda _: on(b"nfs4"))
    with pytest.raises(StoreError, match="cannot be read safely"):
        opened(folder)
    rollback(path)
    with closing(opened(folder)) as reader:
        assert len(read(reader)) == COUNT
    monkeypatch.setattr(read_only, "mount_of", lambda _: on(b"nfs4", b"ro,nolock"))
    with pytest.raises(LocksError, match="nolock"):
        opened(folder)


def test_where_nobody_can_write_no_lock_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_only, "mount_of", lambda _: on(b"squashfs", b"ro"))
    monkeypatch.delattr("fcntl.F_OFD_SETLK")
    with closing(opened(folder)) as reader:
        assert len(read(reader)) == COUNT


def test_a_system_without_such_locks_reads_as_where_locks_do_not_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("fcntl.F_OFD_SETLK")
    with pytest.raises(LocksError):
        opened(folder)
    assert shared_disk.locks_are_local(on(b"ext4")) == ""


def test_what_waits_beside_it_is_shown(folder: Path) -> None:
    _, data = message(COUNT)
    drop(str(folder), "main", [data])
    with closing(opened(folder)) as reader:
        assert len(read(reader)) == COUNT + 1
    assert (folder / "incoming").exists()


def test_it_is_copied_whole_and_checked(folder: Path, tmp_path: Path) -> None:
    with closing(opened(folder)) as reader:
        reader.store.snapshot(str(tmp_path / "copy.db"))
        assert list(reader.store.faults()) == []
        assert reader.store.size() == (folder / "store.db").stat().st_size
        assert len(list(reader.store.held_keys())) == COUNT
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "copy" / "store.db")
    with closing(Repository.open(tmp_path / "copy")) as copy:
        assert len(read(copy)) == COUNT


def test_changes_are_noticed_by_looking(folder: Path) -> None:
    with closing(opened(folder)) as reader:
        notice = reader.store.notice()
        assert isinstance(notice, RefsNotice)
        assert notice.fileno() == -1
        assert notice.seconds == read_only.ASK_SECONDS
        assert not notice.changed()
        add(folder, COUNT)
        assert notice.changed()
        assert not notice.changed()
        notice.close()


def test_whatever_would_write_is_refused(folder: Path) -> None:
    with closing(opened(folder)) as reader:
        store = reader.store
        agreed = [Agreement("user:ann", "main", message(0)[0], reader.log("main").root)]
        for change in (
            lambda: store.commit(Commit(NOW, "agreed", agreed=agreed)),
            lambda: store.forget_agreed("main"),
            store.condense,
        ):
            with pytest.raises(ReadOnlyStoreError, match="can only be read") as caught:
                change()
            assert caught.value.exit_status == 7

"""The notice of a store: nothing that changes a ref is missed, and writers never feel it."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY
from msglog.objectid import ObjectId
from msglog.refname import log_ref
from msglog.store import sqlite_notice
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Agreement, Commit, Ref, RefUpdate, StoreError
from tests.postgres.databases import Databases, again

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from msglog.store.notice import Notice
    from msglog.store.store import Store

IDENTITY = bytes(16)
MAIN = log_ref("main")
PATIENCE = 30.0


@pytest.fixture(params=["memory", "sqlite", "sqlite without inotify", "postgres"])
def stores(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Store, Store]]:
    """One who waits and one who writes: in memory they are the same."""
    if request.param == "memory":
        one = MemoryStore(IDENTITY)
        yield one, one
        return
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_store(IDENTITY)
        other = again(made)
        yield made, other
        made.close()
        other.close()
        return
    if request.param == "sqlite without inotify":
        monkeypatch.setattr(sqlite_notice, "LOCAL_KINDS", frozenset())
    path = tmp_path / "store.db"
    waiting = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
    writing = SqliteStore.open(path)
    yield waiting, writing
    waiting.close()
    writing.close()


def move(store: Store, number: int) -> None:
    """Change the ref of a log."""
    old = store.ref(MAIN)
    new = Ref(ObjectId(number.to_bytes(32)), number)
    update = RefUpdate(MAIN, None if old is None else old.root, new)
    store.commit(Commit(number, "moved", refs=[update]))


def is_readable(notice: Notice, *, within: float = 0) -> bool:
    """Tell whether there is something to read; within: seconds, for what a server tells later."""
    poller = select.poll()
    poller.register(notice.fileno(), select.POLLIN)
    return bool(poller.poll(1000 * within))


def test_each_change_of_a_ref_is_told_once(stores: tuple[Store, Store]) -> None:
    waiting, writing = stores
    notice = waiting.notice()
    assert not notice.changed()
    for number in (1, 2, 3):
        move(writing, number)
        assert notice.changed()
        assert not notice.changed()
    move(writing, 4)
    move(writing, 5)
    assert notice.changed()
    assert not notice.changed()
    notice.close()


def test_everybody_who_waits_is_told(stores: tuple[Store, Store]) -> None:
    waiting, writing = stores
    notices = [waiting.notice() for _ in range(3)]
    notices[0].close()
    move(writing, 1)
    assert [notice.changed() for notice in notices[1:]] == [True, True]
    for notice in notices:
        notice.close()
    move(writing, 2)


def test_the_descriptor_tells_when_to_ask(stores: tuple[Store, Store]) -> None:
    waiting, writing = stores
    notice = waiting.notice()
    if notice.fileno() < 0:
        assert notice.seconds == sqlite_notice.ELSEWHERE_SECONDS
    else:
        assert not is_readable(notice)
        move(writing, 1)
        assert is_readable(notice, within=PATIENCE)
        assert notice.changed()
        assert not is_readable(notice)
    notice.close()


def test_what_changes_no_ref_wakes_nobody(stores: tuple[Store, Store]) -> None:
    waiting, writing = stores
    notice = waiting.notice()
    agreed = Agreement("user:ann", "main", FIRST_KEY, EMPTY_ROOT)
    writing.commit(Commit(1, "agreed", agreed=[agreed]))
    lost = RefUpdate(MAIN, EMPTY_ROOT, None)
    writing.commit(Commit(1, "lost", refs=[lost]))
    if notice.fileno() >= 0:
        assert not is_readable(notice)
    notice.close()


def test_a_writer_that_tells_nobody_is_found_by_asking(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    waiting = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
    notice = waiting.notice()
    os.unlink(f"{path}-notice")  # as one sees it who does not know of it
    writing = SqliteStore.open(path)
    move(writing, 1)
    assert notice.changed()
    assert not os.path.exists(f"{path}-notice")
    for one in (notice, waiting, writing):
        one.close()


def test_writers_change_nothing_of_the_file_that_they_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writing = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
    move(writing, 1)
    assert not os.path.exists(f"{path}-notice")
    writing.notice().close()
    before = os.stat(f"{path}-notice")
    move(writing, 2)
    after = os.stat(f"{path}-notice")
    assert (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (
        0,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert after.st_mode & 0o777 == 0o600
    writing.close()


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_nothing_in_its_place_stops_a_writer_or_one_who_waits(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.db"
    waiting = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
    if kind == "pipe":
        os.mkfifo(f"{path}-notice")
    elif kind == "link":
        os.symlink(tmp_path / "elsewhere", f"{path}-notice")
    else:
        os.mkdir(f"{path}-notice")
    notice = waiting.notice()
    writing = SqliteStore.open(path)
    move(writing, 1)
    assert notice.changed()
    assert not (tmp_path / "elsewhere").exists()
    for one in (notice, waiting, writing):
        one.close()


def test_a_store_that_is_gone_or_replaced_is_told(tmp_path: Path) -> None:
    path, other = tmp_path / "store.db", tmp_path / "other.db"
    for each in (path, other):
        SqliteStore.create(each, identity=IDENTITY, first=Commit(0, "made")).close()
    store = SqliteStore.open(path)
    notice = store.notice()
    os.rename(other, path)
    with pytest.raises(StoreError, match="not the same store any more"):
        notice.changed()
    os.unlink(path)
    with pytest.raises(StoreError, match="is gone"):
        notice.changed()
    notice.close()
    store.close()


def test_where_the_kernel_has_no_more_of_them_it_is_asked_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exhausted:
        def inotify_init1(self, _flags: int) -> int:
            return -1

    monkeypatch.setattr("ctypes.CDLL", lambda _name: Exhausted())
    store = SqliteStore.create(tmp_path / "store.db", identity=IDENTITY, first=Commit(0, "made"))
    notice = store.notice()
    assert (notice.fileno(), notice.seconds) == (-1, sqlite_notice.UNTOLD_SECONDS)
    writing = SqliteStore.open(tmp_path / "store.db")
    move(writing, 1)
    assert notice.changed()
    for one in (notice, store, writing):
        one.close()

"""Snapshots: the conformance suite of `snapshot`, and writers beside it."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.index.change import build
from msglog.key import FIRST_KEY, Key, make_key
from msglog.objectid import object_id
from msglog.repository import Insertion, Repository
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import (
    Agreement,
    Commit,
    HeldBack,
    Quota,
    Receipt,
    Ref,
    RefUpdate,
    Refusal,
    Store,
    StoreError,
)
from tests.postgres.databases import Databases

IDENTITY = bytes(range(16))
MAIN = "refs/logs/main"


def message(number: int) -> tuple[Key, bytes]:
    data = b"message %d" % number
    return make_key(number * 1000, object_id(data)), data


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore(IDENTITY)
    elif request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_store(IDENTITY)
    else:
        made = SqliteStore.create(tmp_path / "store.db", identity=IDENTITY, first=Commit(0, "made"))
    yield made
    made.close()


def fill(store: Store) -> list[Key]:
    old = None
    messages: dict[Key, bytes] = {}
    for part in range(3):
        more = dict(message(number) for number in range(100 * part, 100 * part + 100))
        messages.update(more)
        index = build(sorted(messages))
        commit = Commit(
            part * 1_000_000,
            f"part {part}",
            messages=more,
            nodes=index.nodes,
            refs=[RefUpdate(MAIN, old, Ref(index.root, index.count))],
            receipt=Receipt("ann", part, "main", "SHA256:x") if part else None,
            quota=Quota(user="1") if part == 2 else None,
            agreed=[Agreement("user:ann", "main", FIRST_KEY, index.root)],
            held_back=[HeldBack("user:ann", "main", (Refusal(message(part)[0], "no", "why"),))],
        )
        store.commit(commit)
        old = index.root
    store.commit(Commit(5, "made", refs=[RefUpdate("refs/logs/x", None, Ref(index.root, 300))]))
    store.commit(Commit(6, "gone", refs=[RefUpdate("refs/logs/x", index.root, None)]))
    store.extend_index("main", index.root, sorted(messages))
    return sorted(messages)


def everything(store: Store, keys: list[Key]) -> list[object]:
    ref = store.ref(MAIN)
    assert ref is not None
    nodes = build(keys).nodes
    return [
        store.identity,
        store.read_messages(keys),
        store.find_nodes(list(nodes)),
        store.receipts(keys),
        store.usage("ann"),
        store.usage("1"),
        store.refs(),
        store.reflog(MAIN, 10),
        store.reflog("refs/logs/x", 10),
        store.agreed("user:ann", "main", FIRST_KEY),
        store.held_back("user:ann", "main"),
        store.indexed("main"),
        store.look_up("00", 50),
        list(store.faults()),
    ]


def test_a_snapshot_has_all_that_the_store_had(store: Store, tmp_path: Path) -> None:
    keys = fill(store)
    path = tmp_path / "snapshot.db"
    store.snapshot(str(path))
    expected = everything(store, keys)
    store.commit(Commit(9, "later", messages=dict([message(999)])))
    copy = SqliteStore.open(path)
    assert everything(copy, keys) == expected
    assert copy.find_messages([message(999)[0]]) == {}
    copy.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_how_far_a_snapshot_has_come_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msglog.sqlite_progress.INSTRUCTIONS", 100)
    repository = Repository.create(tmp_path / "r", identity=IDENTITY, time=0)
    repository.add("main", dict(message(number) for number in range(500)), time=1)
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "copy.db"
    repository.store.snapshot(str(path), progress=lambda *both: told.append(both))
    (whole,) = {of for _, of in told}
    assert whole is not None
    assert 0.5 < path.stat().st_size / whole < 2
    assert len(told) > 10
    told.clear()
    assert repository.store.refs()
    assert told == []
    repository.close()


def test_a_snapshot_is_a_store_that_goes_on(store: Store, tmp_path: Path) -> None:
    keys = fill(store)
    store.snapshot(str(tmp_path / "snapshot.db"))
    copy = SqliteStore.open(tmp_path / "snapshot.db")
    more = dict([message(5000)])
    copy.commit(Commit(9, "add", messages=more, receipt=Receipt("bob", 9, "main")))
    copy.snapshot(str(tmp_path / "second.db"))
    second = SqliteStore.open(tmp_path / "second.db")
    assert second.receipts([*more, *keys])[message(5000)[0]].user == "bob"
    second.close()
    copy.close()


def test_nothing_is_written_over(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_bytes(b"mine")
    with pytest.raises(StoreError):
        store.snapshot(str(path))
    assert path.read_bytes() == b"mine"
    with pytest.raises(StoreError):
        store.snapshot(str(tmp_path / "no" / "folder"))


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "r", identity=IDENTITY, time=0)
    repository.add("main", dict(message(number) for number in range(500)), time=1)
    path = tmp_path / "r" / "store.db"
    repository.close()
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'messages'"
    ).fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 8192 : (page - 1) * 8192 + 64] = b"\xff" * 64
    path.write_bytes(data)
    store = SqliteStore.open(path)
    with pytest.raises(Exception, match="damaged"):
        store.snapshot(str(tmp_path / "snapshot.db"))
    assert not (tmp_path / "snapshot.db").exists()
    store.close()


def test_writers_go_on_and_each_snapshot_is_of_one_moment(tmp_path: Path) -> None:
    """Each commit adds one message to two logs: no snapshot may have it in one of them alone."""
    folder = tmp_path / "r"
    repository = Repository.create(folder, identity=IDENTITY, time=0)
    repository.create_log("twin", time=0)
    repository.close()
    taken = threading.Event()
    written: list[int] = []

    def write() -> None:
        writer = Repository.open(folder)
        number = 0
        while not taken.is_set():
            key, data = message(number)
            both = [Insertion(MAIN, [key]), Insertion("refs/logs/twin", [key])]
            writer.commit(both, messages={key: data}, time=number, reason="add")
            number += 1
        written.append(number)
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        reader = SqliteStore.open(folder / "store.db")
        counts: list[int] = []
        while len(counts) < 20 or counts[-1] == counts[0]:
            path = tmp_path / f"snapshot{len(counts)}"
            reader.snapshot(str(path))
            copy = SqliteStore.open(path)
            refs = copy.refs()
            assert refs[MAIN] == refs["refs/logs/twin"]
            counts.append(refs[MAIN].count)
            copy.close()
        reader.close()
    finally:
        taken.set()
        thread.join()
    assert counts == sorted(counts)
    assert written[0] >= counts[-1]

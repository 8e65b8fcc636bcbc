"""`verify`: each kind of damage is named on a line of its own."""

import argparse
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.index.node import LEAF_LIMIT, Inner, encode_inner, load_node
from msglog.inspection import Inspection
from msglog.key import Key, key_object_id, key_time, make_key
from msglog.layout import STORE_NAME
from msglog.message import object_key
from msglog.objectid import ObjectId, object_id
from msglog.repository import Repository
from msglog.store.memory import MemoryStore
from msglog.store.store import Commit, Ref, RefUpdate
from plumbing import verify
from plumbing.context import Context
from tests.plumbing.peers import add, make_repository
from tests.plumbing.peers import message as peers_message
from tests.plumbing.running import fill, message, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / ".msglog", 300)
    return tmp_path / ".msglog"


def alter(folder: Path, sql: str, *parameters: object) -> None:
    connection = sqlite3.connect(folder / STORE_NAME)
    cursor = connection.execute(sql, parameters)
    assert cursor.rowcount == 1
    connection.commit()
    connection.close()


def root_of(folder: Path) -> bytes:
    repository = Repository.open(folder)
    root = repository.log("main").root
    repository.close()
    return root


def put(folder: Path, key: Key, data: bytes) -> None:
    repository = Repository.open(folder)
    repository.add("main", {key: data}, time=1)
    repository.close()


def test_a_sound_repository(folder: Path) -> None:
    result = run(verify, folder)
    assert result.status == 0
    assert result.lines == [f"refs/logs/main: 300 messages, root {root_of(folder).hex()}, sound"]
    assert run(verify, folder, quiet=True).output == b""
    assert run(verify, folder, as_json=True).records == [
        {"ref": "refs/logs/main", "root": root_of(folder).hex(), "count": 300, "sound": True}
    ]


def test_one_changed_bit_of_a_message(folder: Path) -> None:
    key, data = message(17)
    changed = bytes([*data[:-1], data[-1] ^ 1])
    alter(folder, "UPDATE messages SET data = ? WHERE key = ?", changed, key)
    result = run(verify, folder)
    assert result.status == 1
    oid = key_object_id(key).hex()
    assert result.lines[0] == f"refs/logs/main: message {oid}: its bytes have another SHA-256"
    assert result.lines[1].endswith("damaged")
    assert run(verify, folder, as_json=True).records[0] == {
        "ref": "refs/logs/main",
        "kind": "message",
        "id": oid,
        "why": "its bytes have another SHA-256",
    }


def test_missing_messages_are_each_named(folder: Path) -> None:
    for number in (3, 250):
        alter(folder, "DELETE FROM messages WHERE key = ?", message(number)[0])
    result = run(verify, folder)
    assert result.status == 1
    for number in (3, 250):
        oid = key_object_id(message(number)[0]).hex()
        assert f"refs/logs/main: message {oid}: it is missing" in result.lines
    assert len(result.lines) == 3


def test_a_message_under_another_time(folder: Path) -> None:
    key, data = message(900)
    put(folder, make_key(key_time(key) + 1, key_object_id(key)), data)
    result = run(verify, folder)
    assert result.status == 1
    assert "its time is not that of its key" in result.lines[0]


def test_bytes_that_no_log_may_hold(folder: Path) -> None:
    data = cbor2.dumps({"type": "message", "time": 5}, canonical=True)
    put(folder, make_key(5, object_id(data)), data)
    assert "uuid" in run(verify, folder).lines[0]


@pytest.mark.parametrize("sql", ["DELETE FROM nodes", "UPDATE nodes SET data = zeroblob(9)"])
def test_a_damaged_node(folder: Path, sql: str) -> None:
    root = root_of(folder)
    alter(folder, f"{sql} WHERE oid = ?", root)
    result = run(verify, folder)
    assert result.status == 1
    assert result.lines[0].startswith(f"refs/logs/main: node {root.hex()}: ")
    assert len(result.lines) == 2


def test_a_count_that_lies(folder: Path) -> None:
    alter(folder, "UPDATE refs SET count = 299 WHERE name = 'refs/logs/main'")
    result = run(verify, folder)
    assert result.status == 1
    assert result.lines[0].endswith("ref refs/logs/main: it is not what was last written to it")
    assert result.lines[1] == (
        "refs/logs/main: ref refs/logs/main: it says 299 messages, and there are 300"
    )


def test_every_ref_is_checked_also_after_a_damaged_one(folder: Path) -> None:
    repository = Repository.open(folder)
    update = RefUpdate("refs/remotes/origin/main", None, Ref(object_id(b"gone"), 4))
    repository.store.commit(Commit(1, "fetch", refs=[update]))
    repository.create_log("a", time=2)
    repository.close()
    result = run(verify, folder)
    assert result.status == 1
    assert [line.split(": ")[0] for line in result.lines] == [
        "refs/logs/a",
        "refs/logs/main",
        "refs/remotes/origin/main",
        "refs/remotes/origin/main",
    ]
    assert result.lines[1].endswith("sound")
    assert "it is missing" in result.lines[2]


def test_what_refs_share_is_visited_once() -> None:
    repository = make_repository(1)
    store = repository.store
    assert isinstance(store, MemoryStore)
    add(repository, *map(peers_message, range(3000)))
    older = ref_of(repository, "main")
    more = add(repository, peers_message(1_000_000), peers_message(17, author="bob"))
    refs = [older, ref_of(repository, "main"), older, ref_of(repository, "main")]
    asked: list[Key] = []
    read: list[ObjectId] = []
    reading = Watched(store, asked, read)
    inspection = Inspection(cast("Repository", reading))
    for ref in refs:
        at_first = len(read)
        assert list(inspection.check_ref("x", ref, remember=True)) == []
        if ref is not refs[0]:
            assert len(read) - at_first < 80
    assert len(asked) - len(set(asked)) < 2 * LEAF_LIMIT
    assert {*more, *repository.keys(older.root)} == set(asked)


def ref_of(repository: Repository, log: str) -> Ref:
    found = repository.log(log)
    return Ref(found.root, found.count)


class Watched:
    """What verification uses of a repository, and a list of what it has asked for."""

    def __init__(self, store: MemoryStore, asked: list[Key], read: list[ObjectId]) -> None:
        self.folder = "memory"
        self.store = self
        self._store = store
        self._asked = asked
        self._read = read

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        self._read.extend(ids)
        return self._store.find_nodes(ids)

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        self._asked.extend(keys)
        return self._store.find_messages(keys)


parts = st.sets(st.integers(0, 5), min_size=1)
"""Which seventies of messages a log has: many of its nodes are those of another log."""


@settings(max_examples=30, deadline=None)
@given(
    logs=st.lists(parts, min_size=2, max_size=5),
    bad_messages=st.sets(st.integers(0, 419), max_size=4),
    bad_nodes=st.sets(st.integers(0, 10_000), max_size=3),
    drop=st.booleans(),
    forged=st.booleans(),
)
def test_each_ref_names_what_it_would_name_alone(
    logs: list[set[int]],
    bad_messages: set[int],
    bad_nodes: set[int],
    drop: bool,  # noqa: FBT001 - drawn by Hypothesis
    forged: bool,  # noqa: FBT001
) -> None:
    repository = make_repository(1)
    store = repository.store
    assert isinstance(store, MemoryStore)
    refs = []
    for number, chosen in enumerate(logs):
        name = f"log{number}"
        repository.create_log(name, time=1)
        seventies = [range(70 * part, 70 * part + 70) for part in sorted(chosen)]
        add(repository, *[peers_message(one) for many in seventies for one in many], log=name)
        refs.append(ref_of(repository, name))
    if forged:
        refs += [forge(store, ref.root) for ref in refs]
    for number in bad_messages:
        key = object_key(peers_message(number))
        if key in store._messages:
            damage(store._messages, key, drop=drop)
    nodes = sorted(store._nodes)
    for number in bad_nodes:
        damage(store._nodes, nodes[number % len(nodes)], drop=drop)
    together = Inspection(repository)
    for number, ref in enumerate(refs):
        alone = Inspection(repository).check_ref(str(number), ref, remember=False)
        found = list(together.check_ref(str(number), ref, remember=True))
        assert sorted(map(repr, found)) == sorted(map(repr, alone))


def damage(things: dict[Any, bytes], name: Any, *, drop: bool) -> None:
    if drop:
        things.pop(name, None)
    elif name in things:
        things[name] = things[name][:-1] + b"?"


def forge(store: MemoryStore, root: ObjectId) -> Ref:
    """Store a root like another, but for its first child, which comes last once more."""
    node = load_node(store._nodes[root])
    if not isinstance(node, Inner):
        return Ref(root, node.count)
    first, last = node.children[0], node.children[-1]
    children = [*node.children[:-1], (last[0], first[1], first[2])]
    data = encode_inner(node.depth, node.prefix, children)
    oid = object_id(data)
    store._nodes[oid] = data
    return Ref(oid, sum(child[2] for child in children))


@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x05"])
def test_a_file_of_which_a_part_is_overwritten(folder: Path, part: int, filler: bytes) -> None:
    path = folder / STORE_NAME
    data = path.read_bytes()
    size = len(data) // 8
    first = max(part * size, 4096)  # with the header gone it is no repository at all
    path.write_bytes(
        data[:first] + filler * ((part + 1) * size - first) + data[(part + 1) * size :]
    )
    result = run(verify, folder)
    assert result.status in (0, 1)
    whole = [line for line in result.lines if not line.endswith("sound")]
    assert bool(whole) == (result.status == 1)


def test_a_file_of_which_all_but_the_header_is_overwritten(folder: Path) -> None:
    path = folder / STORE_NAME
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    result = run(verify, folder)
    assert result.status == 1
    assert "damaged" in result.lines[0]
    (record,) = run(verify, folder, as_json=True).records
    assert (record["ref"], record["kind"]) == (None, "store")


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    """A repository whose messages are all compressed by one dictionary."""
    folder = tmp_path / ".msglog"
    fill(folder, 600)
    repository = Repository.open(folder)
    assert repository.store.condense().messages == 600
    repository.close()
    return folder


def test_a_sound_repository_of_compressed_messages(compressed: Path) -> None:
    result = run(verify, compressed)
    assert (result.status, len(result.lines)) == (0, 1)


def test_one_changed_bit_of_a_compressed_message(compressed: Path) -> None:
    key, _ = message(17)
    connection = sqlite3.connect(compressed / STORE_NAME)
    (data,) = connection.execute("SELECT data FROM messages WHERE key = ?", (key,)).fetchone()
    connection.close()
    changed = bytes([*data[:-1], data[-1] ^ 1])
    alter(compressed, "UPDATE messages SET data = ? WHERE key = ?", changed, key)
    result = run(verify, compressed)
    assert result.status == 1
    oid = key_object_id(key).hex()
    assert result.lines[0] == f"refs/logs/main: message {oid}: its bytes have another SHA-256"
    assert len(result.lines) == 2


@pytest.mark.parametrize("bit", [0, 4000, 70_000])
def test_one_changed_bit_of_a_dictionary(compressed: Path, bit: int) -> None:
    connection = sqlite3.connect(compressed / STORE_NAME)
    (data,) = connection.execute("SELECT data FROM dictionaries").fetchone()
    connection.close()
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    alter(compressed, "UPDATE dictionaries SET data = ?", bytes(changed))
    result = run(verify, compressed)
    assert result.status == 1
    assert result.lines[0] == f"store {compressed}: dictionary 1: its bytes have another SHA-256"
    named = {line.split()[2].rstrip(":") for line in result.lines[1:-1]}
    assert named == {key_object_id(message(number)[0]).hex() for number in range(600)}
    assert run(verify, compressed, as_json=True).records[0]["kind"] == "store"


def test_a_missing_dictionary(compressed: Path) -> None:
    alter(compressed, "DELETE FROM dictionaries")
    result = run(verify, compressed)
    assert result.status == 1
    assert result.lines[0] == f"store {compressed}: dictionary 1: it is missing"


def test_what_sqlite_checks_by_itself_is_progress_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msglog.sqlite_progress.INSTRUCTIONS", 100)
    steps: list[tuple[int, int | None]] = []

    class Display:
        def update(self, done: int, total: int | None = None) -> None:
            steps.append((done, total))

        def hide(self) -> None:
            pass

    def shown(arguments: argparse.Namespace, context: Context) -> int:
        return verify.run(arguments, context, Display())

    module = ModuleType("verify")
    module.__dict__.update(configure=verify.configure, run=shown)
    assert run(module, folder).status == 0
    assert steps.count((0, 300)) > 10
    assert steps[-1][0] > 0

"""What is damaged is never given to a peer: not by push, fetch or get-nodes, from either store."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from msglog.errors import IntegrityError
from msglog.index.node import Inner, load_node
from msglog.key import Key
from msglog.layout import STORE_NAME
from msglog.message import object_key
from msglog.objectid import ObjectId
from msglog.repository import Repository
from msglog.store.memory import MemoryStore
from tests.plumbing.peers import START, Client, Server, add, forget_log, keys, message

COUNT = 600


@pytest.fixture(params=["memory", "sqlite", "compressed"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """A repository with a log of messages, in each store."""
    if request.param == "memory":
        repository = Repository(MemoryStore(bytes([7]) * 16), Path("memory"))
        repository.create_log("main", time=0)
    else:
        repository = Repository.create(tmp_path / "r", identity=bytes([7]) * 16, time=START)
    add(repository, *map(message, range(COUNT)))
    if request.param == "compressed":
        assert repository.store.condense().messages > 200
    return repository


def harm_message(repository: Repository) -> None:
    key = sorted(keys(repository))[150]
    _harm(repository, "messages", "key", key)


def harm_node(repository: Repository) -> None:
    root = repository.log("main").root
    index = repository.store.find_nodes([root])
    assert index
    _harm(repository, "nodes", "oid", root)


def harm_leaf(repository: Repository) -> None:
    oid = repository.log("main").root
    while isinstance(node := load_node(repository.store.read_nodes([oid])[oid]), Inner):
        oid = node.children[-1][1]
    _harm(repository, "nodes", "oid", oid)


def _harm(repository: Repository, table: str, column: str, name: Key | ObjectId) -> None:
    """Flip one bit of an object as it is kept."""
    store = repository.store
    if isinstance(store, MemoryStore):
        objects = store._messages if table == "messages" else store._nodes
        data = bytearray(objects[name])  # type: ignore[index]
        data[-1] ^= 1
        objects[name] = bytes(data)  # type: ignore[index]
        return
    connection = sqlite3.connect(Path(repository.folder) / STORE_NAME)
    (found,) = connection.execute(
        f"SELECT data FROM {table} WHERE {column} = ?", (name,)
    ).fetchone()
    data = bytearray(found)
    data[-1] ^= 1
    connection.execute(f"UPDATE {table} SET data = ? WHERE {column} = ?", (bytes(data), name))
    connection.commit()
    connection.close()


HARMS = [harm_message, harm_node, harm_leaf]


@pytest.mark.parametrize("harm", HARMS)
def test_a_push(made: Repository, harm: Callable[[Repository], None]) -> None:
    server = Server()
    client = Client(1, server)
    client.repository = made
    expected = dict(made.messages(made.keys(made.log("main").root)))
    harm(made)
    with pytest.raises(IntegrityError):
        client.push()
    _check(server.repository, expected)


@pytest.mark.parametrize("harm", HARMS)
def test_a_fetch(made: Repository, harm: Callable[[Repository], None]) -> None:
    server = Server()
    server.repository = made
    expected = dict(made.messages(made.keys(made.log("main").root)))
    client = Client(1, server)
    harm(made)
    with pytest.raises(IntegrityError):
        client.pull()
    _check(client.repository, expected)


@pytest.mark.parametrize("harm", [harm_node, harm_leaf])
def test_the_nodes_of_an_index(made: Repository, harm: Callable[[Repository], None]) -> None:
    """A client without a common root asks for them, and gets what is sound, or nothing."""
    server = Server()
    server.repository = made
    expected = dict(made.messages(made.keys(made.log("main").root)))
    client = Client(1, server)
    client.pull()
    forget_log(client.repository)
    client.add(*[message(number) for number in range(0, COUNT, 2)])
    client.add(message(9999))
    harm(made)
    with pytest.raises(IntegrityError):
        client.pull()
    expected[object_key(message(9999))] = message(9999)
    _check(client.repository, expected)


def _all(repository: Repository) -> list[tuple[Key, bytes]]:
    return list(repository.messages(repository.keys(repository.log("main").root)))


def _check(repository: Repository, expected: dict[Key, bytes]) -> None:
    """Whatever has come is as it was, and what has not come is in no log."""
    for key, data in _all(repository):
        assert expected[key] == data

"""What no digest is of: each wrong value in the tables of a store is told by `faults`."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from msglog.message import object_key
from msglog.repository import Insertion, Repository
from msglog.store.collection import Retention
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Commit, Receipt
from msglog.timestamp import DAY
from tests.hostile.flips import fill
from tests.plumbing.peers import START, message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    repository = fill(tmp_path / "r", 90)
    repository.find("0000")
    repository.close()
    return tmp_path / "r" / "store.db"


def faults(path: Path) -> list[str]:
    store = SqliteStore.open(path)
    try:
        return list(store.faults())
    finally:
        store.close()


def faults_while(path: Path, statement: str, act: Callable[[], None]) -> list[str]:
    """Return what is said if somebody else acts just before a statement, which there must be."""
    store = SqliteStore.open(path)
    acts = [act]

    def trace(sql: str) -> None:
        if statement in sql and acts:
            acts.pop()()

    store._link.connection.set_trace_callback(trace)
    try:
        return list(store.faults())
    finally:
        store.close()
        assert not acts


def change(path: Path, sql: str, *, indexed: bool = True) -> None:
    """Change a table; not indexed: as a flipped bit does it, behind the back of its indexes."""
    connection = sqlite3.connect(path, isolation_level=None)
    if not indexed:
        connection.execute("PRAGMA writable_schema = ON")
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%'"
        ).fetchall()
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master").fetchall())
        connection.execute("DELETE FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%'")
        version = connection.execute("PRAGMA schema_version").fetchone()[0]
        connection.execute(f"PRAGMA schema_version = {version + 1}")
        connection.close()
        connection = sqlite3.connect(path, isolation_level=None)
        assert connection.execute(sql).rowcount == 1
        connection.execute("PRAGMA writable_schema = ON")
        for name, text in rows:
            table = text.split(" ON ")[1].split(" ")[0]
            connection.execute(
                "INSERT INTO sqlite_master VALUES ('index', ?, ?, ?, ?)",
                (name, table, roots[name], text),
            )
        connection.execute(f"PRAGMA schema_version = {version + 2}")
    else:
        assert connection.execute(sql).rowcount == 1
    connection.close()


def test_a_sound_store_has_none(path: Path) -> None:
    assert faults(path) == []


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE repository SET identity = zeroblob(16)", "repository_values"),
        ("UPDATE reflog SET reason = 'pull' WHERE id = 2", "reflog_values"),
        ("UPDATE reflog SET time = time + 1 WHERE id = 2", "reflog_values"),
        ("UPDATE reflog SET count = count + 1 WHERE id = 2", "reflog_values"),
        ("UPDATE receipts SET user = 'bob' WHERE id = 2", "receipts_values"),
        ("UPDATE receipts SET time = 0 WHERE id = 2", "receipts_values"),
        ("UPDATE receipts SET key = '' WHERE id = 2", "receipts_values"),
        ("UPDATE held_back SET why = 'no'", "held_back_values"),
        ("UPDATE usage SET size = size - 1", "usage_values"),
    ],
)
def test_a_value_that_is_otherwise_in_its_index(path: Path, sql: str, named: str) -> None:
    change(path, sql, indexed=False)
    found = faults(path)
    assert found
    assert all(named in fault for fault in found)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "UPDATE refs SET name = 'refs/logs/maim' WHERE name = 'refs/logs/main'",
            "ref refs/logs/main: it is missing",
        ),
        ("UPDATE refs SET count = 5 WHERE name = 'refs/logs/lab'", "ref refs/logs/lab: "),
        ("UPDATE refs SET root = zeroblob(32) WHERE name = 'refs/logs/lab'", "ref refs/logs/lab: "),
        ("DELETE FROM refs WHERE name = 'refs/logs/lab'", "ref refs/logs/lab: it is missing"),
        ("UPDATE messages SET receipt = 2 WHERE receipt = 1", "receipt 1: "),
        ("UPDATE messages SET receipt = 77 WHERE receipt = 1", "receipt 77: "),
        ("UPDATE messages SET receipt = 0 WHERE receipt = 1", "receipt 1: "),
        (
            "UPDATE messages SET receipt = 3 WHERE key = (SELECT min(key) FROM messages)",
            "receipt 3: ",
        ),
        (
            "UPDATE lookup SET time = time + 1 WHERE oid = (SELECT min(oid) FROM lookup)",
            "the look-up by id",
        ),
        ("DELETE FROM lookup WHERE oid = (SELECT min(oid) FROM lookup)", "the look-up by id"),
        ("UPDATE looked_up SET root = zeroblob(32) WHERE log = 'main'", "the look-up by id"),
    ],
)
def test_a_value_that_contradicts_others(path: Path, sql: str, said: str) -> None:
    change(path, sql)
    assert any(said in fault for fault in faults(path))


@pytest.mark.parametrize("name", ["reflog_values", "usage_values"])
def test_a_missing_index_and_a_strange_table(path: Path, name: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"DROP INDEX {name}")
    connection.execute("CREATE TABLE strange (x)")
    connection.close()
    assert faults(path) == [
        f"index {name}: it is not as msglog makes it",
        "table strange: it is not as msglog makes it",
    ]


def test_receipts_count_what_gc_takes_from_them(path: Path) -> None:
    store = SqliteStore.open(path)
    datas = [message(20_000 + number) for number in range(5)]
    keep, *go = [(object_key(data), data) for data in datas]
    store.commit(Commit(START, "x", messages=dict([keep, *go]), receipt=Receipt("bob", 1, "x")))
    store.commit(Commit(START + 100 * DAY, "x", messages=dict([keep])))
    assert store.collect(Retention(START + 50 * DAY)).messages == 4
    assert list(store.faults()) == []
    store.collect(Retention(START + 500 * DAY))
    assert list(store.faults()) == []
    store.condense()
    assert list(store.faults()) == []
    store.close()


def test_what_arrives_meanwhile_is_no_damage(path: Path) -> None:
    def add() -> None:
        data = message(1000)
        key = object_key(data)
        repository = Repository.open(path.parent)
        repository.commit(
            [Insertion("refs/logs/main", [key])],
            time=1,
            reason="push",
            messages={key: data},
            receipt=Receipt("ann", 1, "main", "key"),
        )
        repository.close()

    assert faults_while(path, "SELECT r.id FROM receipts", add) == []
    assert faults(path) == []


def test_what_gc_forgets_meanwhile_is_no_damage(path: Path) -> None:
    def forget() -> None:
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("DELETE FROM looked_up")
            connection.execute("DELETE FROM lookup")
        connection.close()

    assert faults_while(path, "SELECT oid, time FROM lookup", forget) == []
    assert faults(path) == []

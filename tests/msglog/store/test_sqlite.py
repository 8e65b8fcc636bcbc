"""What is particular to the store in a SQLite file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from msglog.key import Key, make_key
from msglog.objectid import DamagedObjectError, ObjectId, object_id
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_link import DamagedStoreError
from msglog.store.store import (
    Agreement,
    Commit,
    HeldBack,
    Receipt,
    Ref,
    RefUpdate,
    Refusal,
    StoreGoneError,
)


@pytest.mark.parametrize("size", [100, 500, 1200, 1900])
def test_messages_take_little_more_than_their_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore.create(path, identity=bytes(16), first=Commit(0, "made"))
    empty = path.stat().st_size
    messages = {}
    for number in range(1000):
        data = b"%d " % number + bytes(size)
        messages[make_key(number, object_id(data))] = data
    store.commit(Commit(1, "add", messages=messages))
    store.close()
    assert path.stat().st_size - empty < 1000 * (1.25 * size + 100)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CREATE TABLE refs (", b"CREATE TABLE \xfffs ("),
        (b"name TEXT PRIMARY KEY, root BLOB", b"name TEXT PRIMARY KEY, \xf4oot BLOB"),
    ],
)
def test_damaged_text_in_the_file_is_damage(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "store.db"
    update = RefUpdate("refs/logs/main", None, Ref(object_id(b""), 0))
    SqliteStore.create(path, identity=bytes(16), first=Commit(0, "made", refs=[update])).close()
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    with pytest.raises(DamagedStoreError) as caught:
        SqliteStore.open(path).refs()
    assert caught.value.exit_status == 5
    assert str(caught.value).isprintable()


def test_a_damaged_name_of_a_ref_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    update = RefUpdate("refs/logs/main", None, Ref(object_id(b""), 0))
    SqliteStore.create(path, identity=bytes(16), first=Commit(0, "made", refs=[update])).close()
    path.write_bytes(path.read_bytes().replace(b"refs/logs/main", b"refs/logs/\xffain"))
    store = SqliteStore.open(path)
    with pytest.raises(DamagedStoreError):
        store.refs()
    store.close()


@pytest.mark.parametrize("value", ["NULL", "7", "0.5", "'text'", "x'00'"])
def test_values_of_another_type_are_damage(tmp_path: Path, value: str) -> None:
    path = tmp_path / "store.db"
    key = make_key(0, object_id(b"object"))
    oid = object_id(b"node")
    update = RefUpdate("refs/logs/main", None, Ref(oid, 0))
    first = Commit(0, "made", messages={key: b"object"}, nodes={oid: b"node"}, refs=[update])
    SqliteStore.create(path, identity=bytes(16), first=first).close()
    connection = sqlite3.connect(path)
    # What damage does, and SQLite itself would refuse: NULL where the schema says NOT NULL.
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
    connection.commit()
    connection.close()
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE messages SET data = {value}")
    connection.execute(f"UPDATE nodes SET data = {value}")
    connection.execute(f"UPDATE refs SET root = {value}")
    connection.commit()
    connection.close()
    store = SqliteStore.open(path)
    with pytest.raises(DamagedObjectError):
        store.read_messages([key])
    with pytest.raises(DamagedObjectError):
        store.read_nodes([oid])
    with pytest.raises(DamagedStoreError):
        store.ref("refs/logs/main")
    with pytest.raises(DamagedStoreError):
        store.refs()
    store.close()


def test_what_sqlite_says_of_damage_is_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore.create(path, identity=bytes(16), first=Commit(0, "made")).close()
    data = path.read_bytes()
    old = b"CREATE TABLE refs (\n"
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, b"CREATE TABLE ref\x01 (\n"))
    with pytest.raises(DamagedStoreError) as caught:
        SqliteStore.open(path).refs()
    assert caught.value.why.isprintable()


@pytest.mark.parametrize(
    "change",
    [
        "repository SET identity = 'text'",
        "repository SET identity = x'00'",
        "refs SET count = 'x'",
        "reflog SET root = 'text'",
        "reflog SET reason = x'00'",
        "receipts SET time = 'x'",
        "agreed SET root = 'text'",
        "agreed SET root = x'00'",
        "held_back SET why = x'00'",
        "usage SET size = 'x'",
        "looked_up SET root = 'text'",
        "lookup SET time = 'x'",
    ],
)
def test_values_that_only_damage_can_have_put_there(tmp_path: Path, change: str) -> None:
    path = tmp_path / "store.db"
    key, root, view = (
        make_key(0, object_id(b"object")),
        object_id(b"node"),
        make_key(0, ObjectId(bytes(32))),
    )
    first = Commit(
        0,
        "made",
        messages={key: b"object"},
        refs=[RefUpdate("refs/logs/main", None, Ref(root, 0))],
        receipt=Receipt("ann", 0, "main", ""),
        agreed=[Agreement("peer", "main", view, root)],
        held_back=[HeldBack("peer", "main", (Refusal(key, "size", "large"),))],
    )
    SqliteStore.create(path, identity=bytes(16), first=first).close()
    with closing(SqliteStore.open(path)) as store:
        store.extend_index("main", root, [key])
    _read_everything(path, key, view)
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE {change}")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedStoreError):
        _read_everything(path, key, view)


def _read_everything(path: Path, key: Key, view: Key) -> None:
    with closing(SqliteStore.open(path)) as store:
        store.refs()
        store.reflog("refs/logs/main", 9)
        store.receipts([key])
        store.agreed("peer", "main", view)
        store.held_back("peer", "main")
        store.usage("ann")
        store.indexed("main")
        store.look_up(object_id(b"object").hex(), 9)


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_acknowledged_in_a_file_that_has_lost_its_name(
    tmp_path: Path, *, replaced: bool
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "store.db"
    store = SqliteStore.create(path, identity=bytes(16), first=Commit(0, "made"))
    folder.rename(tmp_path / "renamed")  # which takes nothing away
    messages = {make_key(1, object_id(b"one")): b"one"}
    store.commit(Commit(1, "add", messages=messages))
    path = tmp_path / "renamed" / "store.db"
    path.unlink()
    if replaced:
        SqliteStore.create(path, identity=bytes(16), first=Commit(0, "made")).close()
    with pytest.raises(StoreGoneError) as caught:
        store.commit(Commit(1, "add", messages=messages))
    assert (caught.value.exit_status, caught.value.temporary) == (7, False)
    store.close()
    store.close()

"""A store of an older format becomes one of ours when it is opened, whole or not at all."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

import msglog.store.sqlite
from msglog.index.change import build
from msglog.key import Key, make_key
from msglog.objectid import object_id
from msglog.store.collection import Retention
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_schema import FORMAT
from msglog.store.store import Commit, Receipt, Ref, StoreFormatError

IDENTITY = bytes(range(16))
FIRST_FORMAT = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1835822951;
CREATE TABLE repository (identity BLOB NOT NULL, created INTEGER NOT NULL);
CREATE TABLE messages (
    key BLOB PRIMARY KEY, data BLOB NOT NULL, receipt INTEGER NOT NULL, seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE nodes (
    oid BLOB PRIMARY KEY, data BLOB NOT NULL, seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE refs (
    name TEXT PRIMARY KEY, root BLOB NOT NULL, count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE reflog (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, root BLOB NOT NULL, count INTEGER NOT NULL,
    time INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX reflog_by_root ON reflog (name, root);
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, log TEXT NOT NULL,
    time INTEGER NOT NULL
);
CREATE TABLE agreed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL, log TEXT NOT NULL,
    view BLOB NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL,
    UNIQUE (peer, log, view, root)
);
CREATE TABLE held_back (
    peer TEXT NOT NULL, log TEXT NOT NULL, key BLOB NOT NULL, code TEXT NOT NULL,
    why TEXT NOT NULL, PRIMARY KEY (peer, log, key)
) WITHOUT ROWID;
CREATE TABLE usage (
    user TEXT PRIMARY KEY, messages INTEGER NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE lookup (oid BLOB PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE looked_up (log TEXT PRIMARY KEY, root BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


def texts(count: int) -> dict[Key, bytes]:
    found = {}
    for number in range(count):
        data = b"the beam of %d is back at %d mA, said ann, who had waited" % (number % 7, number)
        found[make_key(number, object_id(data))] = data
    return found


MESSAGES = texts(2000)
INDEX = build(sorted(MESSAGES))
REF = Ref(INDEX.root, INDEX.count)
RECEIPT = Receipt("ann", 7, "main", "SHA256:x")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as the first format's code left it."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_FORMAT)
        execute = connection.execute
        execute("INSERT INTO repository VALUES (?, 0)", (IDENTITY,))
        execute("INSERT INTO receipts VALUES (1, 'ann', 'SHA256:x', 'main', 7)")
        execute("INSERT INTO refs VALUES ('refs/logs/main', ?, ?)", (REF.root, REF.count))
        execute("INSERT INTO reflog VALUES (1, 'refs/logs/main', ?, 2000, 7, 'x')", (REF.root,))
        connection.executemany("INSERT INTO messages VALUES (?, ?, 1, 7)", MESSAGES.items())
        connection.executemany("INSERT INTO nodes VALUES (?, ?, 7)", INDEX.nodes.items())
        connection.commit()
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        assert store.identity == IDENTITY
        assert store.ref("refs/logs/main") == REF
        assert store.read_messages(list(MESSAGES)) == MESSAGES
        assert store.read_nodes(list(INDEX.nodes)) == INDEX.nodes
        assert store.receipts(list(MESSAGES)) == dict.fromkeys(MESSAGES, RECEIPT)
        assert list(store.faults()) == []


def test_an_old_store_is_upgraded_and_works(path: Path) -> None:
    check(path)
    assert version(path) == FORMAT
    with closing(SqliteStore.open(path)) as store:
        more = {make_key(5000, object_id(b"one")): b"one"}
        store.commit(Commit(9, "", messages=more, receipt=RECEIPT))
        assert store.collect(Retention(10**17)).messages == 1
        done = store.condense()
        assert done.messages == 2000
        assert done.after < done.before
    check(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_upgraded_store_has_the_columns_of_a_new_one(path: Path, tmp_path: Path) -> None:
    SqliteStore.open(path).close()
    other = tmp_path / "new.db"
    SqliteStore.create(other, identity=IDENTITY, first=Commit(0, "made")).close()
    assert columns(path) == columns(other)


def columns(path: Path) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            (table, name, kind, required, default, primary)
            for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")
            for _, name, kind, required, default, primary in connection.execute(
                f"PRAGMA table_info({table})"
            )
        }


def test_many_who_open_an_old_store_at_once_all_find_the_new_one(path: Path) -> None:
    failures: list[BaseException] = []

    def opened() -> None:
        try:
            check(path)
        except BaseException as error:  # noqa: BLE001 - it is shown below
            failures.append(error)

    threads = [threading.Thread(target=opened) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_old_store_that_cannot_be_written_is_refused_and_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path) -> sqlite3.Connection:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, isolation_level=None)

    with monkeypatch.context() as patch:
        patch.setattr(msglog.store.sqlite, "connect", read_only)
        with pytest.raises(StoreFormatError, match="older format") as caught:
            SqliteStore.open(path)
    assert "read" in caught.value.why
    assert version(path) == 1
    check(path)


def test_an_upgrade_that_fails_half_way_leaves_the_old_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statement by statement, by SQLite's own interrupt."""

    class Failing(sqlite3.Connection):
        left = 0

        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            if sql.lstrip().startswith(("ALTER", "CREATE", "PRAGMA user_version =", "COMMIT")):
                if self.left == 0:
                    raise sqlite3.OperationalError("disk I/O error")
                self.left -= 1
            return super().execute(sql, *parameters)  # type: ignore[arg-type] # as it was called

    tried = 0
    while version(path) == 1 and tried < 20:
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "left", tried)
            patch.setattr(
                msglog.store.sqlite,
                "connect",
                lambda path: sqlite3.connect(path, isolation_level=None, factory=Failing),
            )
            try:
                SqliteStore.open(path).close()
            except StoreFormatError:
                assert version(path) == 1
        tried += 1
    assert tried == 13
    check(path)

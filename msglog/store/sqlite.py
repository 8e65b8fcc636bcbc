"""A store in one SQLite file: the default, for people's own logs and for server accounts."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT
from msglog.key import KEY_BYTES, Key, key_object_id, key_time, make_key
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.sqlite_file import FAILURES, Trouble, connect, making, reason, trouble
from msglog.store.checking import (
    beginning_among,
    checked_beginning,
    checked_messages,
    checked_nodes,
)
from msglog.store.store import (
    AGREED_LIMIT,
    REPOSITORY_ID_BYTES,
    Committed,
    Lost,
    OverQuotaError,
    Receipt,
    Ref,
    ReflogEntry,
    Refusal,
    StoreBusyError,
    StoreError,
    StoreFormatError,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from typing import Any, TypeAlias

    from msglog.store.store import (
        Commit,
        HeldBack,
    )

APPLICATION_ID = 0x6D6C6F67
"""`mlog`, in the file's header, so that `file` and we can tell what it is."""

FORMAT = 1
"""The version of the tables below; a store of a newer one is refused."""

PAGE_BYTES = 8192
"""A row of a table without row numbers moves to pages of its own when it is over a quarter of a
page: with SQLite's usual 4,096 a message of 1,200 bytes took 4.7 KB."""

_MICROSECONDS = 1_000_000
_PARAMETERS = 500
_RECEIPT = (bytes, str, int, str, str)
_REFLOG = (bytes, int, int, str)
_REFUSAL = (bytes, str, str)
_LOOKUP = (bytes, int)

_MESSAGES_AT_ONCE = 1024
_FEW_MESSAGES = 16
_BYTES_AT_ONCE = 8 << 20

_INSERT_MESSAGE = """
INSERT INTO messages VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, seen = excluded.seen
"""

# Binding each value of each row takes longer than inserting it. Many rows go in as three values:
# all their keys, all their data, and how long each of these is, in eight digits; SQLite cuts them.
_INSERT_MESSAGES = f"""
WITH RECURSIVE item (number, start, size) AS (
    SELECT 0, 1, CAST(substr(?3, 1, 8) AS INTEGER)
    UNION ALL
    SELECT number + 1, start + size, CAST(substr(?3, 8 * number + 9, 8) AS INTEGER)
    FROM item WHERE number + 1 < ?4
)
INSERT INTO messages
SELECT substr(?1, {KEY_BYTES} * number + 1, {KEY_BYTES}), substr(?2, start, size), ?5, ?6
FROM item WHERE true
ON CONFLICT (key) DO UPDATE SET data = excluded.data, seen = excluded.seen
"""  # noqa: S608 - a number of ours

_Row: TypeAlias = "tuple[Any, ...]"

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
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
PRAGMA user_version = {FORMAT};
"""


class DamagedStoreError(IntegrityError):
    """SQLite says that the file is not sound."""


class SqliteStore:
    """A Store in a SQLite database in WAL mode; each commit is one durable transaction."""

    def __init__(self, connection: sqlite3.Connection, path: str | PathLike[str]) -> None:
        self._connection = connection
        self._path = path
        self._identity = b""

    @classmethod
    def create(cls, path: str | PathLike[str], *, identity: bytes, first: Commit) -> SqliteStore:
        """Make a new store at path, readable by its owner alone, with a first change in it.

        The file appears whole or not at all. Raises StoreError if path exists.
        """
        if len(identity) != REPOSITORY_ID_BYTES:
            raise ValueError(identity)
        try:
            with making(path, identity.hex()) as unfinished:
                store = cls(_connect(unfinished), unfinished)
                try:
                    store._make_tables(identity, first)
                finally:
                    store.close()
        except OSError as error:
            raise StoreError(f"cannot make {path}", why=error.strerror or str(error)) from error
        return cls.open(path)

    def _make_tables(self, identity: bytes, first: Commit) -> None:
        with self._translated():
            self._connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";\n"):
                self._connection.execute(statement)
            self._connection.execute("INSERT INTO repository VALUES (?, ?)", (identity, first.time))
            self._write(first)
            self._connection.execute("COMMIT")

    @classmethod
    def open(cls, path: str | PathLike[str]) -> SqliteStore:
        """Open the store at path; raises StoreError, StoreFormatError or DamagedStoreError."""
        store = cls(_connect(path), path)
        try:
            store._identify()
        except BaseException:
            store.close()
            raise
        return store

    def _identify(self) -> None:
        """Check that this is a store that we can use, prepare it, and read its identity."""
        path = self._path
        with self._translated():
            (application,) = self._connection.execute("PRAGMA application_id").fetchone()
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if application != APPLICATION_ID or version < 1:
                raise StoreFormatError(f"{path} is not a msglog store")
            if version > FORMAT:
                raise StoreFormatError(
                    f"{path} was written by a newer msglog",
                    why=f"it has format {version}, this version knows up to {FORMAT}",
                    hint="Install a newer msglog.",
                )
            self._configure()
            row = self._connection.execute("SELECT identity FROM repository").fetchone()
        identity = None if row is None else row[0]
        if not isinstance(identity, bytes) or len(identity) != REPOSITORY_ID_BYTES:
            raise DamagedStoreError(f"{path} is damaged", why="it has no repository id")
        self._identity = identity

    def _configure(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")

    @property
    def identity(self) -> bytes:
        """16 random bytes made with the repository."""
        return self._identity

    def read_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return all these nodes, checked."""
        return checked_nodes(ids, self.find_nodes(ids))

    def read_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return all these messages, checked."""
        return checked_messages(keys, self.find_messages(keys))

    def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
        """Return the first of these messages, and as many after it as there is room for."""
        part = keys[:_PARAMETERS]
        order = "DESC" if part[0] > part[-1] else "ASC"
        # Mostly the rows of one log follow each other, and reading on is faster than looking up.
        sql = f"SELECT key, data FROM messages WHERE key BETWEEN ? AND ? ORDER BY key {order}"  # noqa: S608
        ends = (min(part[0], part[-1]), max(part[0], part[-1]))
        with self._translated(), closing(self._connection.execute(sql, ends)) as rows:
            beginning = beginning_among(part, rows, byte_limit)
        if beginning is not None:
            return beginning
        sql = (
            f"SELECT key, data FROM messages WHERE key IN ({','.join('?' * len(part))})"  # noqa: S608
            f" ORDER BY key {order}"
        )
        with self._translated(), closing(self._connection.execute(sql, part)) as rows:
            return checked_beginning(part, rows, byte_limit)

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return the nodes that are there, unchecked."""
        rows = self._select_in("SELECT oid, data FROM nodes WHERE oid IN", ids)
        return {ObjectId(oid): _as_bytes(data) for oid, data in rows}

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the messages that are there, unchecked."""
        rows = self._select_in("SELECT key, data FROM messages WHERE key IN", keys)
        return {Key(key): _as_bytes(data) for key, data in rows}

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """Return the receipts of those of these messages that have one."""
        rows = self._select_in(
            "SELECT m.key, r.user, r.time, r.log, r.key FROM messages m JOIN receipts r"
            " ON r.id = m.receipt WHERE m.key IN",
            keys,
        )
        return {Key(row[0]): Receipt(*row[1:]) for row in self._checked(rows, _RECEIPT)}

    def commit(self, commit: Commit) -> Committed | Lost:
        """Write a change in one transaction, or nothing of it."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                lost = self._write(commit)
            except BaseException:
                self._roll_back()
                raise
            if lost is not None:
                self._roll_back()
                return lost
            try:
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        return Committed()

    def _write(self, commit: Commit) -> Lost | None:
        execute = self._connection.execute
        for update in commit.refs:
            row = execute("SELECT root, count FROM refs WHERE name = ?", (update.name,)).fetchone()
            if (None if row is None else row[0]) != update.old:
                actual = None if row is None else Ref(ObjectId(row[0]), row[1])
                return Lost(update.name, actual)
        self._count(commit)
        seen = commit.time // _MICROSECONDS
        self._connection.executemany(
            "INSERT INTO nodes VALUES (?, ?, ?)"
            " ON CONFLICT (oid) DO UPDATE SET data = excluded.data, seen = excluded.seen",
            [(oid, data, seen) for oid, data in commit.nodes.items()],
        )
        receipt = 0
        if commit.receipt is not None and commit.messages:
            given = commit.receipt
            cursor = execute(
                "INSERT INTO receipts (user, key, log, time) VALUES (?, ?, ?, ?)",
                (given.user, given.key, given.log, given.time),
            )
            receipt = cursor.lastrowid or 0
        self._insert_messages(commit.messages, receipt, seen)
        for update in commit.refs:
            if update.new is None:
                execute("DELETE FROM refs WHERE name = ?", (update.name,))
                execute("DELETE FROM reflog WHERE name = ?", (update.name,))
                continue
            root, count = update.new.root, update.new.count
            execute(
                "INSERT INTO refs VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET root = excluded.root, count = excluded.count",
                (update.name, root, count),
            )
            execute(
                "INSERT INTO reflog (name, root, count, time, reason) VALUES (?, ?, ?, ?, ?)",
                (update.name, root, count, commit.time, commit.reason),
            )
        for agreement in commit.agreed:
            where = (agreement.peer, agreement.log, agreement.view)
            execute(
                "INSERT OR REPLACE INTO agreed (peer, log, view, root, time)"
                " VALUES (?, ?, ?, ?, ?)",
                (*where, agreement.root, commit.time),
            )
            execute(
                "DELETE FROM agreed WHERE id IN (SELECT id FROM agreed WHERE peer = ?"
                " AND log = ? AND view = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (*where, AGREED_LIMIT),
            )
        for change in commit.held_back:
            self._write_held_back(change)
        return None

    def _insert_messages(self, messages: Mapping[Key, bytes], receipt: int, seen: int) -> None:
        items = iter(messages.items())
        while part := dict(islice(items, _MESSAGES_AT_ONCE)):
            sizes = tuple(map(len, part.values()))
            if len(part) < _FEW_MESSAGES or sum(sizes) > _BYTES_AT_ONCE:
                rows = [(key, data, receipt, seen) for key, data in part.items()]
                self._connection.executemany(_INSERT_MESSAGE, rows)
                continue
            digits = b"%08d" * len(sizes) % sizes
            joined = (b"".join(part), b"".join(part.values()), digits)
            self._connection.execute(_INSERT_MESSAGES, (*joined, len(part), receipt, seen))

    def _count(self, commit: Commit) -> None:
        """Count what a user is the first to deliver; raises OverQuotaError."""
        if commit.receipt is None or not commit.messages:
            return
        user, messages = commit.counted_user, commit.messages
        new = list(messages.values())
        ends = (min(messages), max(messages))
        if self._select("SELECT 1 FROM messages WHERE key BETWEEN ? AND ? LIMIT 1", ends):
            rows = self._select_in("SELECT key FROM messages WHERE key IN", list(messages))
            known = {key for (key,) in rows}
            new = [data for key, data in messages.items() if key not in known]
        usage = self.usage(user).plus(len(new), sum(map(len, new)))
        if new and commit.quota is not None and not commit.quota.allows(usage):
            raise OverQuotaError(commit.receipt.user)
        self._connection.execute(
            "INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", (user, usage.messages, usage.size)
        )

    def usage(self, user: str) -> Usage:
        """Return what a user was the first to deliver."""
        rows = self._select("SELECT messages, size FROM usage WHERE user = ?", (user,))
        return next((Usage(*row) for row in self._checked(rows, (int, int))), Usage())

    def _write_held_back(self, change: HeldBack) -> None:
        where = (change.peer, change.log)
        self._connection.executemany(
            "DELETE FROM held_back WHERE peer = ? AND log = ? AND key = ?",
            [(*where, key) for key in change.accepted],
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO held_back VALUES (?, ?, ?, ?, ?)",
            [(*where, refusal.key, refusal.code, refusal.why) for refusal in change.refused],
        )

    def ref(self, name: str) -> Ref | None:
        """Return one ref."""
        rows = self._select("SELECT root, count FROM refs WHERE name = ?", (name,))
        return self._as_ref(*rows[0]) if rows else None

    def refs(self, prefix: str = "") -> dict[str, Ref]:
        """Return the refs whose names begin with prefix."""
        rows = self._select(
            "SELECT name, root, count FROM refs WHERE name >= ? AND substr(name, 1, ?) = ?"
            " ORDER BY name",
            (prefix, len(prefix), prefix),
        )
        return {
            name: self._as_ref(root, count)
            for name, root, count in self._checked(rows, (str, bytes, int))
        }

    def _as_ref(self, root: object, count: object) -> Ref:
        if isinstance(root, bytes) and len(root) == DIGEST_BYTES and isinstance(count, int):
            return Ref(ObjectId(root), count)
        raise DamagedStoreError(f"{self._path} is damaged", why="a ref points to no root")

    def reflog(self, name: str, limit: int) -> list[ReflogEntry]:
        """Return the past values of a ref, newest first."""
        rows = self._select(
            "SELECT root, count, time, reason FROM reflog WHERE name = ? ORDER BY id DESC LIMIT ?",
            (name, limit),
        )
        return [ReflogEntry(ObjectId(row[0]), *row[1:]) for row in self._checked(rows, _REFLOG)]

    def in_reflog(self, name: str, root: ObjectId) -> bool:
        """Tell whether a ref ever pointed to root."""
        sql = "SELECT 1 FROM reflog WHERE name = ? AND root = ? LIMIT 1"
        return bool(self._select(sql, (name, root)))

    def agreed(self, peer: str, log: str, view: Key) -> list[ObjectId]:
        """Return the roots agreed with a peer, newest first."""
        rows = self._select(
            "SELECT root FROM agreed WHERE peer = ? AND log = ? AND view = ? ORDER BY id DESC",
            (peer, log, view),
        )
        return [ObjectId(root) for (root,) in self._checked(rows, (bytes,))]

    def held_back(self, peer: str, log: str) -> list[Refusal]:
        """Return the messages that a peer refused last."""
        rows = self._select(
            "SELECT key, code, why FROM held_back WHERE peer = ? AND log = ? ORDER BY key",
            (peer, log),
        )
        return [Refusal(Key(key), code, why) for key, code, why in self._checked(rows, _REFUSAL)]

    def indexed(self, log: str) -> ObjectId:
        """Return the root up to which the look-up by id knows a log."""
        rows = self._select("SELECT root FROM looked_up WHERE log = ?", (log,))
        return next((ObjectId(root) for (root,) in self._checked(rows, (bytes,))), EMPTY_ROOT)

    def extend_index(self, log: str, root: ObjectId, keys: Iterable[Key]) -> None:
        """Add keys to the look-up by id."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR IGNORE INTO lookup VALUES (?, ?)",
                    ((key_object_id(key), key_time(key)) for key in keys),
                )
                self._connection.execute(
                    "INSERT OR REPLACE INTO looked_up VALUES (?, ?)", (log, root)
                )
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def look_up(self, abbreviation: str, limit: int) -> list[Key]:
        """Return the keys whose ids begin with these hex digits."""
        digits = 2 * DIGEST_BYTES
        first = bytes.fromhex(abbreviation.ljust(digits, "0"))
        last = bytes.fromhex(abbreviation.ljust(digits, "f"))
        rows = self._select(
            "SELECT oid, time FROM lookup WHERE oid BETWEEN ? AND ? ORDER BY oid LIMIT ?",
            (first, last, limit),
        )
        return [make_key(time, ObjectId(oid)) for oid, time in self._checked(rows, _LOOKUP)]

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _select(self, sql: str, parameters: Sequence[str | int | bytes]) -> list[_Row]:
        with self._translated():
            return self._connection.execute(sql, parameters).fetchall()

    def _checked(self, rows: Iterable[_Row], kinds: Sequence[type]) -> Iterator[_Row]:
        """Yield rows whose values are of these types; damage can make them of others.

        Bytes that begin a row are a digest or a key, which have a length.
        """
        for row in rows:
            if list(map(type, row)) != list(kinds):
                raise DamagedStoreError(
                    f"{self._path} is damaged", why="a value is of the wrong type"
                )
            if kinds[0] is bytes and len(row[0]) not in (DIGEST_BYTES, KEY_BYTES):
                raise DamagedStoreError(f"{self._path} is damaged", why="an id is too short")
            yield row

    def _select_in(self, sql: str, values: Sequence[bytes]) -> Iterator[_Row]:
        for start in range(0, len(values), _PARAMETERS):
            part = values[start : start + _PARAMETERS]
            yield from self._select(f"{sql} ({','.join('?' * len(part))})", part)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise _translation(error, self._path) from error


def _as_bytes(data: object) -> bytes:
    """Return data as read; damage can make them of another type, which is no object's digest."""
    return data if isinstance(data, bytes) else b""


def _connect(path: str | PathLike[str]) -> sqlite3.Connection:
    try:
        return connect(path)
    except sqlite3.Error as error:
        raise _translation(error, path) from error


def _translation(error: Exception, path: str | PathLike[str]) -> StoreError | DamagedStoreError:
    match trouble(error):
        case Trouble.BUSY:
            return StoreBusyError(
                f"{path} is busy", why="another process holds it", hint="Try again in a moment."
            )
        case Trouble.FOREIGN:
            return StoreFormatError(f"{path} is not a msglog store")
        case Trouble.DAMAGED:
            return DamagedStoreError(f"{path} is damaged", why=reason(error))
        case _:
            return StoreError(f"cannot use {path}", why=reason(error))

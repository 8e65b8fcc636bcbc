"""A store in one SQLite file: the default, for people's own logs and for server accounts."""

from __future__ import annotations

import os
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.key import Key, key_object_id, key_time, make_key
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.sqlite_file import (
    PRIVATE,
    READ_ONLY,
    SHARED,
    DatabaseError,
    Making,
    connect,
    copy_into,
    prepare,
)
from msglog.store import sqlite_commit, sqlite_schema
from msglog.store.checking import (
    beginning_among,
    checked_beginning,
    checked_messages,
    checked_nodes,
)
from msglog.store.sqlite_dictionaries import Dictionaries
from msglog.store.sqlite_link import PARAMETERS, Link, Place, translation
from msglog.store.store import (
    REPOSITORY_ID_BYTES,
    Committed,
    Receipt,
    Ref,
    ReflogEntry,
    Refusal,
    StoreError,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from os import PathLike
    from typing import TypeVar

    from msglog.store.collection import Beat, BytesDone, Collected, Condensed, Retention, StepsDone
    from msglog.store.sqlite_notice import SqliteNotice
    from msglog.store.store import (
        Commit,
        Lost,
        Usage,
    )

    _Result = TypeVar("_Result")

_RECEIPT = (bytes, str, int, str, str)
_REFLOG = (bytes, int, int, str)
_REFUSAL = (bytes, str, str)
_LOOKUP = (bytes, int)
_LOOKED_UP_AT_ONCE = 5000


class SqliteStore:
    """A Store in a SQLite database in WAL mode; each commit is one durable transaction."""

    def __init__(self, connection: sqlite3.Connection, path: str | PathLike[str]) -> None:
        self._link = Link(connection, path)
        self._dictionaries = Dictionaries(self._link)
        self._identity = b""
        self._place: Place | None = None

    @classmethod
    def create(cls, path: str | PathLike[str], *, identity: bytes, first: Commit) -> SqliteStore:
        """Make a new store at path, readable by its owner alone, with a first change in it.

        The file appears whole or not at all. Raises StoreError if path exists.
        """
        if len(identity) != REPOSITORY_ID_BYTES:
            raise ValueError(identity)
        try:
            with Making(path, identity.hex()) as unfinished:
                store = cls(_connect(unfinished, PRIVATE), unfinished)
                try:
                    store._make_tables(identity, first)
                finally:
                    store.close()
        except OSError as error:
            raise StoreError(f"cannot make {path}", why=error.strerror or str(error)) from error
        return cls.open(path)

    def _make_tables(self, identity: bytes, first: Commit) -> None:
        with self._link.translated():
            sqlite_schema.prepare(self._link)
        with self._link.transaction():
            sqlite_schema.make_tables(self._link)
            self._link.connection.execute(
                "INSERT INTO repository VALUES (?, ?)", (identity, first.time)
            )
            sqlite_commit.write(self._link, first)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> SqliteStore:
        """Open the store at path; raises StoreError, StoreFormatError or DamagedStoreError."""
        store = cls(_connect(path), path)
        try:
            store._identify()
            store._place = Place(path)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open_alone(
        cls, file: str | PathLike[str], how: str, *, path: str | PathLike[str]
    ) -> SqliteStore:
        """Open a file that nobody else uses, or that is only read, without regard to where it is.

        how: see `msglog.sqlite_file.connect`. path: what errors call it. Raises as `open` does.
        """
        store = cls(_connect(file, how), path)
        try:
            if how != READ_ONLY:
                # So a write-ahead log is read without the memory that others would share.
                store._link.select("PRAGMA locking_mode = EXCLUSIVE")
            sqlite_schema.bring_up_to_date(store._link)
            store._read_identity()
        except BaseException:
            store.close()
            raise
        return store

    def _identify(self) -> None:
        """Check that this is a store that we can use, prepare it, and read its identity."""
        link = self._link
        with link.translated():
            prepare(link.connection, link.path, lambda: sqlite_schema.bring_up_to_date(link))
        self._read_identity()

    def _read_identity(self) -> None:
        link = self._link
        row = next(iter(link.select("SELECT identity FROM repository")), (None,))
        identity = row[0]
        if not isinstance(identity, bytes) or len(identity) != REPOSITORY_ID_BYTES:
            raise link.damaged("it has no repository id")
        self._identity = identity

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
        part = keys[:PARAMETERS]
        order = "DESC" if part[0] > part[-1] else "ASC"
        link, expanded = self._link, self._dictionaries.expanded
        # Mostly the rows of one log follow each other, and reading on is faster than looking up.
        scan = (
            "SELECT key, data, dictionary FROM messages WHERE key BETWEEN ? AND ?"  # noqa: S608
            f" ORDER BY key {order}"
        )
        ends = (min(part[0], part[-1]), max(part[0], part[-1]))
        with link.translated():
            rows = link.connection.execute(scan, ends)
            try:
                beginning = beginning_among(part, rows, byte_limit, expanded)
            finally:
                rows.close()
        if beginning is not None:
            return beginning
        marks = ",".join("?" * len(part))
        sql = (
            f"SELECT key, data, dictionary FROM messages WHERE key IN ({marks})"  # noqa: S608
            f" ORDER BY key {order}"
        )
        with link.translated():
            rows = link.connection.execute(sql, part)
            try:
                return checked_beginning(part, rows, byte_limit, expanded)
            finally:
                rows.close()

    def find_nodes(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        """Return the nodes that are there, unchecked."""
        rows = self._link.select_in("SELECT oid, data FROM nodes WHERE oid IN", ids)
        return {ObjectId(oid): _as_bytes(data) for oid, data in rows}

    def find_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """Return the messages that are there, unchecked."""
        sql = "SELECT key, data, dictionary FROM messages WHERE key IN"
        expanded = self._dictionaries.expanded
        rows = self._link.select_in(sql, keys)
        return {Key(key): expanded(data, number) for key, data, number in rows}

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """Return the receipts of those of these messages that have one."""
        rows = self._link.select_in(
            "SELECT m.key, r.user, r.time, r.log, r.key FROM messages m JOIN receipts r"
            " ON r.id = m.receipt WHERE m.key IN",
            keys,
        )
        return {Key(row[0]): Receipt(*row[1:]) for row in self._link.checked(rows, _RECEIPT)}

    def commit(self, commit: Commit) -> Committed | Lost:
        """Write a change in one transaction, or nothing of it.

        Raises StoreGoneError where the file has lost its name: SQLite goes on writing to it.
        """
        with self._link.transaction():
            lost = sqlite_commit.write(self._link, commit)
            if lost is not None:
                self._link.roll_back()
        if lost is not None:
            return lost
        if self._place is not None:
            self._place.check()
        if commit.refs:
            sqlite_commit.tell_who_waits(self._link.path)
        return Committed()

    def settled(self, read: Callable[[], _Result]) -> _Result:
        """Return what is read: what can be read here is durable."""
        return read()

    def exclusively(self, _: Sequence[str], work: Callable[[], _Result]) -> _Result:
        """Do work: who loses here has not waited for the others."""
        return work()

    def usage(self, user: str) -> Usage:
        """Return what a user was the first to deliver."""
        return sqlite_commit.usage(self._link, user)

    def ref(self, name: str) -> Ref | None:
        """Return one ref."""
        rows = self._link.select("SELECT root, count FROM refs WHERE name = ?", (name,))
        return self._as_ref(*rows[0]) if rows else None

    def refs(self, prefix: str = "") -> dict[str, Ref]:
        """Return the refs whose names begin with prefix."""
        rows = self._link.select(
            "SELECT name, root, count FROM refs WHERE name >= ? AND substr(name, 1, ?) = ?"
            " ORDER BY name",
            (prefix, len(prefix), prefix),
        )
        return {
            name: self._as_ref(root, count)
            for name, root, count in self._link.checked(rows, (str, bytes, int))
        }

    def _as_ref(self, root: object, count: object) -> Ref:
        if isinstance(root, bytes) and len(root) == DIGEST_BYTES and isinstance(count, int):
            return Ref(ObjectId(root), count)
        raise self._link.damaged("a ref points to no root")

    def reflog(self, name: str, limit: int) -> list[ReflogEntry]:
        """Return the past values of a ref, newest first."""
        rows = self._link.select(
            "SELECT root, count, time, reason FROM reflog WHERE name = ? ORDER BY id DESC LIMIT ?",
            (name, limit),
        )
        return [
            ReflogEntry(ObjectId(row[0]), *row[1:]) for row in self._link.checked(rows, _REFLOG)
        ]

    def in_reflog(self, name: str, root: ObjectId) -> bool:
        """Tell whether a ref ever pointed to root."""
        sql = "SELECT 1 FROM reflog WHERE name = ? AND root = ? LIMIT 1"
        return bool(self._link.select(sql, (name, root)))

    def agreed(self, peer: str, log: str, view: Key) -> list[ObjectId]:
        """Return the roots agreed with a peer, newest first."""
        rows = self._link.select(
            "SELECT root FROM agreed WHERE peer = ? AND log = ? AND view = ? ORDER BY id DESC",
            (peer, log, view),
        )
        return [ObjectId(root) for (root,) in self._link.checked(rows, (bytes,))]

    def held_back(self, peer: str, log: str) -> list[Refusal]:
        """Return the messages that a peer refused last."""
        rows = self._link.select(
            "SELECT key, code, why FROM held_back WHERE peer = ? AND log = ? ORDER BY key",
            (peer, log),
        )
        return [
            Refusal(Key(key), code, why) for key, code, why in self._link.checked(rows, _REFUSAL)
        ]

    def indexed(self, log: str) -> ObjectId:
        """Return the root up to which the look-up by id knows a log."""
        rows = self._link.select("SELECT root FROM looked_up WHERE log = ?", (log,))
        return next((ObjectId(root) for (root,) in self._link.checked(rows, (bytes,))), EMPTY_ROOT)

    def extend_index(self, log: str, root: ObjectId, keys: Iterable[Key]) -> None:
        """Add keys to the look-up by id, in short transactions; the last one says that all are."""
        rest = iter(keys)
        while True:
            # Read first: who else writes does not wait until an index is walked.
            part = list(islice(rest, _LOOKED_UP_AT_ONCE))
            with self._link.transaction():
                self._link.connection.executemany(
                    "INSERT OR IGNORE INTO lookup VALUES (?, ?)",
                    [(key_object_id(key), key_time(key)) for key in part],
                )
                if len(part) < _LOOKED_UP_AT_ONCE:
                    self._link.connection.execute(
                        "INSERT OR REPLACE INTO looked_up VALUES (?, ?)", (log, root)
                    )
                    return

    def look_up(self, abbreviation: str, limit: int) -> list[Key]:
        """Return the keys whose ids begin with these hex digits."""
        digits = 2 * DIGEST_BYTES
        first = bytes.fromhex(abbreviation.ljust(digits, "0"))
        last = bytes.fromhex(abbreviation.ljust(digits, "f"))
        rows = self._link.select(
            "SELECT oid, time FROM lookup WHERE oid BETWEEN ? AND ? ORDER BY oid LIMIT ?",
            (first, last, limit),
        )
        return [make_key(time, ObjectId(oid)) for oid, time in self._link.checked(rows, _LOOKUP)]

    def collect(
        self,
        retention: Retention,
        *,
        dry_run: bool = False,
        progress: StepsDone | None = None,
    ) -> Collected:
        """Remove what no root reaches, in short transactions; or only say how much it is."""
        from msglog.store.sqlite_collection import Collection  # noqa: PLC0415 - for gc alone

        return Collection(self._link, retention, progress).run(dry_run=dry_run)

    def condense(self, *, progress: StepsDone | None = None) -> Condensed:
        """Compress messages, and give free pages back to the file system."""
        from msglog.store.collection import Condensed  # noqa: PLC0415 - for gc alone
        from msglog.store.sqlite_condensation import Condensation  # noqa: PLC0415 - as above

        before = self.size()
        messages = Condensation(self._link, self._dictionaries).run(progress)
        return Condensed(messages, before, self.size())

    def held_keys(self) -> Iterator[Key]:
        """Yield all keys, some at a time."""
        last = b""
        sql = "SELECT key FROM messages WHERE key > ? ORDER BY key LIMIT ?"
        while rows := self._link.select(sql, (last, PARAMETERS)):
            for (key,) in self._link.checked(rows, (bytes,)):
                yield Key(key)
            last = self._link.beyond(last, rows[-1][0])

    def forget_agreed(self, log: str) -> None:
        """Forget what was agreed about a log."""
        with self._link.transaction():
            self._link.connection.execute("DELETE FROM agreed WHERE log = ?", (log,))

    def snapshot(self, path: str, *, progress: BytesDone | None = None) -> None:
        """Write all into a new file, which has no free pages."""
        with self._link.translated():
            copy_into(self._link.connection, path, progress=progress)

    def notice(self) -> SqliteNotice:
        """Return what tells of the commits of other connections."""
        from msglog.store.sqlite_notice import SqliteNotice  # noqa: PLC0415 - for who waits alone

        return SqliteNotice(self._link)

    def size(self) -> int:
        """Return the bytes of the file, and of its write-ahead log."""
        path = os.fspath(self._link.path)
        return sum([os.stat(one).st_size for one in (path, f"{path}-wal") if os.path.exists(one)])

    def faults(self, beat: Beat | None = None) -> Iterator[str]:
        """Yield what is damaged in the file that no object's id tells."""
        from msglog.store.sqlite_faults import faults  # noqa: PLC0415 - for verification alone

        yield from faults(self._link, beat)
        yield from self._dictionaries.faults()

    def close(self) -> None:
        """Close the database."""
        self._link.connection.close()
        if self._place is not None:
            self._place.close()


def _as_bytes(data: object) -> bytes:
    """Return data as read; damage can make them of another type, which is no object's digest."""
    return data if isinstance(data, bytes) else b""


def _connect(path: str | PathLike[str], how: str = SHARED) -> sqlite3.Connection:
    try:
        return connect(path) if how == SHARED else connect(path, how=how)
    except DatabaseError as error:
        raise translation(error, path) from error

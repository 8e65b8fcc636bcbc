"""Repositories that the model drives: in memory or in SQLite files, with processes that can die."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from msglog.index.node import EMPTY_ROOT
from msglog.repository import Repository
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Commit, Ref, RefUpdate, Store
from tests.plumbing.peers import START, backup

SHARED_MEMORY = Path("/dev/shm")
EMPTY = Ref(EMPTY_ROOT, 0)


class GoneError(BaseException):
    """A process was killed: nothing that it would still do happens. Nobody may catch it."""


class ClientGoneError(GoneError):
    pass


class ServerGoneError(GoneError):
    pass


class Tap:
    """Where a process may be killed or held up: between any two things that it does to a store.

    die_at: the number of the point at which it is gone. pause: called at points where it may wait.
    """

    def __init__(self, gone: type[GoneError], pause: Callable[[], None] | None = None) -> None:
        self.gone = gone
        self.pause = pause
        self.die_at = 1 << 60
        self.points = 0
        self.dead = False

    def strike(self) -> None:
        self.points += 1
        if self.dead or self.points >= self.die_at:
            self.dead = True
            raise self.gone

    def point(self) -> None:
        self.strike()
        if self.pause is not None:
            self.pause()
            if self.dead:
                raise self.gone


class TappedConnection:
    """A connection to a SQLite file that passes a tap before each statement and after a commit."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner
        self.tap: Tap | None = None

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def _before(self, sql: str = "") -> None:
        if self.tap is not None:
            # A checkpoint is made while another connection of the process holds the writers' lock.
            if self._inner.in_transaction or "wal_checkpoint" in sql:
                self.tap.strike()
            else:
                self.tap.point()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        self._before(sql)
        cursor = self._inner.execute(sql, parameters)
        if sql == "COMMIT" and self.tap is not None:
            self.tap.point()
        return cursor

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> sqlite3.Cursor:
        self._before()
        return self._inner.executemany(sql, rows)

    def executescript(self, script: str) -> sqlite3.Cursor:
        self._before()
        return self._inner.executescript(script)

    def close(self) -> None:
        # A statement that an error still holds would keep the lock of a transaction.
        self._inner.rollback()
        self._inner.close()


class TappedStore:
    """A store in memory that passes a tap before each call and after a commit."""

    def __init__(self, inner: MemoryStore, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap

    @property
    def identity(self) -> bytes:
        return self._inner.identity

    def commit(self, commit: Commit) -> object:
        self._tap.point()
        result = self._inner.commit(commit)
        self._tap.point()
        return result

    def __getattr__(self, name: str) -> Any:
        self._tap.point()
        return getattr(self._inner, name)


class Clock:
    """A clock that people set, forwards and backwards."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        self.now += 1
        return self.now


class Site:
    """Where one repository is kept. folder: for a SQLite file; None keeps it in memory."""

    def __init__(self, label: str, identity: bytes, folder: Path | None) -> None:
        self.label = label
        self.clock = Clock()
        self.folder = folder
        self._idle: list[SqliteStore] = []
        self._copies = 0
        self.make(identity)

    def __repr__(self) -> str:
        return self.label

    @property
    def path(self) -> Path:
        assert self.folder is not None
        return self.folder / f"{self.label}.db"

    def make(self, identity: bytes) -> None:
        """Begin with a new repository."""
        self.identity = identity
        first = Commit(self.clock(), "made", refs=[RefUpdate("refs/logs/main", None, EMPTY)])
        if self.folder is None:
            memory = MemoryStore(identity)
            memory.commit(first)
            self.store: Store = memory
            return
        self._close()
        template = self.folder / "template.db"
        if not template.exists():
            SqliteStore.create(template, identity=identity, first=first).close()
        shutil.copyfile(template, self.path)
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute("UPDATE repository SET identity = ?", (identity,))
        connection.close()
        self.store = self._open()

    def _open(self) -> SqliteStore:
        connection = sqlite3.connect(
            f"file:{self.path}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=5,
        )
        store = SqliteStore(connection, self.path)
        store._identify()
        return store

    def _close(self) -> None:
        """Close all, and remove the file and what belongs to it."""
        for store in self._idle:
            store.close()
        self._idle.clear()
        if self.path.exists():
            self.store.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def start(self, tap: Tap) -> Repository:
        """Open the repository as one more process does."""
        if isinstance(self.store, MemoryStore):
            return Repository(cast("Store", TappedStore(self.store, tap)), self.label)
        if self._idle:
            store = self._idle.pop()
        else:
            store = self._open()
            store._link.connection = cast(
                "sqlite3.Connection", TappedConnection(store._link.connection)
            )
        cast("TappedConnection", store._link.connection).tap = tap
        return Repository(store, self.label)

    def end(self, repository: Repository, tap: Tap) -> None:
        """Let a process end; what one that died was about to commit is rolled back."""
        store = repository.store
        if isinstance(store, SqliteStore):
            cast("TappedConnection", store._link.connection).tap = None
            if tap.dead:
                store.close()
            else:
                self._idle.append(store)

    def own(self) -> Repository:
        """Return the repository as the model itself looks at it."""
        return Repository(self.store, self.label)

    def copy(self) -> object:
        """Return a copy, to be put back one day."""
        if isinstance(self.store, MemoryStore):
            return backup(self.own())
        assert self.folder is not None
        self._copies += 1
        place = self.folder / f"{self.label}.copy{self._copies}"
        connection = sqlite3.connect(place)
        cast("SqliteStore", self.store)._link.connection.backup(connection)
        connection.close()
        return place

    def put_back(self, copy: object, identity: bytes) -> None:
        """Put a copy in the place of what is there."""
        self.identity = identity
        if isinstance(copy, MemoryStore):
            self.store = backup(Repository(copy, self.label))
            return
        self._close()
        shutil.copyfile(cast("Path", copy), self.path)
        self.store = self._open()

    def close(self) -> None:
        if self.folder is not None:
            self._close()


def a_folder() -> Path:
    """Return a new folder, in memory where there is one, for files that need no durability."""
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="msglog-model-", dir=parent))

"""A server's and a client's repository in memory or in SQLite, whose every step is a pause."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from msglog import sqlite_file
from msglog.key import Key
from msglog.layout import STORE_NAME
from msglog.message import object_key
from msglog.repository import Repository
from msglog.store import memory, sqlite, sqlite_commit
from msglog.store.collection import Retention
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Commit, Store
from msglog.timestamp import DAY, HOUR
from plumbing import outgoing
from plumbing.transport.channel import Channel
from tests.busy.schedule import pause
from tests.plumbing.peers import START, Client, Clock, Server, backup, message

GRACE = HOUR
LONG_AGO = START - 200 * DAY
NAMES = ("server", "client")
BATCH = 8
FIRST = range(150)
"""Messages of the server's log; the client has the first hundred."""

OWN = range(200, 240)
"""Messages of the client's that the server lacks."""

GONE = range(500, 600)
"""Messages of a log that was deleted a grace before START, on both sides."""

SIDE = range(700, 790)
"""Messages of another log, on both sides, which operations rename or delete."""

HELD = range(100)


class Places(Protocol):
    """Two repositories, and room for more."""

    def open(self, name: str) -> Repository:
        """Open one, for one operation, which closes it."""

    def copy(self) -> "Places":
        """Return the same again, to be changed."""

    def make(self, name: str) -> None:
        """Make an empty repository."""


class SteppedStore:
    """A Store that pauses before each call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*values: object, **named: object) -> object:
            pause()
            return found(*values, **named)

        return call


@dataclass
class InMemory:
    """Stores in memory, shared by all who open one."""

    stores: dict[str, MemoryStore] = field(default_factory=dict)

    def open(self, name: str) -> Repository:
        store: Any = SteppedStore(self.stores[name])
        return Repository(store, name)

    def copy(self) -> "InMemory":
        return InMemory(
            {name: backup(Repository(store, name)) for name, store in self.stores.items()}
        )

    def make(self, name: str) -> None:
        self.stores[name] = MemoryStore(_identity(name))
        Repository(self.stores[name], name).create_log("main", time=LONG_AGO)


class SteppedConnection(sqlite3.Connection):
    """A connection that pauses before each statement, but not within a transaction.

    Nobody else could write within one, and whoever reads then sees what was before it.
    """

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA synchronous"):
            sql = "PRAGMA synchronous = OFF"  # nothing here is to survive a power failure
        # A checkpoint is made while another connection holds the writers' lock.
        elif not self.in_transaction and not sql.startswith(("PRAGMA busy", "PRAGMA wal_checkp")):
            pause()
        return super().execute(sql, *values)

    def executescript(self, sql: str) -> sqlite3.Cursor:
        pause()
        return super().executescript(sql)


def _connect(path: str, **_: object) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=sqlite_file.BUSY_SECONDS, isolation_level=None, factory=SteppedConnection
    )


@dataclass
class InSqlite:
    """Stores in files, each opened by every operation for itself."""

    folder: Path
    _copies: list[None] = field(default_factory=list)

    def open(self, name: str) -> Repository:
        return Repository.open(self.folder / name)

    def copy(self) -> "InSqlite":
        self._copies.append(None)
        copy = self.folder.with_name(f"{self.folder.name}-{len(self._copies)}")
        shutil.copytree(self.folder, copy)
        return InSqlite(copy)

    def make(self, name: str) -> None:
        folder = self.folder / name
        folder.mkdir(parents=True)
        SqliteStore.create(
            folder / STORE_NAME, identity=_identity(name), first=Commit(LONG_AGO, "made")
        ).close()
        with closed(self, name) as repository:
            repository.create_log("main", time=LONG_AGO)


def _identity(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


@contextmanager
def closed(places: Places, name: str) -> Iterator[Repository]:
    """Open a repository until the block ends."""
    repository = places.open(name)
    try:
        yield repository
    finally:
        repository.close()


class FixedClock(Clock):
    """A clock that stands still."""

    def __call__(self) -> int:
        return self.now


@contextmanager
def pair(
    places: Places,
    *,
    client: str = "client",
    now: int = START,
    wrap: Callable[[Channel], Channel] = lambda channel: channel,
) -> Iterator[Client]:
    """A client with its server, over repositories of their own, until the block ends."""
    with closed(places, "server") as there, closed(places, client) as here:
        server = Server()
        server.repository, server.clock, server.wrap = there, FixedClock(now), wrap
        made = Client(1, server)
        made.repository, made.clock = here, FixedClock(now)
        yield made


def texts(numbers: range) -> dict[Key, bytes]:
    """Return messages by number, under their keys."""
    return {object_key(data): data for data in map(message, numbers)}


def furnish(places: Places) -> None:
    """Fill both repositories as of long ago; all that gc can have to do is there."""
    for name in NAMES:
        places.make(name)
    with closed(places, "server") as server:
        for start in range(0, len(FIRST), 25):
            if start == len(HELD):
                with pair(places, now=LONG_AGO) as client:
                    client.pull()
            part = texts(FIRST[start : start + 25])
            server.add("main", part, time=LONG_AGO)
            if start == len(HELD):
                server.find("00000000")  # so that the look-up by id alone knows this past value
    with closed(places, "client") as mine:
        for number in range(0, len(OWN), 10):
            mine.add("main", texts(OWN[number : number + 10]), time=LONG_AGO)
    for name in NAMES:
        with closed(places, name) as repository:
            repository.create_log("gone", time=LONG_AGO)
            repository.add("gone", texts(GONE), time=LONG_AGO)
            repository.create_log("side", time=LONG_AGO)
            repository.add("side", texts(SIDE), time=LONG_AGO)
            repository.delete_log("gone", time=START - GRACE)
            # Past values of refs are given up now, so that the next one can remove their nodes.
            repository.store.collect(Retention(START - GRACE - 1, GRACE))


def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut transfers into batches of a few messages, and keep few agreed roots."""
    for module in (memory, sqlite_commit):
        monkeypatch.setattr(module, "AGREED_LIMIT", 2)
    monkeypatch.setattr(outgoing, "BATCH_MESSAGES_LIMIT", BATCH)


def step_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every connection to a store pause."""
    monkeypatch.setattr(sqlite, "connect", _connect)

"""The file of a search: a table of FTS5 without the texts, and which message each of its rows is.

It is derived and disposable: whatever is wrong with it, it is made anew from the logs, and nothing
else depends on it. One entry is one message in one log; a message in two logs is two entries, so
that no entry has to be looked for when a log goes on.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import contextmanager, suppress

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError
from msglog.folder import Locked
from msglog.key import KEY_BYTES, Key
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.search import seal
from msglog.search.folding import TOKENIZER
from msglog.sqlite_file import (
    FAILURES,
    begin_writing,
    connect,
    cut_wal,
    keep_log_short,
    prepare,
    reason,
    wal_size,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from msglog.search.condition import Condition

FORMAT = 2
"""To be raised when anything changes that is written here, or what is indexed of a message."""

_APPLICATION = 0x6D736C73
_SIDECARS = (seal.SUFFIX, "", "-wal", "-shm", "-journal", "-shared")

_TABLES = (
    "CREATE TABLE catalogue (identity BLOB NOT NULL, next INTEGER NOT NULL, gone INTEGER NOT NULL)",
    # base and target are roots: what is indexed is the keys of base, and of the other keys of
    # target those up to `done`; all of them if that is NULL. base NULL: only the entries tell.
    (
        "CREATE TABLE log (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, base BLOB,"
        " target BLOB NOT NULL, done BLOB, entries INTEGER NOT NULL)"
    ),
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, log INTEGER NOT NULL, key BLOB NOT NULL)",
    "CREATE TABLE unread (id INTEGER PRIMARY KEY)",
)
_TEXT = (
    "CREATE VIRTUAL TABLE text USING fts5(body, author, tags, meta, content='',"
    f' tokenize="{TOKENIZER}")'
)
_OUTSIDE = frozenset(
    (
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_TOOBIG,
    )
)
"""Errors that are not the file's fault, so that making it anew is no help."""

_BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL))
_MANY = (1 << 63) - 1
_NO_FTS5 = "no such module: fts5"


class CatalogueError(LocalError):
    """A search index cannot be used."""


class WornCatalogueError(CatalogueError):
    """It is damaged, half-written, of another version or of another repository."""


class BusyCatalogueError(CatalogueError):
    """Another process holds it for longer than the time limit."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found. score: the larger the better; 0.0 where nothing is ranked."""

    key: Key
    score: float
    logs: Sequence[str]


@dataclass(frozen=True, slots=True)
class IndexedLog:
    """How far a log is indexed, see the table `log`."""

    number: int
    name: str
    base: ObjectId | None
    target: ObjectId
    done: Key | None
    entries: int


class Catalogue:
    """A search index, in a file beside a store or in a temporary one.

    Raises WornCatalogueError, BusyCatalogueError or CatalogueError, from any method.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self.connection = connection
        self.path = path

    @classmethod
    def open(cls, path: str, identity: bytes, *, patience: float) -> Catalogue:
        """Open the file at path, or make it, for the repository of an identity.

        patience: how many seconds to wait for other writers, at each step.
        """
        if seal.is_broken(path):
            raise WornCatalogueError(f"the search index {path} is damaged", why="it has changed")
        _make_sure_of(path)
        with _translated(path):
            catalogue = cls(connect(path, patience=patience), path)
        try:
            with _translated(path):
                prepare(catalogue.connection, path, catalogue._check_kind)
                if catalogue._pragma("journal_mode") == "wal":
                    # After a loss of power it is as it was some commits ago, which is no loss.
                    catalogue.connection.execute("PRAGMA synchronous = NORMAL")
                else:
                    # Nobody could read from the first page on that is spilt before the commit.
                    catalogue.connection.execute("PRAGMA cache_spill = OFF")
            catalogue._settle(identity)
        except BaseException:
            catalogue.close()
            raise
        return catalogue

    @classmethod
    def temporary(cls, identity: bytes) -> Catalogue:
        """Make one for this process, in memory and if it gets long in a file without a name."""
        with _translated(""):
            catalogue = cls(sqlite3.connect("", isolation_level=None), "")
        try:
            with _translated(""):
                catalogue.connection.execute("PRAGMA synchronous = OFF")
                catalogue.connection.execute("PRAGMA journal_mode = MEMORY").fetchall()
            catalogue._settle(identity)
        except BaseException:
            catalogue.close()
            raise
        return catalogue

    def close(self) -> None:
        """Close it."""
        self.connection.close()
        if self.path:
            seal.seal(self.path)

    def _pragma(self, name: str) -> object:
        ((value,),) = self.connection.execute(f"PRAGMA {name}")
        return value

    def _check_kind(self) -> None:
        """Raise if it is neither an empty file nor one of this format."""
        self.connection.execute("PRAGMA trusted_schema = OFF")
        self.connection.execute("PRAGMA cell_size_check = ON")
        found = (self._pragma("application_id"), self._pragma("user_version"))
        if found != (_APPLICATION, FORMAT) and (found != (0, 0) or self._schema()):
            raise WornCatalogueError(f"{self.path} is not a search index of this version")

    def _schema(self) -> dict[str, str]:
        rows = self.connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
        return {str(name): str(sql) for name, sql in rows}

    def _settle(self, identity: bytes) -> None:
        """Make the tables if there are none, and check them."""
        with _translated(self.path):
            made = self._schema()
        if not made:
            with self.transaction():
                if not self._schema():  # another one may have been first
                    for sql in (*_TABLES, _TEXT):
                        self.connection.execute(sql)
                    self.connection.execute("INSERT INTO catalogue VALUES (?, 1, 0)", (identity,))
                    # Few, long segments: half as much merging while many messages are added.
                    self.connection.execute(
                        "INSERT INTO text (text, rank) VALUES ('hashsize', 8388608)"
                    )
                    self.connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self.connection.execute(f"PRAGMA user_version = {FORMAT}")
            with _translated(self.path):
                made = self._schema()
        # The tables that FTS5 makes for itself are not the same in all of its versions.
        others = {name: sql for name, sql in made.items() if not name.startswith("text_")}
        expected = {sql.split("(", 1)[0].split()[2]: sql for sql in _TABLES}
        expected["text"] = _TEXT
        if others != expected:
            raise self._worn("its tables are not as they should be")
        with _translated(self.path):
            rows = self.connection.execute("SELECT identity FROM catalogue").fetchall()
        if rows != [(identity,)]:
            raise self._worn("it is of another repository")

    def _worn(self, why: str) -> WornCatalogueError:
        return WornCatalogueError(f"the search index {self.path} is damaged", why=why)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is done in the block, or nothing of it if an error leaves it."""
        if self.path:
            seal.unseal(self.path)
        with _translated(self.path):
            begin_writing(self.connection)
        before = wal_size(self.path) if self.path else 0
        try:
            with _translated(self.path):
                yield
                self.connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            raise
        if self.path:
            keep_log_short(self.connection, self.path)
            cut_wal(self.connection, self.path, before, wal_size(self.path))

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with _translated(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def logs(self) -> dict[str, IndexedLog]:
        """Return how far each log is indexed."""
        found: dict[str, IndexedLog] = {}
        rows = self.select("SELECT number, name, base, target, done, entries FROM log")
        for number, name, base, target, done, entries in rows:
            sound = (
                isinstance(name, str)
                and isinstance(entries, int)
                and (base is None or _is_bytes(base, DIGEST_BYTES))
                and _is_bytes(target, DIGEST_BYTES)
                and (done is None or _is_bytes(done, KEY_BYTES))
            )
            if not sound:
                raise self._worn("a log is recorded wrongly")
            found[name] = IndexedLog(
                number,
                name,
                None if base is None else ObjectId(base),
                ObjectId(target),
                None if done is None else Key(done),
                entries,
            )
        return found

    def keys(self, log: int) -> Iterator[Key]:
        """Yield the keys of the entries of a log in order."""
        sql = "SELECT key FROM entry WHERE log = ? ORDER BY key"
        with _translated(self.path):
            for (key,) in self.connection.execute(sql, (log,)):
                yield self.key(key)

    def key(self, value: object) -> Key:
        """Return a value of the table as the key that it must be."""
        if not _is_bytes(value, KEY_BYTES):
            raise self._worn("a key is none")
        return Key(value)  # type: ignore[arg-type]

    def hits(self, asked: Condition, limit: int | None) -> Iterator[Hit]:
        """Yield the messages that meet a condition, best first, newer before older ones.

        Until it is closed or at its end, the file is being read.
        """
        names = {log.number: name for name, log in self.logs().items()}
        # A message is found once in each log that has it; so many entries are always enough.
        enough = -1 if limit is None else min(limit * len(names), _MANY)
        score = "-bm25(text, 1.0, 0.0, 0.0, 0.0)" if asked.ranked else "0.0"
        if asked.match:
            sql = (
                f"SELECT e.key, e.log, {score} AS score FROM text CROSS JOIN entry AS e"  # noqa: S608
                f" ON e.id = text.rowid WHERE text MATCH ? AND ({asked.where})"
                " ORDER BY score DESC, e.key DESC LIMIT ?"
            )
            parameters: list[str | bytes | int] = [asked.match, *asked.parameters, enough]
        else:
            sql = (
                f"SELECT e.key, e.log, 0.0 FROM entry AS e WHERE {asked.where}"  # noqa: S608
                " ORDER BY e.key DESC LIMIT ?"
            )
            parameters = [*asked.parameters, enough]
        with _translated(self.path):
            rows = self.connection.execute(sql, parameters)
            try:
                yield from _first(self._merged(rows, names), limit)
            finally:
                rows.close()

    def _merged(self, rows: Iterable[tuple[Any, ...]], names: dict[int, str]) -> Iterator[Hit]:
        """Make one hit of the entries of a message in several logs, which follow each other."""
        last: tuple[Key, float] | None = None
        logs: list[str] = []
        for raw, number, score in rows:
            key = self.key(raw)
            if not isinstance(score, float) or number not in names:
                raise self._worn("an entry is of no log")
            if last is not None and last[0] != key:
                yield Hit(*last, sorted(logs))
                logs = []
            last = key, score
            logs.append(names[number])
        if last is not None:
            yield Hit(*last, sorted(logs))

    def unread(self) -> int:
        """Return how many messages are not indexed because they cannot be read."""
        return int(self.select("SELECT count(*) FROM unread")[0][0])


def _make_sure_of(path: str) -> None:
    """Make an empty file for its owner alone, unless there is a file; raises CatalogueError.

    One that is there is not opened: to close it would give up the locks that SQLite has in it.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise CatalogueError(f"cannot make the search index {path}", why="it is no file")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _cannot_make(path, error) from error
    else:
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass  # another one was first
    except OSError as error:
        raise _cannot_make(path, error) from error


def _cannot_make(path: str, error: OSError) -> CatalogueError:
    return CatalogueError(f"cannot make the search index {path}", why=error.strerror or str(error))


def discard(path: str) -> None:
    """Remove the file of a search index, which others may have open; harmless if there is none.

    SQLite goes on without it in their processes, and moves nothing from there into a new file.
    Raises OSError.
    """
    folder = os.path.dirname(os.path.abspath(path))
    with Locked(folder):
        for suffix in _SIDECARS:  # a log or journal beside an empty file is one that SQLite drops
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{suffix}")


def _first(hits: Iterator[Hit], limit: int | None) -> Iterator[Hit]:
    if limit is None:
        yield from hits
        return
    for _, hit in zip(range(limit), hits, strict=False):
        yield hit


def _is_bytes(value: object, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Raise what SQLite raises as errors of a catalogue."""
    what = f"the search index {path}" if path else "a temporary search index"
    try:
        yield
    except FAILURES as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _BUSY:
            raise BusyCatalogueError(f"{what} is busy", why="another process holds it") from error
        if _NO_FTS5 in str(error):
            raise CatalogueError(
                "this Python cannot search", why="its SQLite was built without FTS5"
            ) from error
        if code in _OUTSIDE or isinstance(error, MemoryError):
            raise CatalogueError(f"cannot use {what}", why=reason(error)) from error
        raise WornCatalogueError(f"{what} is damaged", why=reason(error)) from error

"""A connection to a store's file: statements whose failures are ours, and durable transactions."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.key import KEY_BYTES
from msglog.objectid import DIGEST_BYTES
from msglog.sqlite_file import (
    FAILURES,
    Trouble,
    begin_writing,
    cut_wal,
    keep_log_short,
    reason,
    trouble,
    wal_size,
)
from msglog.store.store import (
    REPAIR,
    REPAIR_FOREIGN,
    ForeignStoreError,
    ReadOnlyStoreError,
    StoreBusyError,
    StoreError,
    StoreGoneError,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike
    from typing import Any, TypeAlias, TypeVar

    _Key = TypeVar("_Key", bytes, int)

PARAMETERS = 500
"""How many values one statement is given."""

Row: TypeAlias = "tuple[Any, ...]"
Value: TypeAlias = "str | int | bytes | None"


class DamagedStoreError(IntegrityError):
    """SQLite says that the file is not sound."""


class Translation:
    """A block whose errors of SQLite leave it as errors of a store.

    A class, because contextlib takes longer to import than this to run.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise instead of error what it means."""
        if isinstance(error, FAILURES):
            raise translation(error, self._path) from error


class Transaction:
    """A block that is one transaction, see `Link.transaction`."""

    __slots__ = ("_link", "_wal_size")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._wal_size = 0

    def __enter__(self) -> None:
        """Begin, as a writer."""
        with self._link.translated():
            begin_writing(self._link.connection)
        self._wal_size = wal_size(self._link.path)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Commit, or roll back what an error has left undone."""
        link = self._link
        with link.translated():
            if error is not None:
                link.roll_back()
                if isinstance(error, FAILURES):
                    raise translation(error, link.path) from error
                return
            try:
                if link.connection.in_transaction:
                    link.connection.execute("COMMIT")
                    keep_log_short(link.connection, link.path)
            except BaseException:
                link.roll_back()
                raise
            cut_wal(link.connection, link.path, self._wal_size, wal_size(link.path))


class Place:
    """Where a store's file lies: a name in a folder, which may itself get another name meanwhile.

    SQLite goes on writing to a file that has lost its name, which nobody will ever read.
    Raises StoreError.
    """

    __slots__ = ("_file", "_folder", "_name", "_path")

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = os.fspath(path)
        folder, self._name = os.path.split(self._path)
        flags = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
        try:
            self._folder = os.open(folder or ".", flags)
        except OSError as error:
            raise StoreError(f"cannot use {self._path}", why=error.strerror or "") from error
        self._file = self._find()

    def check(self) -> None:
        """Raise StoreGoneError unless the file that was there once has its name still."""
        if self._file is None or self._find() != self._file:
            raise StoreGoneError(
                f"{self._path} was removed or replaced",
                why="while it was written to",
                hint="What was to be added is not there.",
            )

    def _find(self) -> tuple[int, int] | None:
        """Return what tells the file of that name from others; None if there is none."""
        try:
            status = os.stat(self._name, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot use {self._path}", why=error.strerror or "") from error
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Leave the folder alone; to say so twice is harmless."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


class Link:
    """A connection to the file of one store; see `msglog.store.sqlite`."""

    def __init__(self, connection: sqlite3.Connection, path: str | PathLike[str]) -> None:
        self.connection = connection
        self.path = path

    def select(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query."""
        with self.translated():
            return self.connection.execute(sql, parameters).fetchall()

    def number(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Return the one number that a query gives."""
        ((value,),) = self.checked(self.select(sql, parameters), (int,))
        return int(value)

    def select_in(self, sql: str, values: Sequence[bytes]) -> Iterator[Row]:
        """Yield the rows of a query that ends with IN, for these values."""
        for start in range(0, len(values), PARAMETERS):
            part = values[start : start + PARAMETERS]
            yield from self.select(f"{sql} ({','.join('?' * len(part))})", part)

    def checked(self, rows: Iterable[Row], kinds: Sequence[type]) -> Iterator[Row]:
        """Yield rows whose values are of these types; damage can make them of others.

        Bytes that begin a row are a digest or a key, which have a length.
        """
        for row in rows:
            if list(map(type, row)) != list(kinds):
                raise self.damaged("a value is of the wrong type")
            if kinds[0] is bytes and len(row[0]) not in (DIGEST_BYTES, KEY_BYTES):
                raise self.damaged("an id is too short")
            yield row

    def transaction(self) -> Transaction:
        """Write all that is done in the block durably, or nothing of it if an error leaves it.

        The block may also roll back by itself.
        """
        return Transaction(self)

    def roll_back(self) -> None:
        """Undo what the transaction has done, if there is one."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def translated(self) -> Translation:
        """Raise what SQLite raises as errors of a store."""
        return Translation(self.path)

    def beyond(self, last: _Key, key: _Key) -> _Key:
        """Return the key that a page of rows ends with, after the last key of the one before.

        Raises DamagedStoreError where it is not beyond: a damaged tree may give the same rows again
        and again.
        """
        if not isinstance(key, type(last)) or key <= last:
            raise self.damaged("its rows are out of order")
        return key

    def damaged(self, why: str) -> DamagedStoreError:
        """Return an error that says that the file is damaged."""
        return DamagedStoreError(f"{self.path} is damaged", why=why, hint=REPAIR)


def translation(error: Exception, path: str | PathLike[str]) -> StoreError | DamagedStoreError:
    """Return what an error of SQLite means to whoever uses a store."""
    match trouble(error):
        case Trouble.BUSY:
            return StoreBusyError(
                f"{path} is busy", why="another process holds it", hint="Try again in a moment."
            )
        case Trouble.FOREIGN:
            return ForeignStoreError(f"{path} is not a msglog store", hint=REPAIR_FOREIGN)
        case Trouble.DAMAGED:
            return DamagedStoreError(f"{path} is damaged", why=reason(error), hint=REPAIR)
        case Trouble.READ_ONLY:
            return ReadOnlyStoreError(f"{path} can only be read", why=reason(error))
        case _:
            return StoreError(f"cannot use {path}", why=reason(error))

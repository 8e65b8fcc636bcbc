"""A connection to a store's file: statements whose failures are ours, and durable transactions."""

from __future__ import annotations

from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.key import KEY_BYTES
from msglog.objectid import DIGEST_BYTES
from msglog.sqlite_file import FAILURES, Trouble, reason, trouble
from msglog.store.store import StoreBusyError, StoreError, StoreFormatError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

PARAMETERS = 500
"""How many values one statement is given."""

Row: TypeAlias = "tuple[Any, ...]"
Value: TypeAlias = "str | int | bytes | None"


class DamagedStoreError(IntegrityError):
    """SQLite says that the file is not sound."""


class Link:
    """A connection to the file of one store; see `msglog.store.sqlite`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is done in the block durably, or nothing of it if an error leaves it.

        The block may also roll back by itself.
        """
        with self.translated():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                if self.connection.in_transaction:
                    self.connection.execute("COMMIT")
            except BaseException:
                self.roll_back()
                raise

    def roll_back(self) -> None:
        """Undo what the transaction has done, if there is one."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what SQLite raises as errors of a store."""
        try:
            yield
        except FAILURES as error:
            raise translation(error, self.path) from error

    def damaged(self, why: str) -> DamagedStoreError:
        """Return an error that says that the file is damaged."""
        return DamagedStoreError(f"{self.path} is damaged", why=why)


def translation(error: Exception, path: Path) -> StoreError | DamagedStoreError:
    """Return what an error of SQLite means to whoever uses a store."""
    match trouble(error):
        case Trouble.BUSY:
            return StoreBusyError(
                f"{path} is busy", why="another process holds it", hint="Try again in a moment."
            )
        case Trouble.FOREIGN:
            return StoreFormatError(f"{path} is not a msglog store")
        case Trouble.DAMAGED:
            return DamagedStoreError(f"{path} is damaged", why=reason(error))
        case Trouble.OTHER:
            return StoreError(f"cannot use {path}", why=reason(error))

"""The tables of a server account, wherever they are: in a file of SQLite, or in PostgreSQL.

Statements are of the SQL that both understand: values are `?` or `?1`, columns that are called
`user` are quoted, and `ON CONFLICT` says what happens to a row that is there.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeAlias, TypeVar

    from msglog.errors import IntegrityError

    Row: TypeAlias = "tuple[Any, ...]"
    Value: TypeAlias = "str | int | bytes | None"
    _Result = TypeVar("_Result")


class Tables(Protocol):
    """A connection to the tables of an account.

    Everything raises AccountError and its kin, and DamagedAccountError.
    """

    @property
    def format(self) -> int:
        """The version of the tables, of which each kind has its own."""

    def select(self, sql: str, *values: Value) -> list[Row]:
        """Return the rows of a question."""

    def rows(self, sql: str, kinds: Sequence[type], *values: Value) -> list[Row]:
        """Return the rows of a question, whose values are of these types.

        Damage can make one of another type; raises DamagedAccountError for such a row.
        """

    def at_once(self, *questions: tuple[str, Sequence[type], Sequence[Value]]) -> list[list[Row]]:
        """Return the rows of each of some questions, as `rows` does, all as of one moment."""

    def execute(self, sql: str, *values: Value) -> int:
        """Run a statement and return how many rows it changed."""

    def insert(self, sql: str, *values: Value) -> int:
        """Run a statement that adds one row and return the row's number."""

    def count(self, *values: Value) -> None:
        """Add to a total; values: of `msglog.account.audit.adding`."""

    def together(self, work: Callable[[], _Result], *, writing: bool = True) -> _Result:
        """Do work durably, or nothing of it; one such writer at a time.

        work may be done from the start again, as long as it is certain that it was not done. One
        within another is a part of that: nothing is durable before the outer one is done. Not
        writing, all that is read is of one moment.
        """

    def append(self, work: Callable[[bool], _Result], *, durable: bool) -> _Result:
        """Do work that only adds, all of it or nothing, beside others who do.

        durable: it must survive a power failure, and not only the end of this process. work may be
        done from the start again, and is told whether an earlier time may have been committed.
        """

    def version(self) -> int:
        """Return a number that changes when another connection has committed a change."""

    def damaged(self, why: str) -> IntegrityError:
        """Return the error about what only damage can have put into a table."""

    def snapshot(self, path: str) -> None:
        """Write all, as it is at one moment, into a new file that `Database.open` opens.

        Others may read and write meanwhile. The file is not yet durable.
        """

    def faults(self) -> Iterator[str]:
        """Yield in words what is damaged beneath the tables, or in their shape."""

    def close(self) -> None:
        """Close the connection."""

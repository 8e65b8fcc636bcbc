"""Filling a PostgreSQL database with an account from elsewhere; nobody can open it meanwhile."""

from __future__ import annotations

from msglog.account.database import AccountError
from msglog.account.postgres_account import PostgresAccount, make_all_tables
from msglog.account.postgres_tables import ERRORS as ACCOUNT_ERRORS
from msglog.account.postgres_tables import FORMAT, PostgresTables
from msglog.annotation import TYPE_CHECKING
from msglog.layout import STORE_NAME
from msglog.postgres_link import Link, Session, fresh_number
from msglog.store.postgres import ERRORS
from msglog.store.postgres_schema import TABLES
from msglog.store.postgres_snapshot import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from msglog.account.account import Account
    from msglog.postgres_link import Attempt
    from msglog.store.collection import BytesDone

_UNFINISHED = 0
"""In the place of the format, as any number below it: `PostgresTables.check_format` takes it for
nothing of ours."""

_RUNS = 2**31 - 1
"""How many numbers below 0 there are: each run has one, and so is told from all others."""

_FORMAT = "SELECT format FROM account_format FOR UPDATE"
_IS_FORMAT = "SELECT format FROM account_format FOR SHARE"
_SET_FORMAT = "UPDATE account_format SET format = $1"


class PostgresTarget:
    """An account in PostgreSQL whose tables have nothing yet, or what a cut-off run left there.

    Whatever began to copy to the same tables before can change nothing from now on, and what it
    left is gone. path: the folder that will have its address.
    """

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        self._address = address
        self._run = -1 - fresh_number() % _RUNS
        PostgresAccount.check_free(path, address)
        self._session = Session(address)
        make_all_tables(self._session, format_=_UNFINISHED)
        self._link = Link(self._session, ACCOUNT_ERRORS)
        self._link.run(self._take)

    def _take(self, _: Attempt) -> None:
        """Have the tables for this run alone; raises AccountError where an account has them."""
        link = self._link
        link.take_time()
        ((format_,),) = link.select(_FORMAT)
        if format_ > _UNFINISHED:
            raise AccountError(
                f"{link.place} has an account already",
                hint="Copy to a database, or a schema, that has nothing of msglog's.",
            )
        link.execute(_SET_FORMAT, self._run)
        # By a column that is ours: in another schema of the search path, another program's tables
        # may have such names.
        for table in TABLES:
            link.execute(f"DELETE FROM {table} WHERE repository IS NOT NULL")  # noqa: S608 - ours
        link.execute("DELETE FROM repositories WHERE identity IS NOT NULL")

    def put_tables(self, file: str) -> None:
        """Load the tables."""
        self._put(lambda: PostgresTables(self._session).load(file))

    def put_repository(self, name: str, folder: str, *, progress: BytesDone) -> None:
        """Load the repository."""
        link = Link(self._session, ERRORS)
        self._put(lambda: load(link, name, f"{folder}/{STORE_NAME}", progress))

    def _put(self, work: Callable[[], None]) -> None:
        """Do work in a transaction in which nobody else takes the tables."""

        def put(_: Attempt) -> None:
            self._check_ours(_IS_FORMAT)
            work()

        self._link.run(put)

    def _check_ours(self, select: str) -> None:
        """Raise AccountError where a later run has taken the tables, or has finished."""
        if self._link.select(select) != [(self._run,)]:
            raise AccountError(
                f"{self._link.place} cannot be copied to",
                why="somebody else copies to it too, and began later",
                hint="Let that come to its end.",
            )

    def look(self) -> Account:
        """Return the account, over a connection of its own."""
        return PostgresAccount(PostgresTables(Session(self._address)), str(self._path))

    def finish(self) -> None:
        """Make the folder that has the address of the tables, and say that they are of our format.

        In this order: until the last step, the same again goes on from what is there.
        """
        self._put(lambda: None)
        PostgresAccount.make(self._path, self._address)
        self._link.run(self._release)
        self._link.close()

    def _release(self, attempt: Attempt) -> None:
        # Where the answer to an earlier attempt was lost, it may be an account already.
        if attempt.doubtful and self._link.select(_FORMAT) == [(FORMAT,)]:
            return
        self._check_ours(_FORMAT)
        self._link.execute(_SET_FORMAT, FORMAT)

"""Filling a PostgreSQL database with an account from elsewhere; nobody can open it meanwhile."""

from __future__ import annotations

from msglog.account.database import AccountError
from msglog.account.postgres_account import PostgresAccount, make_all_tables
from msglog.account.postgres_tables import ERRORS as ACCOUNT_ERRORS
from msglog.account.postgres_tables import FORMAT, PostgresTables
from msglog.annotation import TYPE_CHECKING
from msglog.layout import STORE_NAME
from msglog.postgres_link import Link, Session
from msglog.store.postgres import ERRORS
from msglog.store.postgres_snapshot import load

if TYPE_CHECKING:
    from pathlib import Path

    from msglog.account.account import Account
    from msglog.store.collection import BytesDone

_UNFINISHED = 0
"""In the place of the format: `PostgresTables.check_format` takes it for nothing of ours."""


class PostgresTarget:
    """An account in PostgreSQL whose tables have nothing yet, or what a cut-off run left there.

    path: the folder that will have its address.
    """

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        self._address = address
        PostgresAccount.check_free(path, address)
        self._session = Session(address)
        make_all_tables(self._session, format_=_UNFINISHED)
        _check_taken(Link(self._session, ACCOUNT_ERRORS))

    def put_tables(self, file: str) -> None:
        """Load the tables."""
        PostgresTables(self._session).load(file)

    def put_repository(self, name: str, folder: str, *, progress: BytesDone) -> None:
        """Load the repository."""
        load(Link(self._session, ERRORS), name, f"{folder}/{STORE_NAME}", progress)

    def look(self) -> Account:
        """Return the account, over a connection of its own."""
        return PostgresAccount(PostgresTables(Session(self._address)), str(self._path))

    def finish(self) -> None:
        """Make the folder that has the address of the tables, and say that they are of our format.

        In this order: until the last step, the same again goes on from what is there.
        """
        PostgresAccount.make(self._path, self._address)
        link = Link(self._session, ACCOUNT_ERRORS)
        link.run(lambda _: link.execute("UPDATE account_format SET format = $1", FORMAT))
        link.close()


def _check_taken(link: Link) -> None:
    """Raise AccountError unless the tables were made for this, by this run or a cut-off one."""
    ((format_,),) = link.select("SELECT format FROM account_format")
    if format_ != _UNFINISHED:
        raise AccountError(
            f"{link.place} has an account already",
            hint="Copy to a database, or a schema, that has nothing of msglog's.",
        )

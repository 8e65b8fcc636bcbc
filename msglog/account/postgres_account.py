"""A server account in PostgreSQL: a folder on each host has only its address.

Several hosts, each with such a folder, serve one and the same account.
"""

from __future__ import annotations

import os

from msglog.account import postgres_tables
from msglog.account.account import ADDRESS_NAME, REPOSITORIES_NAME, Account, NotEmptyError
from msglog.account.database import AccountError
from msglog.account.name import check_repository_name
from msglog.account.postgres_tables import PostgresTables
from msglog.account.record import UnknownRepositoryError
from msglog.annotation import TYPE_CHECKING
from msglog.postgres_address import ADDRESS_BYTES, check_keepable
from msglog.postgres_link import Link, Session
from msglog.repository import Repository, first_commit
from msglog.store import postgres_schema
from msglog.store.postgres import ERRORS, AbsentStoreError, PostgresStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from msglog.account.finding import Finding

_FOLDER_MODE = 0o700
_THERE = frozenset({"42P07", "23505", "42710"})
"""What the same tables made at the same time by another host come to."""


_NAMES = """
SELECT relname::text FROM pg_class WHERE relnamespace = (
    SELECT oid FROM pg_namespace WHERE nspname = current_schema())"""
"""All as of one moment: who makes tables makes all of them in one transaction."""


class PostgresAccount(Account):
    """An open account whose repositories are rows. folder: has its address, and nothing else."""

    def __init__(self, tables: PostgresTables, folder: str) -> None:
        super().__init__(tables, folder)
        self._session = tables.session
        self._place = tables.place

    @classmethod
    def make(cls, path: Path, address: str) -> bool:
        """Make the tables where they are not there, and the folder that has the address of them.

        Returns whether there were no tables. A folder that is there must be empty, or have this
        address already. Raises NotEmptyError, AccountError and ConnectionStringError.
        """
        from msglog.folder import make, sync  # noqa: PLC0415 - only for this

        cls.check_free(path, address)
        made = make_all_tables(Session(address))
        file = path / ADDRESS_NAME
        make(path, mode=_FOLDER_MODE)
        path.chmod(_FOLDER_MODE)
        unfinished = path / f"{ADDRESS_NAME}.new"
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
            new.write(f"{address}\n".encode())
            new.flush()
            os.fsync(new.fileno())
        os.replace(unfinished, file)
        sync(path)
        return made

    @classmethod
    def check_free(cls, path: Path, address: str) -> None:
        """Raise NotEmptyError where a folder has something else than this address.

        Raises ConnectionStringError for one that could not be kept.
        """
        check_keepable(address)
        file = path / ADDRESS_NAME
        is_same = file.exists() and _read(str(file)) == address.strip()
        if not is_same and path.is_dir() and not all(map(_is_left_over, path.iterdir())):
            raise NotEmptyError(
                f"{path} cannot become a server account",
                why="there is something else in it",
                hint="Name an empty folder, or one that is not there.",
            )

    @classmethod
    def open_folder(cls, folder: str) -> PostgresAccount:
        """Open the account whose address is in a folder; raises AccountError and its kin."""
        tables = PostgresTables(Session(_read(os.path.join(folder, ADDRESS_NAME))))
        try:
            tables.check_format()
        except BaseException:
            tables.close()
            raise
        return cls(tables, folder)

    file_name = ADDRESS_NAME

    @property
    def where(self) -> str:
        """What people call the place of its tables."""
        return self._place

    def check_server(self, environment: Mapping[str, str]) -> list[Finding]:
        """Return what is wrong with the server, and with how it is reached."""
        from msglog.account.postgres_checkup import check_server  # noqa: PLC0415 - seldom wanted

        link = Link(self._session, postgres_tables.ERRORS)
        return list(check_server(link, os.path.join(self.folder, ADDRESS_NAME), environment))

    def repository_place(self, name: str) -> str:
        """Return the folder that a repository would have; see `msglog.account.address`."""
        return os.path.join(os.path.abspath(self.folder), REPOSITORIES_NAME, name)

    def repository_names(self) -> list[str]:
        """Return the names of the repositories, sorted."""
        rows = self._link().select("SELECT name FROM repositories")
        return sorted(name for (name,) in rows)

    def has_repository(self, name: str) -> bool:
        """Tell whether there is a repository of that name; raises InvalidRepositoryError."""
        check_repository_name(name)
        return bool(self._link().select("SELECT 1 FROM repositories WHERE name = $1", name))

    def create_repository(self, name: str, *, identity: bytes, time: int) -> None:
        """Make a repository; raises StoreError and InvalidRepositoryError."""
        check_repository_name(name)
        PostgresStore.create(self._link(), name, identity=identity, first=first_commit(time))

    def open_repository(self, name: str, *, shared: bool = True) -> Repository:
        """Open a repository, over a connection that it shares with the tables.

        shared: the connection stays open when the repository is closed.
        Raises UnknownRepositoryError and InvalidRepositoryError.
        """
        check_repository_name(name)
        try:
            store = PostgresStore.open(self._link(), name, shared=shared)
        except AbsentStoreError:
            raise UnknownRepositoryError(name) from None
        return Repository(store, self.repository_place(name))

    def _link(self) -> Link:
        return Link(self._session, ERRORS)


def make_all_tables(session: Session, *, format_: int = postgres_tables.FORMAT) -> bool:
    """Make all tables, or none because they are there; tell which. format_: what they say it is."""
    link = Link(session, postgres_tables.ERRORS)

    def make(_: object) -> bool:
        ((there,),) = link.select("SELECT to_regclass('account_format') IS NOT NULL")
        if there:
            return False
        ((encoding, schema),) = link.select(
            "SELECT current_setting('server_encoding'), current_schema()"
        )
        if encoding != "UTF8":
            raise AccountError(
                f"cannot use {link.place}",
                why=f"its encoding is {encoding}",
                hint="Make a database with the encoding UTF8.",
            )
        if schema is None:
            raise AccountError(
                f"cannot use {link.place}",
                why="no schema of its search path is there, or may be used",
                hint="Say `CREATE SCHEMA NAME AUTHORIZATION USER` in the database, or name one.",
            )
        found = {name for (name,) in link.select(_NAMES)}
        if "account_format" in found:  # another host was first
            return False
        taken = sorted(found & {*postgres_tables.TABLES, *postgres_schema.TABLES})
        if taken:
            raise AccountError(
                f"cannot use {link.place}",
                why=f"its schema {schema} has {', '.join(taken)} of another program",
                hint="Make a schema for msglog, and name it: `options=-csearch_path%3DNAME`.",
            )
        postgres_tables.make_tables(link)
        link.execute("UPDATE account_format SET format = $1", format_)
        postgres_schema.make_tables(link)
        return True

    try:
        return link.run(make, also=_THERE)
    finally:
        link.close()


def _is_left_over(path: Path) -> bool:
    return path.name == f"{ADDRESS_NAME}.new"


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(ADDRESS_BYTES + 2)
    except OSError as error:
        raise AccountError(f"cannot read {path}", why=error.strerror or str(error)) from error
    try:
        address = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        address = ""
    if not address or len(data) > ADDRESS_BYTES + 1 or "\n" in address:
        raise AccountError(f"{path} has no connection string")
    return address

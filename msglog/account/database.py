"""`account.db`: the tables of a server account in one SQLite file."""

from __future__ import annotations

import os
from contextlib import contextmanager

from msglog.account.audit import adding
from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, LocalError
from msglog.sqlite_file import (
    FAILURES,
    PRIVATE,
    SHARED,
    DatabaseError,
    Making,
    Trouble,
    begin_writing,
    connect,
    copy_into,
    faults,
    keep_log_short,
    make_in_memory,
    prepare,
    reason,
    shape,
    trouble,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike
    from typing import TypeVar

    from msglog.account.tables import Row, Value

    _Result = TypeVar("_Result")

APPLICATION_ID = 0x6D6C6F61
"""`mloa`, in the file's header: an account, not a repository."""

FORMAT = 3
"""The version of the tables below; an account of a newer one is refused, an older one upgraded."""

# What has no digest is kept twice, in its table and in an index over all its columns, which SQLite
# compares for `admin doctor`: so a changed bit in either is found. The audit is too long for that,
# and its records have checksums.
_VALUES = """
CREATE INDEX users_values ON users (name, role, created);
CREATE INDEX keys_values ON keys (user, type, blob, comment, added);
CREATE INDEX grants_values ON grants (user, repository, pattern, role);
CREATE INDEX settings_values ON settings (name, value);
CREATE INDEX policies_values ON policies (repository, pattern, name, value)"""

# What stays when old records of the audit go, in few rows whatever clients ask for, and when the
# account was last seen to.
_METRICS = """
CREATE TABLE totals (
    repository TEXT NOT NULL, operation TEXT NOT NULL, result TEXT NOT NULL,
    sessions INTEGER NOT NULL, operations INTEGER NOT NULL, messages INTEGER NOT NULL,
    size INTEGER NOT NULL, refused INTEGER NOT NULL, microseconds INTEGER NOT NULL,
    latency0 INTEGER NOT NULL, latency1 INTEGER NOT NULL, latency2 INTEGER NOT NULL,
    latency3 INTEGER NOT NULL, latency4 INTEGER NOT NULL, latency5 INTEGER NOT NULL,
    latency6 INTEGER NOT NULL, latency7 INTEGER NOT NULL, latency8 INTEGER NOT NULL,
    latency9 INTEGER NOT NULL, latency10 INTEGER NOT NULL, latency11 INTEGER NOT NULL,
    latency12 INTEGER NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (repository, operation, result)
) WITHOUT ROWID;
CREATE TABLE upkeep (
    task TEXT NOT NULL, repository TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY (task, repository)
) WITHOUT ROWID;
CREATE INDEX upkeep_values ON upkeep (task, repository, time)"""

# The only thing put in is a number of ours.
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE users (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE keys (
    fingerprint TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    type TEXT NOT NULL, blob BLOB NOT NULL, comment TEXT NOT NULL, added INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX keys_of_user ON keys (user);
CREATE TABLE grants (
    id INTEGER PRIMARY KEY, user INTEGER REFERENCES users ON DELETE CASCADE,
    repository TEXT NOT NULL, pattern TEXT NOT NULL, role TEXT NOT NULL
);
CREATE UNIQUE INDEX grants_in_repository ON grants (repository, ifnull(user, 0), pattern);
CREATE INDEX grants_of_user ON grants (user);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, user TEXT NOT NULL,
    key TEXT NOT NULL, address TEXT NOT NULL, repository TEXT NOT NULL, operation TEXT NOT NULL,
    log TEXT NOT NULL, messages INTEGER NOT NULL, size INTEGER NOT NULL, refused INTEGER NOT NULL,
    result TEXT NOT NULL, detail TEXT NOT NULL, session TEXT NOT NULL,
    checksum INTEGER NOT NULL DEFAULT 0
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE TRIGGER audit_keeps_its_end BEFORE DELETE ON audit
WHEN old.id > (SELECT max(id) FROM audit) - 100
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE TABLE policies (
    repository TEXT NOT NULL, pattern TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (repository, pattern, name)
) WITHOUT ROWID;
{_VALUES};
{_METRICS};
PRAGMA user_version = {FORMAT};
"""  # noqa: S608
"""Times are in microseconds since 1970 UTC. A grant without user is one to every user. A checksum
of 0 is none: the record is of the first format."""

_UPGRADES = {
    1: f"""
ALTER TABLE audit ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
{_VALUES};
PRAGMA user_version = 2;
""",
    2: f"""
{_METRICS};
PRAGMA user_version = 3;
""",
}
"""What makes the tables of a format those of the next one."""

_COUNT = adding()

_RESTORE = "Put the account back with `msglog admin restore --replace`."


class AccountError(LocalError):
    """The account cannot be read or written."""


class AccountFormatError(AccountError):
    """The file is no account, or one that a newer msglog wrote."""


class AccountBusyError(AccountError):
    """Another process held the account for too long."""

    temporary = True


class DamagedAccountError(IntegrityError):
    """The file is not sound: SQLite says so, or something in it cannot have been written by us."""


class Database:
    """Tables in SQLite: a connection to `account.db`, and transactions durable when done."""

    def __init__(self, connection: sqlite3.Connection, path: str | PathLike[str]) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def create(cls, path: str | PathLike[str], *, suffix: str) -> Database:
        """Make an empty account at path, readable by its owner alone; whole or not at all.

        suffix: some random text, for a name that nobody else uses meanwhile. Raises AccountError
        if path exists.
        """
        try:
            with Making(path, suffix) as unfinished:
                database = cls(_connect(unfinished, PRIVATE), path)
                try:
                    database._make_tables()
                finally:
                    database.close()
        except OSError as error:
            raise AccountError(f"cannot make {path}", why=error.strerror or str(error)) from error
        return cls.open(path)

    def _make_tables(self) -> None:
        with self.transaction():
            self._run(_SCHEMA)

    def _run(self, statements: str) -> None:
        for statement in statements.split(";\n"):
            self.execute(statement)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Database:
        """Open the account at path, which must be there; raises AccountError and its kin."""
        if not os.path.isfile(path):
            raise AccountError(
                f"there is no server account in {os.path.dirname(path)}",
                hint="Make one with `msglog admin init`.",
            )
        database = cls(_connect(path), path)
        try:
            database._prepare()
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self) -> None:
        with self._translated():
            prepare(self._connection, self._path, self._identify)
        self.execute("PRAGMA foreign_keys = ON")
        version = self._format()
        if version < FORMAT:
            self._upgrade(version)

    def _identify(self) -> None:
        self._format()

    def _format(self) -> int:
        (application,) = self.select("PRAGMA application_id")[0]
        version: int = self.select("PRAGMA user_version")[0][0]
        if application != APPLICATION_ID or version < 1:
            raise AccountFormatError(f"{self._path} is not a msglog server account")
        if version > FORMAT:
            raise AccountFormatError(
                f"{self._path} was written by a newer msglog",
                why=f"it has format {version}, this version knows up to {FORMAT}",
                hint="Install a newer msglog.",
            )
        return version

    def _upgrade(self, version: int) -> None:
        """Make an older format this one, whole or not at all."""
        try:
            with self.transaction():
                # Others may have been here first: what the format is now is known only inside.
                while (version := self._format()) < FORMAT:
                    self._run(_UPGRADES[version])
        except AccountBusyError:
            raise
        except AccountError as error:
            raise AccountFormatError(
                f"{self._path} is of an older format",
                why=f"it has format {version}, and cannot be upgraded to {FORMAT}: {error.why}",
                hint="Let the account's owner run `msglog admin doctor`.",
            ) from error

    @property
    def format(self) -> int:
        """The version of the tables."""
        return FORMAT

    def select(self, sql: str, *values: Value) -> list[Row]:
        """Return the rows of a question."""
        with self._translated():
            return self._connection.execute(sql, values).fetchall()

    def rows(self, sql: str, kinds: Sequence[type], *values: Value) -> list[Row]:
        """Return the rows of a question, whose values are of these types.

        Damage can make one of another type; raises DamagedAccountError for such a row.
        """
        found = self.select(sql, *values)
        if any(list(map(type, row)) != list(kinds) for row in found):
            raise self.damaged("a value is of the wrong type")
        return found

    def at_once(self, *questions: tuple[str, Sequence[type], Sequence[Value]]) -> list[list[Row]]:
        """Return the rows of each of some questions, all as of one moment."""
        with self.transaction(writing=False):
            return [self.rows(sql, kinds, *values) for sql, kinds, values in questions]

    def damaged(self, why: str) -> DamagedAccountError:
        """Return the error about what only damage can have put into a table."""
        return DamagedAccountError(f"{self._path} is damaged", why=why, hint=_RESTORE)

    def execute(self, sql: str, *values: Value) -> int:
        """Run a statement and return how many rows it changed."""
        with self._translated():
            changed = self._connection.execute(sql, values).rowcount
        self._keep_log_short()
        return changed

    def insert(self, sql: str, *values: Value) -> int:
        """Run a statement that adds one row and return the row's number."""
        with self._translated():
            number = self._connection.execute(sql, values).lastrowid or 0
        self._keep_log_short()
        return number

    def _keep_log_short(self) -> None:
        if not self._is_within():
            keep_log_short(self._connection, self._path)

    @contextmanager
    def durability(self, *, full: bool) -> Iterator[None]:
        """Say for what is done within whether it must survive a power failure (it does outside).

        What is not full survives the end of this process, however it ends; not in a transaction.
        """
        if full:
            yield
            return
        ((before,),) = self.select("PRAGMA synchronous")
        self.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self.execute(f"PRAGMA synchronous = {before}")

    def append(self, work: Callable[[bool], _Result], *, durable: bool) -> _Result:
        """Do work that only adds, all of it or nothing; once, since its end is always known."""
        with self.durability(full=durable), self.transaction():
            return work(False)  # noqa: FBT003 - see `Tables.append`

    def version(self) -> int:
        """Return a number that changes when another connection has committed a change."""
        number: int = self.select("PRAGMA data_version")[0][0]
        return number

    def count(self, *values: Value) -> None:
        """Add to a total; values: of `adding`."""
        self.execute(_COUNT, *values)

    def together(self, work: Callable[[], _Result], *, writing: bool = True) -> _Result:
        """Do work durably, or nothing of it; once: others are waited for before it begins."""
        with self.transaction(writing=writing):
            return work()

    @contextmanager
    def transaction(self, *, writing: bool = True) -> Iterator[None]:
        """Do all that is done within durably, or nothing of it; one writer at a time.

        One within another is a part of that: nothing is durable before the outer one is done.
        """
        if self._is_within():
            yield
            return
        with self._translated():
            if writing:
                begin_writing(self._connection)
            else:
                self._connection.execute("BEGIN")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._is_within():
                self.execute("ROLLBACK")
            raise

    def _is_within(self) -> bool:
        return self._connection.in_transaction

    def snapshot(self, path: str) -> None:
        """Write all, as it is at one moment, into a new file; raises AccountError and its kin.

        Others may read and write meanwhile. The file is not yet durable.
        """
        with self._translated():
            copy_into(self._connection, path)

    def faults(self) -> Iterator[str]:
        """Yield in words what SQLite finds damaged in the file; raises DamagedAccountError."""
        with self._translated():
            yield from faults(self._connection)
            # They are numbered in a row, and only the oldest are ever removed.
            ((gaps,),) = self.select("SELECT max(id) - min(id) + 1 - count(*) FROM audit")
            if gaps:
                yield f"the audit: {gaps} numbers of records are left out"
            sample = Database(make_in_memory(), "")
            sample._run(_SCHEMA)
            expected = shape(sample._connection)
            sample.close()
            for kind, name in sorted({one[:2] for one in expected ^ shape(self._connection)}):
                yield f"{kind} {name!r} is not as msglog makes it"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise _translation(error, self._path) from error


def _connect(path: str | PathLike[str], how: str = SHARED) -> sqlite3.Connection:
    try:
        return connect(path, how=how)
    except DatabaseError as error:
        raise _translation(error, path) from error


def _translation(error: Exception, path: str | PathLike[str]) -> AccountError | DamagedAccountError:
    match trouble(error):
        case Trouble.BUSY:
            return AccountBusyError(
                f"{path} is busy", why="another process holds it", hint="Try again in a moment."
            )
        case Trouble.FOREIGN:
            return AccountFormatError(f"{path} is not a msglog server account")
        case Trouble.DAMAGED:
            return DamagedAccountError(f"{path} is damaged", why=reason(error), hint=_RESTORE)
        case _:
            return AccountError(f"cannot use {path}", why=reason(error))

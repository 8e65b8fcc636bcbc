"""A connection to a PostgreSQL database: statements, and transactions that are tried again.

docs/adr/0018-postgresql.md says why all this is as it is.
"""

from __future__ import annotations

import os
import random
import struct
import time

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format, TransactionStatus

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.lean_psycopg import silence
from msglog.postgres_address import parameters_of, place_of, with_defaults
from msglog.postgres_connection import Connection, connected
from msglog.postgres_failure import (
    AGAIN,
    DAMAGED,
    NO_TABLES,
    TOO_SLOW,
    hint_of,
    is_lost,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Final, TypeAlias, TypeVar

    from msglog.errors import IntegrityError, LocalError

    _Result = TypeVar("_Result")

silence()

Row: TypeAlias = "tuple[Any, ...]"
Value: TypeAlias = "str | int | bool | bytes | Blobs | None"

ANSWER_SECONDS: Final = 25.0
"""How long an answer is waited for: a server that is frozen ends no statement by itself."""

SILENCE_SECONDS: Final = 600.0
"""The same for what may take long (see `Link.take_time`): for each statement, and each part of what
is copied, and not for the whole."""

PATIENCE_SECONDS: Final = 60.0
"""How long what fails for the moment is tried again: longer than a standby needs to take over."""

OPENING_SECONDS: Final = 20.0
"""How long a first connection is: a client waits 30 seconds for the greeting, and so hears why."""

BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"

MOMENT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""Begins a transaction that reads all as it was at one moment."""

_NO_DEADLINE = "set_config('statement_timeout', '0', true)"
DURABLE: Final = f"""
SELECT {_NO_DEADLINE}, set_config('synchronous_commit', CASE current_setting('synchronous_commit')
WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"""
"""Said before COMMIT: whatever the server, the database, the role or the address has set, the
commit is on the disk, and on that of the standby, when it is answered."""

_LATER = f"SELECT {_NO_DEADLINE}, set_config('synchronous_commit', 'off', true)"

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 1.0
_BYTEA = 17
_BYTEA_ARRAY = 1001


class Blobs(tuple["bytes", ...]):
    """Many byte strings, for one parameter: in SQL an array of bytea."""

    __slots__ = ()


class _BlobsDumper(Dumper):
    format = Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: Blobs) -> bytes:
        parts = [struct.pack("!iiIii", 1, 0, _BYTEA, len(obj), 1)]
        for one in obj:
            parts += (struct.pack("!i", len(one)), one)
        return b"".join(parts) if obj else struct.pack("!iiI", 0, 0, _BYTEA)


@dataclass(frozen=True, slots=True)
class Errors:
    """As which errors those of the database leave: of a store, or of an account.

    absent: there are no tables of ours.
    """

    failed: type[LocalError]
    busy: type[LocalError]
    damaged: type[IntegrityError]
    absent: type[LocalError]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a transaction. doubtful: an earlier one may have been committed all the same."""

    number: int
    doubtful: bool


class _Doubt(Exception):  # noqa: N818 - it says what is not known
    """Whether a transaction was committed is not known.

    by_standby: a server that is there has not answered, as where it waits for a standby.
    """

    def __init__(self, why: str = "", *, by_standby: bool = False) -> None:
        super().__init__(why)
        self.by_standby = by_standby


class Session:
    """What links over one connection share.

    address: a connection string of libpq without a password; raises ConnectionStringError. until:
    when somebody's patience ends who waits for a connection, on the clock that only goes forward.
    """

    def __init__(self, address: str) -> None:
        self.connection: psycopg.Connection[Row] | None = None
        self.address = address
        self.parameters = parameters_of(address)
        self.place = place_of(self.parameters)
        self.within = False
        self.warned = False
        self.was_there = False
        self.until: float | None = None

    def connect(self) -> psycopg.Connection[Row]:
        """Return a new connection; raises what psycopg raises."""
        left = OPENING_SECONDS if self.until is None else self.until - time.monotonic()
        self.connection = connected(with_defaults(self.parameters), left)
        self.end()
        self.was_there = True
        self.connection.adapters.register_dumper(Blobs, _BlobsDumper)
        self.connection.add_notice_handler(self._heard)
        return self.connection

    def end(self) -> None:
        """Take note that no transaction is under way any more."""
        self.within = False
        if isinstance(self.connection, Connection):
            self.connection.bound = ANSWER_SECONDS

    def _heard(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self.warned = True

    def give_up(self) -> bool:
        """Close the connection, where no answer comes; tell whether the server has heard of it."""
        has_heard = isinstance(self.connection, Connection) and self.connection.give_up()
        self.close()
        return has_heard

    def close(self) -> None:
        """Close the connection, if there is one; with it ends what was under way."""
        self.within = False
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self) -> None:
        """Close the connection of somebody who did not, as files are closed."""
        self.close()


class Link:
    """A connection that is made when it is first used, and made again when it is lost.

    Links may share a session, and have errors of their own. Not for two threads at once.
    """

    def __init__(self, session: Session, errors: Errors) -> None:
        self._session = session
        self._errors = errors

    @property
    def session(self) -> Session:
        """The connection, which others may share."""
        return self._session

    @property
    def place(self) -> str:
        """What people call the database: without user and password."""
        return self._session.place

    @property
    def tls_is_optional(self) -> bool:
        """Whether the connection that there is has TLS only if whoever answered wanted it."""
        connection = self._session.connection
        return isinstance(connection, Connection) and connection.tls_is_optional

    # Statements.

    def select(self, sql: str, *values: Value) -> list[Row]:
        """Return all rows of a question; outside of a transaction it is asked again where lost."""
        if self.is_within:
            return self._fetched(sql, values)
        return self._patiently(lambda _: self._fetched(sql, values))

    def say(self, sql: str, *values: Value) -> None:
        """Run a statement outside of a transaction, which has no answer and may be said twice."""
        self._patiently(lambda _: self._connection().execute(sql, values))

    def try_to_say(self, sql: str, *values: Value) -> None:
        """Run a statement outside of a transaction, once, and let it be if it fails."""
        try:
            self._connection().execute(sql, values)
        except psycopg.Error:
            self._session.close()

    def execute(self, sql: str, *values: Value) -> int:
        """Run a statement within a transaction, and return how many rows it changed."""
        return self._connection().execute(sql, values, binary=True).rowcount

    def all(self, statements: Iterable[tuple[str, Sequence[Value]]]) -> list[psycopg.Cursor[Row]]:
        """Send statements within a transaction, without waiting for each; return what came."""
        connection = self._connection()
        with connection.pipeline():
            return [connection.execute(sql, values, binary=True) for sql, values in statements]

    def at_once(self, questions: Sequence[tuple[str, Sequence[Value]]]) -> list[list[Row]]:
        """Return the rows of each of some questions, all as of one moment."""
        if self.is_within:
            return [cursor.fetchall() for cursor in self.all(questions)]

        def ask(_: Attempt) -> list[list[Row]]:
            cursors = self.all([(MOMENT, ()), *questions, ("COMMIT", ())])
            return [cursor.fetchall() for cursor in cursors[1:-1]]

        return self._patiently(lambda attempt: self._undone(ask, attempt))

    def _undone(self, work: Callable[[Attempt], _Result], attempt: Attempt) -> _Result:
        """Do work that begins and ends transactions itself, and undo what an error leaves."""
        try:
            return work(attempt)
        except BaseException:
            self.roll_back()
            raise

    def take_time(self) -> None:
        """Let statements of the transaction under way take as long as they need, in all."""
        connection = self._connection()
        connection.execute("SET LOCAL statement_timeout = 0")
        if isinstance(connection, Connection):
            connection.bound = SILENCE_SECONDS

    def copy_in(self, sql: str, rows: Iterable[Sequence[Value]], types: Sequence[str]) -> None:
        """Give rows to a COPY ... FROM STDIN (FORMAT BINARY) within a transaction."""
        with self._connection().cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def copy_out(self, sql: str, types: Sequence[str]) -> Iterator[Row]:
        """Yield the rows of a COPY ... TO STDOUT (FORMAT BINARY) within a transaction."""
        with self._connection().cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(types)
            yield from copy.rows()

    # Transactions.

    @property
    def is_within(self) -> bool:
        """Whether a transaction is under way."""
        return self._session.within

    def run(
        self,
        work: Callable[[Attempt], _Result],
        *,
        begin: str = BEGIN,
        durable: bool = True,
        certain: bool = False,
        waits_once: bool = False,
        also: frozenset[str] = frozenset(),
    ) -> _Result:
        """Do work in a transaction that is durable afterwards; again from the start where it fails.

        work may roll back itself, see `roll_back`, and is done from the start as often as there is
        patience for: what fails for a moment is no failure. Where the answer to COMMIT was lost,
        the next attempt is doubtful; certain: none follows, as work could not tell what to do.
        waits_once: nothing is changed, and a standby that has not answered is not asked again.
        also: further errors, by SQLSTATE, after which to try again. Not durable, nobody waits for
        a disk or a standby. One run within another is a part of that.
        """
        if self.is_within:
            return work(Attempt(1, doubtful=False))
        return self._patiently(
            lambda attempt: self._once(work, attempt, begin, durable=durable),
            certain=certain,
            waits_once=waits_once,
            also=also,
        )

    def _once(
        self, work: Callable[[Attempt], _Result], attempt: Attempt, begin: str, *, durable: bool
    ) -> _Result:
        self.begin(begin)
        try:
            result = work(attempt)
            if self.is_within:
                self.commit(durable=durable)
        except BaseException:
            self.roll_back()
            raise
        return result

    def begin(self, sql: str = BEGIN) -> None:
        """Begin a transaction; raises what psycopg raises."""
        self._connection().execute(sql)
        self._session.within = True

    def commit(self, *, durable: bool = True) -> None:
        """Make durable what was done since `begin`; raises _Doubt where the answer is lost.

        The server is given no deadline for this statement. One that is cancelled while it waits
        for a standby is committed here alone, and says so in a warning, not an error.
        """
        connection = self._connection()
        self._session.end()
        self._session.warned = False
        try:
            with connection.pipeline():
                connection.execute(DURABLE if durable else _LATER)
                done = connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if error.sqlstate in AGAIN:
                raise
            if error.sqlstate or connection.closed:
                raise _Doubt from error
            has_heard = self._session.give_up()
            why = f"COMMIT was not answered in {ANSWER_SECONDS:g} seconds"
            raise _Doubt(why, by_standby=has_heard) from None
        if self._session.warned:
            self._session.close()
            raise _Doubt
        if done.statusmessage != "COMMIT":
            raise self._errors.failed(f"cannot use {self.place}", why="it did not commit")

    def roll_back(self) -> None:
        """Undo what was done since `begin`, if a transaction is under way."""
        self._session.end()
        connection = self._session.connection
        if connection is None or connection.closed:
            return
        status = connection.info.transaction_status
        if status == TransactionStatus.IDLE:
            return
        if status == TransactionStatus.ACTIVE:
            self._session.give_up()  # it has not answered, and would go on
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self._session.close()

    def close(self) -> None:
        """Close the connection, if there is one; it is made again when it is needed."""
        self._session.close()

    # Patience.

    def _fetched(self, sql: str, values: Sequence[Value]) -> list[Row]:
        return self._connection().execute(sql, values, binary=True).fetchall()

    def _connection(self) -> psycopg.Connection[Row]:
        connection = self._session.connection
        if connection is not None and not connection.closed:
            return connection
        if self._session.within:
            raise psycopg.OperationalError("the connection was lost")
        return self._session.connect()

    def _patiently(
        self,
        work: Callable[[Attempt], _Result],
        *,
        certain: bool = False,
        waits_once: bool = False,
        also: frozenset[str] = frozenset(),
    ) -> _Result:
        """Do work, and do it again for as long as there is patience; raises only our errors."""
        started = time.monotonic()
        number, doubtful = 1, False
        while True:
            patience = PATIENCE_SECONDS if self._session.was_there else OPENING_SECONDS
            self._session.until = started + patience
            try:
                return work(Attempt(number, doubtful))
            except _Doubt as error:
                doubtful, failure = True, error.__cause__ or error
                self._session.close()
                if waits_once and error.by_standby:
                    raise self._given_up(failure, doubtful=False) from failure
                if certain:
                    raise self._given_up(failure, doubtful=True) from failure
            except psycopg.Error as error:
                failure = error
                if error.sqlstate not in AGAIN | also:
                    if not is_lost(error):
                        raise self.translation(error) from error
                    self._session.close()
            finally:
                self._session.until = None
            # Whoever lost once comes later the more often they lose, and never all at once.
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(number, 16))
            pause = longest * random.random()  # noqa: S311 - no secret
            patience = PATIENCE_SECONDS if self._session.was_there else OPENING_SECONDS
            if time.monotonic() - started + pause > patience:
                raise self._given_up(failure, doubtful=doubtful and not waits_once) from failure
            time.sleep(pause)
            number += 1

    def _given_up(self, error: BaseException, *, doubtful: bool) -> Exception:
        why = one_line(error)
        if doubtful:
            why = f"whether it has stored the change is not known: {why}"
        return self._errors.busy(
            f"{self.place} cannot be used just now", why=why, hint="Try again in a moment."
        )

    def translation(self, error: psycopg.Error) -> Exception:
        """Return what an error of the database means to whoever uses it."""
        if error.sqlstate in DAMAGED:
            return self.damaged(one_line(error))
        if error.sqlstate in NO_TABLES:
            return self._errors.absent(
                f"{self.place} has nothing of msglog's",
                hint="Make an account there with `msglog admin init --store`.",
            )
        if error.sqlstate == TOO_SLOW:
            return self._errors.busy(
                f"{self.place} is busy", why=one_line(error), hint="Try again in a moment."
            )
        return self._errors.failed(
            f"cannot use {self.place}", why=one_line(error), hint=hint_of(error)
        )

    def damaged(self, why: str) -> IntegrityError:
        """Return an error that says that the database is damaged."""
        return self._errors.damaged(f"{self.place} is damaged", why=why)


def fresh_number() -> int:
    """Return a random number that nothing else has been given, of 62 bits and never 0."""
    return int.from_bytes(os.urandom(8), "big") >> 2 | 1

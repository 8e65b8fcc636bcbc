"""The audit of a server account: one row for each operation, added and never changed."""

from __future__ import annotations

from msglog.account.setting import AUDIT_KEEP, AUDIT_SYSLOG, setting
from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.dataclass import dataclass, field
from msglog.digest import digest
from msglog.unsafe_text import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msglog.account.tables import Tables, Value

TEXT_CHARACTERS = 200
"""How much is kept of one text of a record."""

CLEAN_EVERY = 256
"""The oldest records are deleted each time that so many were added."""

CLEAN_AT_ONCE = 65_536
"""So many at most, where a setting has made very many too many: whoever adds waits for it."""

_CHECKSUM_BYTES = 7
"""Of a digest: SQLite keeps numbers of up to 8, with a sign."""

OK = "ok"
CUT = "cut"
"""The result of an operation that the client did not wait for."""

REFUSED = "refused"
"""The result of a push of which policies refused messages, and of a refused command line."""

GREETING = "greeting"
"""The operation of a session that was not let in; what it names need not be there."""

PUSH = "push"
"""What has a record for each batch that was acknowledged."""

WATCH = "watch"
"""What begins a session whose fetches are recorded as sums: it may bring one for each message."""

SESSION = "session"
"""The operation of what failed outside of any other."""

ADMIN = "admin"
"""The operation of an administrator's command, and the first word of what its record says."""


LATENCY_BOUNDS = (
    *(5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
    *(1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000),
)
"""Microseconds: each total has how many operations took up to so long, and longer than the one
before; the last number is that of all longer ones."""

TOTAL_NUMBERS = (
    *("sessions", "operations", "messages", "size", "refused", "microseconds"),
    *(f"latency{number}" for number in range(len(LATENCY_BOUNDS) + 1)),
)
"""The columns of the totals that only ever grow. Their sum is in the checksum, to which the names
give its beginning: so it can be added to as they are, and a changed bit in any is found."""


def adding(*, key: str = "", value: str = "") -> str:
    """Return the statement that adds to a total.

    Its values are names, numbers, the checksum if the total is new, and else what to add to it.
    key: the name of one more column of the key, and value: an expression for it.
    """
    more, by = (f", {key}", f", {value}") if key else ("", "")
    names = f"repository, operation, result, {', '.join(TOTAL_NUMBERS)}, checksum"
    sums = [f"{name} = totals.{name} + excluded.{name}" for name in TOTAL_NUMBERS]
    # All that is put in are names, commas and expressions of ours.
    return (
        f"INSERT INTO totals ({names}{more}) VALUES ({', '.join('?' * names.count(', '))}, ?{by})"  # noqa: S608
        f" ON CONFLICT (repository, operation, result{more}) DO UPDATE SET"
        f" {', '.join(sums)}, checksum = totals.checksum + ?"
    )


@dataclass(frozen=True, slots=True)
class Act:
    """One operation and what became of it.

    messages, size: how many messages were sent to or taken from the client, and their bytes.
    refused: how many messages policies refused. result: OK, or a code. detail: what else was said,
    such as a command line; it may have come from anywhere. duration: microseconds from the request
    to the answer's end, or None where nobody waited for one; it is counted, and not in the record.
    """

    operation: str
    log: str = ""
    messages: int = 0
    size: int = 0
    refused: int = 0
    result: str = OK
    detail: str = ""
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Who came, from where and to which repository: what the acts of one session have in common.

    user: a user, or `unix:NAME` for somebody on the machine itself. key: a fingerprint, or "".
    address: the client's, or "". session: random text.
    """

    user: str
    key: str = ""
    address: str = ""
    repository: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A row of the audit. time: microseconds since 1970 UTC."""

    time: int
    visit: Visit
    act: Act


class Audit(Protocol):
    """Somewhere to record the acts of one session."""

    def record(self, act: Act, *, durable: bool = False) -> None:
        """Record an act that is over; durable: a power failure cannot take it back any more."""


class NoAudit:
    """Records nothing, where the file system alone says who may do what."""

    def record(self, act: Act, *, durable: bool = False) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Trail:
    """The audit of an account, as one session writes it. clock: microseconds since 1970 UTC.

    Each act is also added to the totals, which stay when old records go.
    """

    database: Tables
    visit: Visit
    clock: Callable[[], int]
    _syslog: bool | None = field(default=None, init=False)
    _sessions: int = field(default=0, init=False)

    def let_in(self) -> None:
        """Have this session counted, with its first act or at its end."""
        self._sessions = 1

    def close(self) -> None:
        """Count a session that did nothing; raises AccountError."""
        if self._sessions:
            self.database.append(lambda _: self._count(Act(SESSION), operations=0), durable=False)
            self._sessions = 0

    def record(self, act: Act, *, durable: bool = False) -> None:
        """Add a row, and delete the oldest ones where there are too many; raises AccountError."""
        record = AuditRecord(self.clock(), self.visit, act)
        tried: list[int] = []

        def add(doubtful: bool) -> int:  # noqa: FBT001 - see `Tables.append`
            number = self._found(record, tried) if doubtful else 0
            if not number:
                number = self._insert(record)
                tried.append(number)
                self._count(act)
            return number

        number = self.database.append(add, durable=durable)
        self._sessions = 0
        if number % CLEAN_EVERY == 0:
            self._clean(number, durable=durable)
        if self._syslog is None:
            self._syslog = setting(self.database, AUDIT_SYSLOG) == "on"
        if self._syslog:
            _tell_syslog(record)

    def _insert(self, record: AuditRecord) -> int:
        visit, act = record.visit, record.act
        values: tuple[Value, ...] = (
            record.time,
            *map(plain, (visit.user, visit.key, visit.address, visit.repository)),
            *map(plain, (act.operation, act.log)),
            *(act.messages, act.size, act.refused),
            *map(plain, (act.result, act.detail, visit.session)),
        )
        return self.database.insert(
            'INSERT INTO audit (time, "user", key, address, repository, operation, log,'
            " messages, size, refused, result, detail, session, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
            checksum(values),
        )

    def _count(self, act: Act, *, operations: int = 1) -> None:
        """Add an act to the totals, which have few rows whatever clients ask for."""
        operation = ADMIN if act.operation.startswith(ADMIN) else plain(act.operation)
        repository = "" if operation == GREETING else plain(self.visit.repository)
        names = (repository, operation, plain(act.result))
        duration = act.duration or 0
        latencies = [0] * (len(LATENCY_BOUNDS) + 1)
        if act.duration is not None:
            latencies[sum([duration > bound for bound in LATENCY_BOUNDS])] = 1
        numbers = (self._sessions, operations, act.messages, act.size, act.refused, duration)
        base = checksum(names)
        added = sum(numbers) + sum(latencies)
        self.database.count(*names, *numbers, *latencies, base + added, added)

    def _found(self, record: AuditRecord, tried: Sequence[int]) -> int:
        """Return the number of a record that may be there already, or 0.

        tried: the numbers that it may have, which no other session was given, but by a standby
        that took over without knowing of them.
        """
        sql = "SELECT id FROM audit WHERE id = ? AND session = ? AND time = ? AND operation = ?"
        names = (plain(self.visit.session), record.time, plain(record.act.operation))
        return next((one for one in tried if self.database.rows(sql, (int,), one, *names)), 0)

    def _clean(self, number: int, *, durable: bool) -> None:
        """Delete the oldest records, or the first of them, if there are too many up to a number."""
        last = number - int(setting(self.database, AUDIT_KEEP))
        # As what may be done twice: an answer that is lost is no failure of what was recorded.
        sql = "DELETE FROM audit WHERE id <= ? AND id < (SELECT min(id) FROM audit) + ?"
        self.database.append(
            lambda _: self.database.execute(sql, last, CLEAN_AT_ONCE), durable=durable
        )


def records(
    database: Tables, *, since: int | None = None, user: str | None = None, limit: int
) -> list[AuditRecord]:
    """Return the last records, oldest first.

    since: microseconds since 1970 UTC. user: a name, or what is kept of it.
    """
    rows = database.rows(
        'SELECT time, "user", key, address, repository, session, operation, log, messages, size,'
        " refused, result, detail FROM audit WHERE (CAST(?1 AS BIGINT) IS NULL OR time >= ?1)"
        ' AND (CAST(?2 AS TEXT) IS NULL OR "user" = ?2) ORDER BY id DESC LIMIT ?3',
        (int, *[str] * 7, *[int] * 3, *[str] * 2),
        since,
        user if user is None or is_plain(user) else plain(user),
        limit,
    )
    return [AuditRecord(row[0], Visit(*row[1:6]), Act(*row[6:])) for row in reversed(rows)]


def last_number(database: Tables) -> int:
    """Return the number of the newest record, or 0."""
    number: int = database.rows("SELECT coalesce(max(id), 0) FROM audit", (int,))[0][0]
    return number


def faults(database: Tables) -> Iterator[str]:
    """Yield which records are not as they were written; raises DamagedAccountError."""
    last = 0
    sql = (
        'SELECT id, checksum, time, "user", key, address, repository, operation, log,'
        " messages, size, refused, result, detail, session FROM audit"
        " WHERE id > ? ORDER BY id LIMIT ?"
    )
    while rows := database.select(sql, last, CLEAN_EVERY):
        for number, kept, *values in rows:
            if kept not in (0, checksum(values)):
                yield f"record {number} of the audit is not as it was written"
        if rows[-1][0] <= last:  # a damaged tree may give the same rows again and again
            yield "the records of the audit are out of order"
            return
        last = rows[-1][0]


def checksum(values: Sequence[object]) -> int:
    """Return what is kept of a record, or a total's names, to tell whether it changed; never 0.

    values: numbers, and texts on one line.
    """
    text = "\n".join(map(str, values)).encode("utf-8", "surrogatepass")
    return int.from_bytes(digest(text)[:_CHECKSUM_BYTES], "big") | 1


def plain(text: str) -> str:
    """Return text as printable ASCII on one line, of bounded length, told apart from every other.

    Whatever is not printable ASCII is escaped as in Python's literals, and so is a backslash.
    """
    if not is_plain(text) or "\\" in text:
        # Cut twice: an escaped character is up to ten times as long.
        text = text[:TEXT_CHARACTERS].encode("unicode_escape").decode("ascii")
    return text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 3]}..."


def _tell_syslog(record: AuditRecord) -> None:
    import syslog  # noqa: PLC0415 - only where it is asked for

    visit, act = record.visit, record.act
    pairs = {
        "user": visit.user,
        "key": visit.key,
        "address": visit.address,
        "repository": visit.repository,
        "operation": act.operation,
        "log": act.log,
        "messages": str(act.messages),
        "bytes": str(act.size),
        "refused": str(act.refused),
        "result": act.result,
        "session": visit.session,
        "detail": act.detail,
    }
    words = [f"{name}={_quoted(plain(value))}" for name, value in pairs.items() if value]
    syslog.openlog("msglog", syslog.LOG_PID, syslog.LOG_AUTH)
    syslog.syslog(syslog.LOG_INFO if act.result == OK else syslog.LOG_NOTICE, " ".join(words))


def _quoted(text: str) -> str:
    if not any(character in text for character in ' "='):
        return text
    escaped = text.replace('"', "'")
    return f'"{escaped}"'

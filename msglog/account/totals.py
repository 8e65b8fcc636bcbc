"""What a server account has done since it was made, in numbers, and what it holds now."""

from __future__ import annotations

from operator import add

from msglog.account.audit import TOTAL_NUMBERS, checksum
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msglog.account.tables import Row, Tables

BACKUP = "backup"
GC = "gc"

_NAMES = ("repository", "operation", "result")
_COLUMNS = ", ".join((*_NAMES, *TOTAL_NUMBERS, "checksum"))
_TOTAL = (*[str] * len(_NAMES), *[int] * (len(TOTAL_NUMBERS) + 1))


@dataclass(frozen=True, slots=True)
class Total:
    """All acts of one kind since the account was made; no number ever becomes smaller.

    repository: "" where none was reached. operation: as in the audit, but `admin` for all commands
    of administrators. sessions: those that were let in, with the first act of each. messages, size:
    of what was sent or taken. microseconds: what took so long, one for each duration of latencies.
    latencies: how many operations took up to the LATENCY_BOUNDS, each but those that took up to the
    one before, and at last the longer ones.
    """

    repository: str
    operation: str
    result: str
    sessions: int
    operations: int
    messages: int
    size: int
    refused: int
    microseconds: int
    latencies: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Census:
    """What an account holds. records: of the audit. format: of its tables."""

    users: int
    keys: int
    grants: int
    records: int
    format: int


def totals(database: Tables) -> list[Total]:
    """Return the totals by repository, operation and result; raises DamagedAccountError."""
    rows = database.rows(
        f"SELECT {_COLUMNS} FROM totals ORDER BY repository, operation, result",  # noqa: S608
        _TOTAL,
    )
    if not all(map(_is_sound, rows)):
        raise database.damaged("a total is not as it was written")
    return list(map(_total, merged(rows)))


def merged(rows: Iterable[Row]) -> Iterator[Row]:
    """Return one row for all rows with the same names, which are shards of one total.

    rows: names, numbers, and a checksum that a changed bit makes wrong in the result as well.
    """
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        names, numbers = row[: len(_NAMES)], row[len(_NAMES) :]
        known = sums.get(names)
        # The names' own checksum is in each, and once in all.
        sums[names] = list(numbers) if known is None else list(map(add, known, numbers))
        if known is not None:
            sums[names][-1] -= checksum(names)
    return ((*names, *numbers) for names, numbers in sums.items())


def _total(row: Row) -> Total:
    repository, operation, result, sessions, operations, messages, size, refused, *rest = row
    microseconds, *latencies, _ = rest
    numbers = (sessions, operations, messages, size, refused, microseconds)
    return Total(repository, operation, result, *numbers, tuple(latencies))


def faults(database: Tables) -> Iterator[str]:
    """Yield which totals are not as they were written; raises DamagedAccountError."""
    for row in database.select(f"SELECT {_COLUMNS} FROM totals"):  # noqa: S608 - names of ours
        if tuple(map(type, row)) != _TOTAL or not _is_sound(row):
            yield f"the total of {' '.join(map(repr, row[: len(_NAMES)]))} is not as it was written"


def _is_sound(row: Row) -> bool:
    names, numbers, kept = row[: len(_NAMES)], row[len(_NAMES) : -1], row[-1]
    return bool(checksum(names) + sum(numbers) == kept and min(numbers) >= 0)


def census(database: Tables) -> Census:
    """Count what an account holds; raises DamagedAccountError."""
    # Records of the audit are added one after the other, and only the oldest ones ever go; what
    # PostgreSQL leaves out of their numbers is counted as well.
    rows = database.rows(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM keys),"
        " (SELECT count(*) FROM grants),"
        " (SELECT coalesce(max(id) - min(id) + 1, 0) FROM audit)",
        (int,) * 4,
    )
    users, keys, grants, records = rows[0]
    return Census(users, keys, grants, records, database.format)


def note_upkeep(database: Tables, task: str, repository: str, *, time: int) -> None:
    """Take note that a task was done, BACKUP of the whole or GC of one repository.

    time: of the state that a backup has, or when it was done, in microseconds since 1970 UTC.
    """
    sql = (
        "INSERT INTO upkeep (task, repository, time) VALUES (?, ?, ?)"
        " ON CONFLICT (task, repository) DO UPDATE SET time = excluded.time"
    )
    # As what may be done twice, if an answer is lost.
    database.append(lambda _: database.execute(sql, task, repository, time), durable=True)


def upkeep(database: Tables, task: str) -> dict[str, int]:
    """Return when a task was last done, by repository; raises DamagedAccountError."""
    sql = "SELECT repository, time FROM upkeep WHERE task = ? ORDER BY repository"
    return dict(database.rows(sql, (str, int), task))

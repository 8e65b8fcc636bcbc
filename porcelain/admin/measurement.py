"""The metrics of a server account, as families; a label never has what a client may choose."""

from __future__ import annotations

from msglog.account.audit import ADMIN, LATENCY_BOUNDS, PUSH
from msglog.account.totals import BACKUP, GC, census, totals, upkeep
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import MsglogError
from msglog.exposition import COUNTER, GAUGE, HISTOGRAM, Family, Sample, histogram
from msglog.key import SECOND
from msglog.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msglog.account.account import Account
    from msglog.account.totals import Total


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a repository holds. size: bytes of its store."""

    logs: int
    messages: int
    size: int


def measure(account: Account) -> list[Family]:
    """Return the metrics of an account, always in the same order.

    What is in its tables is of one moment. Raises DamagedAccountError if those are damaged; a
    repository that cannot be read has `msglog_up` 0, and nothing is said of its contents.
    """
    database = account.database
    counted, held, backups, collections = database.together(
        lambda: (
            totals(database),
            census(database),
            upkeep(database, BACKUP),
            upkeep(database, GC),
        ),
        writing=False,
    )
    names = account.repository_names()
    contents = {name: _contents(account, name) for name in names}
    return [
        _gauge("build_info", "The version that answers.", [Sample(1, (("version", __version__),))]),
        _gauge("account_format", "The format of the account's tables.", [Sample(held.format)]),
        _gauge("users", "Users of the account.", [Sample(held.users)]),
        _gauge("keys", "Keys of all users.", [Sample(held.keys)]),
        _gauge("grants", "Grants to all users.", [Sample(held.grants)]),
        _gauge("audit_records", "Records that the audit keeps.", [Sample(held.records)]),
        _gauge(
            "last_backup_timestamp_seconds",
            "When the state was that the last backup has, by seconds since 1970 UTC.",
            [Sample(time / SECOND) for time in backups.values()],
        ),
        _gauge(
            "last_gc_timestamp_seconds",
            "When gc was last through with a repository, by seconds since 1970 UTC.",
            [Sample(time / SECOND, _repository(name)) for name, time in collections.items()],
        ),
        _gauge(
            "up",
            "Whether a repository can be read.",
            [Sample(int(held is not None), _repository(name)) for name, held in contents.items()],
        ),
        *_held(contents),
        *_counted(names, counted),
        _latencies(counted),
    ]


def _held(contents: dict[str, _Contents | None]) -> list[Family]:
    readable = {name: held for name, held in contents.items() if held is not None}

    def family(name: str, meaning: str, value: Callable[[_Contents], int]) -> Family:
        samples = [Sample(value(held), _repository(one)) for one, held in readable.items()]
        return _gauge(name, meaning, samples)

    return [
        family("logs", "Logs of a repository.", lambda held: held.logs),
        family("messages", "Messages of all logs of a repository.", lambda held: held.messages),
        family("store_bytes", "Bytes of a repository's store on disk.", lambda held: held.size),
    ]


def _counted(names: Sequence[str], counted: Sequence[Total]) -> list[Family]:
    taken = [one for one in counted if one.operation == PUSH]
    sent = [one for one in counted if one.operation not in (PUSH, ADMIN)]

    def family(
        name: str, meaning: str, some: Sequence[Total], value: Callable[[Total], int]
    ) -> Family:
        sums = dict.fromkeys(names, 0)
        for one in some:
            if one.repository:
                sums[one.repository] = sums.get(one.repository, 0) + value(one)
        samples = [Sample(number, _repository(where)) for where, number in sorted(sums.items())]
        return _counter(name, meaning, samples)

    operations = [
        Sample(
            one.operations,
            (
                *_repository(one.repository),
                ("operation", one.operation),
                ("result", one.result),
            ),
        )
        for one in counted
        if one.operations
    ]
    return [
        family("sessions_total", "Sessions that were let in.", counted, lambda one: one.sessions),
        _counter("operations_total", "Operations, by what became of them.", operations),
        family(
            "received_messages_total",
            "Messages that pushes brought and that were taken.",
            taken,
            lambda one: one.messages,
        ),
        family(
            "received_bytes_total",
            "Bytes of messages that pushes brought and that were taken.",
            taken,
            lambda one: one.size,
        ),
        family(
            "refused_messages_total",
            "Messages that pushes brought and that policies refused.",
            taken,
            lambda one: one.refused,
        ),
        family(
            "sent_messages_total",
            "Messages that clients were sent.",
            sent,
            lambda one: one.messages,
        ),
        family(
            "sent_bytes_total",
            "Bytes of messages and of index nodes that clients were sent.",
            sent,
            lambda one: one.size,
        ),
    ]


def _latencies(counted: Sequence[Total]) -> Family:
    bounds = [bound / SECOND for bound in LATENCY_BOUNDS]
    samples: list[Sample] = []
    for operation in sorted({one.operation for one in counted if any(one.latencies)}):
        some = [one for one in counted if one.operation == operation]
        counts = [sum(column) for column in zip(*[one.latencies for one in some], strict=True)]
        total = sum([one.microseconds for one in some]) / SECOND
        samples += histogram((("operation", operation),), bounds, counts, total)
    return Family(
        "msglog_operation_duration_seconds",
        HISTOGRAM,
        "From a request to its answer's end; for a push, from a batch until it is stored.",
        tuple(samples),
    )


def _contents(account: Account, name: str) -> _Contents | None:
    """Return what a repository holds, or None if it cannot be read."""
    try:
        repository = account.open_repository(name)
        try:
            logs = repository.logs()
            size = repository.store.size()
        finally:
            repository.close()
    except (MsglogError, OSError):
        return None
    return _Contents(len(logs), sum([log.count for log in logs]), size)


def _repository(name: str) -> tuple[tuple[str, str], ...]:
    return (("repository", name),)


def _gauge(name: str, meaning: str, samples: Sequence[Sample]) -> Family:
    return Family(f"msglog_{name}", GAUGE, meaning, tuple(samples))


def _counter(name: str, meaning: str, samples: Sequence[Sample]) -> Family:
    return Family(f"msglog_{name}", COUNTER, meaning, tuple(samples))

"""What a push costs in a long log and in a short one, and what a message takes on the disk.

Whole pushes are by a user who may only append, over sshd: what an instrument does that has no copy of the log.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from msglog.account.account import Account
from msglog.key import Key, make_key
from msglog.message import Message
from msglog.objectid import object_id
from tests.bench.corpus import Entry, Vocabulary, entries, machine_vocabulary
from tests.bench.load import percentile
from tests.high_availability.front_end import (
    front_end,
    make_account,
    make_person,
    make_pusher,
    run_admin,
)
from tests.high_availability.postgresql import Server, running_server
from tests.scaling.throughput import DURABLE, push

PART = 20_000
PUSHES = 20
COMMITS = 100
NOW = 2_000_000_000_000_000
LOGS = ("short", "long")
STORES = ("SQLite", "PostgreSQL")
TABLES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT 4"""


def measure(folder: Path, counts: Sequence[int], stores: Sequence[str] = STORES) -> Iterator[str]:
    """Yield lines about each store, with a short and a long log in repositories of their own."""
    words = machine_vocabulary()
    with running_server(DURABLE) as server:
        for name in stores:
            store = server.address() if name == "PostgreSQL" else None
            place = folder / name
            account = make_account(place, store)
            with front_end(place, store, account=account) as front:
                for log, count in zip(LOGS, counts, strict=True):
                    front.admin("repository", "add", log)
                    began = time.monotonic()
                    fill(account, log, count, words)
                    seconds = time.monotonic() - began
                    yield f"{name}: {count} messages put in by the library in {seconds:.0f} s"
                sized = _sizes_in_postgresql if store else _sizes_in_sqlite
                yield from (f"{name}: {line}" for line in sized(front.account, server, sum(counts)))
                yield from (f"{name}: {line}" for line in _commits(account))
                user = make_person(front, "instrument", "append")
                pushers = []
                for log in LOGS:
                    home = user.home / log
                    home.mkdir()
                    pushers.append(make_pusher(user, f"{front.address(user)}:{log}", home))
                timed = [lambda one=one: push(one, 1)[0] for one in pushers]
                yield f"{name}: a push over sshd: {_compared(timed, PUSHES)}"


def fill(account: Path, name: str, count: int, words: Vocabulary) -> None:
    """Put messages of about 200 bytes into the log `main` of a repository."""
    opened = Account.open(account)
    try:
        repository = opened.open_repository(name)
        rest = entries(words, count, len(name))
        while part := list(islice(rest, PART)):
            repository.add("main", dict(map(_message, part)), time=0)
        repository.close()
    finally:
        opened.close()


def _message(entry: Entry) -> tuple[Key, bytes]:
    data = Message(entry.uuid, entry.time, 0, entry.author, entry.body).encode()
    return make_key(entry.time, object_id(data)), data


def _commits(account: Path) -> Iterator[str]:
    opened = Account.open(account)
    try:
        repositories = [opened.open_repository(name) for name in LOGS]
        numbers = iter(range(10**6))

        def add(at: int) -> float:
            number = next(numbers)
            text = f"message {number} of a push"
            entry = Entry("main", NOW + number, "ann", text, number.to_bytes(16, "big"))
            began = time.perf_counter()
            repositories[at].add("main", dict([_message(entry)]), time=NOW)
            return time.perf_counter() - began

        yield f"adding one message in one process: {_compared([lambda: add(0), lambda: add(1)], COMMITS)}"
    finally:
        opened.close()


def _compared(kinds: Sequence[Callable[[], float]], times: int) -> str:
    """Time both in turn; return their medians, and how the second one compares."""
    found: list[list[float]] = [[] for _ in kinds]
    for kind in kinds:
        kind()
    for _ in range(times):
        for at, kind in enumerate(kinds):
            found[at].append(kind())
    short, long = (percentile(sorted(one), 50) for one in found)
    return f"short {1000 * short:.2f} ms, long {1000 * long:.2f} ms, ratio {long / short:.2f}"


def _sizes_in_sqlite(account: Path, _: Server, count: int) -> Iterator[str]:
    def total() -> float:
        files = (account / "repositories").rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file()) / count

    yield f"{total():.0f} bytes a message"
    run_admin(account, "gc", "-q", seconds=None).check_returncode()
    yield f"{total():.0f} bytes a message after gc"


def _sizes_in_postgresql(account: Path, server: Server, count: int) -> Iterator[str]:
    def total() -> float:
        ((size,),) = server.query("SELECT pg_database_size(current_database())")
        return int(str(size)) / count

    yield f"{total():.0f} bytes a message"
    run_admin(account, "gc", "-q", seconds=None).check_returncode()
    server.query("VACUUM FULL")
    yield f"{total():.0f} bytes a message after gc and VACUUM FULL, of which"
    for table, size in server.query(TABLES):
        yield f"  {table} {int(str(size)) / count:.1f}"

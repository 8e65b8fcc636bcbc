"""Pushes a second through 1, 2 and 4 front ends over one PostgreSQL, and through one over SQLite.

Everything is on one machine: clients, sshds, PostgreSQL. What front ends cost is in the processor time, not in
how many there are.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import await_idle, percentile, processor_seconds, spend
from tests.bench.orphans import adopting
from tests.high_availability.front_end import front_end, make_pushers
from tests.high_availability.postgresql import Server, running_server
from tests.high_availability.pushers import Pusher

DURABLE = ("max_wal_size=4GB",)
"""fsync and all else as PostgreSQL has it."""

MESSAGES = 2
TEXT = "as long as a message is that somebody writes " * 4


class LoadError(Exception):
    """A push failed: the figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one run came to. Seconds of processor time and the rest are for each push."""

    name: str
    fronts: int
    pushes: float
    messages: float
    middle: float
    slowest: float
    client_processor: float
    front_processor: float
    database_processor: float
    commits: float
    wal_bytes: float

    def line(self) -> str:
        return (
            f"| {self.name} | {self.fronts} | {self.pushes:.1f} | {self.messages:.1f}"
            f" | {1000 * self.middle:.0f} | {1000 * self.slowest:.0f}"
            f" | {1000 * self.client_processor:.0f} | {1000 * self.front_processor:.0f}"
            f" | {1000 * self.database_processor:.1f} | {self.commits:.1f}"
            f" | {self.wal_bytes / 1000:.1f} |"
        )


HEAD = (
    "| store | front ends | pushes/s | messages/s | median, ms | 99 %, ms | client CPU, ms"
    " | sshd and receive-pack CPU, ms | PostgreSQL CPU, ms | commits | WAL, kB |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Database:
    """What PostgreSQL has used so far; nothing where there is none."""

    server: Server | None

    def read(self) -> tuple[float, float, float]:
        """Return seconds of processor time, commits and bytes of WAL."""
        if self.server is None:
            return 0.0, 0.0, 0.0
        ((commits, wal),) = self.server.query(
            "SELECT sum(xact_commit), pg_current_wal_lsn() - '0/0' FROM pg_stat_database"
        )
        return processor_seconds(self.server.running.pid), float(str(commits)), float(str(wal))


def measure(folder: Path, fronts: Sequence[int], clients: int, seconds: float) -> Iterator[Rate]:
    """Yield one rate for SQLite and one for each number of front ends, each with a new account."""
    yield _measured(folder / "sqlite", None, 1, clients, seconds)
    for number in fronts:
        with running_server(DURABLE) as server:
            place = folder / f"postgres{number}"
            yield _measured(place, server, number, clients, seconds)


def _measured(
    folder: Path, server: Server | None, number: int, clients: int, seconds: float
) -> Rate:
    store = None if server is None else server.address()
    with ExitStack() as stack:
        fronts = [stack.enter_context(front_end(folder / str(one), store)) for one in range(number)]
        pushers = make_pushers(fronts, clients)
        orphans = stack.enter_context(adopting())
        for pusher in pushers:
            push(pusher)
        database = Database(server)
        pids = [front.sshd.pid for front in fronts]
        for pid in pids:
            await_idle(pid)
        before = [processor_seconds(pid) for pid in pids]
        used = database.read()
        times: list[tuple[float, float]] = []
        began = time.monotonic()
        threads = [
            threading.Thread(target=_live, args=(pusher, began + seconds, times))
            for pusher in pushers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        for pid in pids:
            await_idle(pid)
        left, _ = orphans.collect()
        front = sum(map(processor_seconds, pids)) - sum(before) + left
        spent = [late - early for early, late in zip(used, database.read(), strict=True)]
        done = len(times)
        ordered = sorted(one for one, _ in times)
        return Rate(
            "SQLite" if server is None else "PostgreSQL",
            number,
            done / took,
            MESSAGES * done / took,
            percentile(ordered, 50),
            percentile(ordered, 99),
            sum(processor for _, processor in times) / done,
            front / done,
            *(one / done for one in spent),
        )


def _live(pusher: Pusher, until: float, times: list[tuple[float, float]]) -> None:
    while time.monotonic() < until:
        times.append(push(pusher))


def push(pusher: Pusher, messages: int = MESSAGES) -> tuple[float, float]:
    """Add some messages and push them; return the seconds of the push, and of the processor for both."""
    lines = "".join(f"{time.monotonic_ns()} {TEXT}\n" for _ in range(messages)).encode()
    processor = seconds = 0.0
    for words, stdin in ((("add", "-q", "--batch"), lines), (("push", "-q", "origin"), b"")):
        spent = spend(pusher.command(*words), stdin)
        if spent.complaint:
            raise LoadError(spent.complaint)
        processor += spent.processor
        seconds = spent.seconds
    return seconds, processor

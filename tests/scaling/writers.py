"""How many commits a second one PostgreSQL takes, into one log or into one for each writer, without any ssh."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msglog.account.account import Account
from msglog.message import Message, object_key
from tests.bench.load import percentile
from tests.high_availability.front_end import make_account, run_admin
from tests.high_availability.postgresql import following, running_server
from tests.scaling.throughput import DURABLE

START = 1_700_000_000_000_000
SYNCHRONOUS = (*DURABLE, "synchronous_standby_names=*")


def measure(folder: Path, numbers: Sequence[int], seconds: float) -> Iterator[str]:
    """Yield a line for each number of writers, without and with a standby that commits wait for."""
    yield "| | writers | commits/s into one log | median, ms | into one log each | median, ms |"
    yield "|---|---|---|---|---|---|"
    with running_server(DURABLE) as server:
        account = make_account(folder / "alone", server.address())
        yield from _lines("PostgreSQL", account, numbers, seconds)
    with running_server(SYNCHRONOUS) as primary, following(primary):
        account = make_account(folder / "followed", primary.address())
        yield from _lines("with a synchronous standby", account, numbers, seconds)
    account = make_account(folder / "sqlite", None)
    yield from _lines("SQLite", account, numbers, seconds)


def _lines(name: str, account: Path, numbers: Sequence[int], seconds: float) -> Iterator[str]:
    for number in range(max(numbers)):
        run_admin(account, "repository", "add", f"r{number}").check_returncode()
    for number in numbers:
        cells = []
        for apart in (False, True):
            tasks = [(account, one, f"r{one if apart else 0}", seconds) for one in range(number)]
            with multiprocessing.get_context("spawn").Pool(number) as pool:
                times = sorted(one for part in pool.starmap(_write, tasks) for one in part)
            cells += [f"{len(times) / seconds:.0f}", f"{1000 * percentile(times, 50):.1f}"]
        yield f"| {name} | {number} | {' | '.join(cells)} |"


def _write(account: Path, writer: int, name: str, seconds: float) -> list[float]:
    opened = Account.open(account)
    repository = opened.open_repository(name)
    times: list[float] = []
    base = time.time_ns()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        uuid = (base << 48 | writer << 32 | len(times)).to_bytes(16, "big")
        body = f"writer {writer} wrote message {len(times)} at {base}, and nothing else"
        data = Message(uuid=uuid, time=START, offset=0, author="ann", body=body).encode()
        began = time.perf_counter()
        repository.add("main", {object_key(data): data}, time=START)
        times.append(time.perf_counter() - began)
    opened.close()
    return times

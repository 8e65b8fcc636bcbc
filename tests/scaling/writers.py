"""How many pushes a second a store takes, into one log, logs of one repository or repositories, without any ssh.

Each is one message and its record in the audit, which count it in the repository's totals, as a push does.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from msglog.account.account import Account
from msglog.account.audit import Act, Trail, Visit
from msglog.message import Message, object_key
from tests.bench.load import percentile
from tests.high_availability.front_end import make_account, run_admin
from tests.high_availability.postgresql import following, running_server
from tests.scaling.throughput import DURABLE

START = 1_700_000_000_000_000
STORES = ("PostgreSQL", "with a synchronous standby", "with 100 ms a commit", "SQLite")
KINDS = (
    ("one log", "r0", "main", True),
    ("a log each", "r0", "log{}", True),
    ("the same, not audited", "r0", "log{}", False),
    ("a repository each", "r{}", "main", True),
)
"""What is written into: the name, the repository, the log, and whether the audit has it."""

FAR = (*DURABLE, "commit_delay=100000", "commit_siblings=0")
"""As with a standby that is far away: commits wait, and may do so together."""

SYNCHRONOUS = (*DURABLE, "synchronous_standby_names=*")


def measure(
    folder: Path, numbers: Sequence[int], seconds: float, stores: Sequence[str] = STORES
) -> Iterator[str]:
    """Yield a line for each number of writers and each store, such as one whose standby is waited for."""
    yield f"| | writers | {' | '.join(f'{kind[0]}, pushes/s | median, ms' for kind in KINDS)} |"
    yield f"|---|---|{'---|---|' * len(KINDS)}"
    for store in stores:
        with ExitStack() as stack:
            address = None
            if store != "SQLite":
                settings = {STORES[1]: SYNCHRONOUS, STORES[2]: FAR}.get(store, DURABLE)
                server = stack.enter_context(running_server(settings))
                if settings is SYNCHRONOUS:
                    stack.enter_context(following(server))
                address = server.address()
            account = make_account(folder / store.replace(" ", "-"), address)
            yield from _lines(store, account, numbers, seconds)


def _lines(name: str, account: Path, numbers: Sequence[int], seconds: float) -> Iterator[str]:
    for number in range(max(numbers)):
        run_admin(account, "repository", "add", f"r{number}").check_returncode()
    _make_logs(account, max(numbers))
    for number in numbers:
        cells = []
        for _, repository, log, audited in KINDS:
            tasks = [
                (account, one, repository.format(one), log.format(one), seconds, audited)
                for one in range(number)
            ]
            with multiprocessing.get_context("spawn").Pool(number) as pool:
                times = sorted(one for part in pool.starmap(_write, tasks) for one in part)
            cells += [f"{len(times) / seconds:.0f}", f"{1000 * percentile(times, 50):.1f}"]
        yield f"| {name} | {number} | {' | '.join(cells)} |"


def _make_logs(account: Path, count: int) -> None:
    opened = Account.open(account)
    repository = opened.open_repository("r0")
    for number in range(count):
        repository.create_log(f"log{number}", time=START)
    repository.close()
    opened.close()


def _write(  # noqa: PLR0917 - what a pool gives
    account: Path,
    writer: int,
    name: str,
    log: str,
    seconds: float,
    audited: bool,  # noqa: FBT001
) -> list[float]:
    opened = Account.open(account)
    repository = opened.open_repository(name)
    visit = Visit(f"writer{writer}", repository=name, session=f"session{writer}")
    trail = Trail(opened.database, visit, lambda: time.time_ns() // 1000)
    times: list[float] = []
    base = time.time_ns()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        uuid = (base << 48 | writer << 32 | len(times)).to_bytes(16, "big")
        body = f"writer {writer} wrote message {len(times)} at {base}, and nothing else"
        data = Message(uuid=uuid, time=START, offset=0, author="ann", body=body).encode()
        began = time.perf_counter()
        repository.add(log, {object_key(data): data}, time=START)
        if audited:
            trail.record(Act("push", log, messages=1, size=len(data)), durable=True)
        times.append(time.perf_counter() - began)
    opened.close()
    return times

"""What choosing the journal, and checkpoints under the writers' lock, cost on a local disk.

    python -m tests.bench.checkpoints

Opening a repository; then writers that commit batches at once, in processes of their own, with our
checkpoints and with those that SQLite makes by itself.
"""

import multiprocessing
import resource
import sqlite3
import tempfile
import time

import msglog.store.sqlite as store_sqlite
from msglog import sqlite_file
from msglog.message import object_key
from msglog.repository import Repository
from msglog.sqlite_file import mount_of
from msglog.store import sqlite_link
from tests.plumbing.peers import START, message

BATCH = 1024
BATCHES = 12
TURNS = 3
OPENINGS = 300


def batch(writer: int, number: int) -> dict[bytes, bytes]:
    first = (writer * BATCHES + number) * BATCH
    made = [message(first + n, body=f"{first + n} " + "x" * 800) for n in range(BATCH)]
    return {object_key(data): data for data in made}


def write(folder: str, writer: int, stock: bool, ready: object, times: object) -> None:  # noqa: FBT001
    """Commit batches to a log of its own, and say how long they took."""
    if stock:
        leave_to_sqlite()
    batches = [batch(writer, number) for number in range(BATCHES)]
    repository = Repository.open(folder)
    ready.wait()  # type: ignore[attr-defined]
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for one in batches:
        repository.add(f"log{writer}", one, time=START)  # type: ignore[arg-type]
    used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - used
    times.put((time.perf_counter() - start, used))  # type: ignore[attr-defined]
    repository.close()


def leave_to_sqlite() -> None:
    real = sqlite_file.prepare

    def prepare(connection: sqlite3.Connection, *rest: object) -> None:
        real(connection, *rest)  # type: ignore[arg-type]
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
        connection.execute("PRAGMA journal_size_limit = -1")

    setattr(store_sqlite, "prepare", prepare)  # noqa: B010 - its importers see their own name
    setattr(sqlite_link, "keep_log_short", lambda *_: None)  # noqa: B010 - as above


def run(writers: int, *, stock: bool) -> tuple[float, float]:
    """Return the longest of the writers' times, and the processor time of all."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository.create(f"{folder}/r", identity=bytes(16), time=0)
        for number in range(writers):
            repository.create_log(f"log{number}", time=0)
        repository.close()
        ready = multiprocessing.Barrier(writers)
        times: multiprocessing.Queue[tuple[float, float]] = multiprocessing.Queue()
        processes = [
            multiprocessing.Process(target=write, args=(f"{folder}/r", n, stock, ready, times))
            for n in range(writers)
        ]
        for process in processes:
            process.start()
        taken = [times.get() for _ in processes]
        for process in processes:
            process.join()
        return max(wall for wall, _ in taken), sum(used for _, used in taken)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Repository.create(folder, identity=bytes(16), time=0).close()
        for name, call in (
            ("open a repository", lambda: Repository.open(folder).close()),
            ("of that, find its mount", lambda: mount_of(folder)),
        ):
            best = 1.0
            for _ in range(OPENINGS):
                start = time.perf_counter()
                call()
                best = min(best, time.perf_counter() - start)
            print(f"{name}: {best * 1e6:.0f} us")
    mib = len(b"".join(batch(0, 0).values())) * BATCHES / (1 << 20)
    print(
        f"{BATCHES} commits of {BATCH} messages a writer, {mib:.0f} MiB; the least of {TURNS} runs:"
    )
    for writers in (1, 2, 4):
        for name, stock in (("SQLite's checkpoints", True), ("ours", False)):
            runs = [run(writers, stock=stock) for _ in range(TURNS)]
            wall, used = min(wall for wall, _ in runs), min(used for _, used in runs)
            print(f"{writers} writers, {name}: {wall:.2f} s, {used:.2f} s of processor time")


if __name__ == "__main__":
    main()

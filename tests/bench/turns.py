"""How long writers of one SQLite file wait for their turn: `python -m tests.bench.turns`.

By SQLite's own waiting and by msglog's, in turn. Each of many processes takes the writers' lock again
and again, holds it for a moment as a commit does, and does something else in between.
"""

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msglog.sqlite_file import begin_writing
from tests.bench.load import percentile, processor_seconds

PATIENCE_SECONDS = 30.0


def begin_by_sqlite(connection: sqlite3.Connection) -> None:
    """Begin as a writer, waiting as SQLite does."""
    connection.execute("BEGIN IMMEDIATE")


KINDS = {"SQLite": begin_by_sqlite, "msglog": begin_writing}


def write(
    path: Path,
    begin: Callable[[sqlite3.Connection], None],
    seconds: float,
    held: float,
    pause: float,
) -> list[float]:
    """Write again and again; return how long each turn was waited for, -1 where patience ended."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_SECONDS)
    waits = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            begin(connection)
        except sqlite3.OperationalError:
            waits.append(-1.0)
            continue
        waits.append(time.monotonic() - began)
        connection.execute("INSERT INTO one VALUES (1)")
        time.sleep(held)
        connection.execute("COMMIT")
        time.sleep(pause)
    connection.close()
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turns", description=__doc__)
    parser.add_argument("--writers", type=int, nargs="+", default=[2, 8, 32, 128])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--held", type=float, default=0.02, help="seconds of each commit")
    parser.add_argument(
        "--pause", type=float, default=0.02, help="seconds between two of one's own"
    )
    arguments = parser.parse_args()
    print("| writers | waits as | turns/s | median, s | 99 %, s | longest, s | gave up | CPU, s |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE one (number INTEGER)")
        for writers in arguments.writers:
            for name, begin in KINDS.items():
                given = [
                    (path, begin, arguments.seconds, arguments.held, arguments.pause)
                ] * writers
                with multiprocessing.get_context("fork").Pool(writers) as pool:
                    found = pool.starmap(write, given, chunksize=1)
                    children = multiprocessing.active_children()
                    spent = sum(processor_seconds(one.pid or 0) for one in children)
                waits = sorted(wait for one in found for wait in one)
                served = [wait for wait in waits if wait >= 0]
                print(
                    f"| {writers} | {name} | {len(served) / arguments.seconds:.0f}"
                    f" | {percentile(served, 50):.3f} | {percentile(served, 99):.3f}"
                    f" | {served[-1]:.2f} | {len(waits) - len(served)} | {spent:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

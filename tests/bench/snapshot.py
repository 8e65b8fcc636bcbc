"""Ways to copy a store in one piece, alone and beside a writer: `python -m tests.bench.snapshot N`.

N messages. Each way is timed alone, and while another connection commits one message after the other,
5 ms apart: how long the longest of these commits took, and how far the write-ahead log has grown.
"""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from msglog.message import Message, object_key
from msglog.repository import Repository

BATCH = 4096
PATIENCE = 30.0
ONE_BY_ONE = 10_000_000


def message(number: int) -> bytes:
    return Message(
        uuid=number.to_bytes(16, "big"),
        time=1_700_000_000_000_000 + 1000 * number,
        offset=60,
        author="ann",
        body=f"message {number} " + "the quick brown fox " * 9,
    ).encode()


def fill(folder: Path, count: int) -> None:
    repository = Repository.create(folder, identity=bytes(16), time=0)
    for first in range(0, count, BATCH):
        objects = [message(number) for number in range(first, min(count, first + BATCH))]
        repository.add("main", {object_key(data): data for data in objects}, time=1)
    repository.close()


def by_vacuum(source: Path, target: Path) -> None:
    connection = sqlite3.connect(source, isolation_level=None)
    connection.execute("VACUUM INTO ?", (str(target),))
    connection.close()


def by_backup(source: Path, target: Path, *, pages: int) -> None:
    connection = sqlite3.connect(source, isolation_level=None)
    copy = sqlite3.connect(target, isolation_level=None)
    copy.execute("PRAGMA synchronous = OFF")
    end = time.monotonic() + PATIENCE

    def look(_status: int, _left: int, _total: int) -> None:
        if time.monotonic() > end:
            raise TimeoutError

    try:
        connection.backup(copy, pages=pages, progress=look, sleep=0.001)
    except TimeoutError:
        print(f"given up after {PATIENCE:.0f} s: ", end="")
    connection.close()
    copy.close()


def write(folder: Path, stop: threading.Event, took: list[float]) -> None:
    repository = Repository.open(folder)
    number = ONE_BY_ONE
    while not stop.wait(0.005):
        data = message(number)
        begun = time.monotonic()
        repository.add("main", {object_key(data): data}, time=2)
        took.append(time.monotonic() - begun)
        number += 1
    repository.close()


def measure(name: str, way: Callable[[Path, Path], None], folder: Path, *, beside: bool) -> None:
    source, target = folder / "store.db", folder / "copy.db"
    stop, took = threading.Event(), list[float]()
    writer = threading.Thread(target=write, args=(folder, stop, took))
    if beside:
        writer.start()
        time.sleep(0.3)
        took.clear()
    begun = time.monotonic()
    way(source, target)
    seconds = time.monotonic() - begun
    log = Path(f"{source}-wal")
    grown = log.stat().st_size if log.exists() else 0
    stop.set()
    if beside:
        writer.join()
    print(
        f"{name:24} {'beside a writer' if beside else 'alone':16} {seconds:7.3f} s"
        f" {target.stat().st_size / 1e6:7.1f} MB, {len(took)} commits,"
        f" the longest {1000 * max(took, default=0):.1f} ms, log {grown / 1e6:.1f} MB"
    )
    target.unlink()


def main(count: int) -> None:
    ways: dict[str, Callable[[Path, Path], None]] = {
        "VACUUM INTO": by_vacuum,
        "backup, all at once": partial(by_backup, pages=-1),
        "backup, 256 pages a step": partial(by_backup, pages=256),
    }
    with TemporaryDirectory() as place:
        folder = Path(place, "repository")
        fill(folder, count)
        print(f"{count} messages, {(folder / 'store.db').stat().st_size / 1e6:.1f} MB")
        for name, way in ways.items():
            for beside in (False, True):
                measure(name, way, folder, beside=beside)


if __name__ == "__main__":
    main(int(sys.argv[1]))

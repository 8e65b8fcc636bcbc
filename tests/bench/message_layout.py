"""Compares keeping messages by key, by id, and by row number: `python -m tests.bench.message_layout`.

For each layout: time to write in batches of 4,096 in the order of the log, time to read all in that
order, time to find 1,000 by id, and size; 1,000,000 rows of 250 bytes unless a number is given.
"""

import random
import sqlite3
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

BATCH = 4096
DATA = bytes(range(250))
LAYOUTS = {
    "by key": ["CREATE TABLE m (key BLOB PRIMARY KEY, data BLOB) WITHOUT ROWID"],
    "by id": ["CREATE TABLE m (oid BLOB PRIMARY KEY, data BLOB) WITHOUT ROWID"],
    "by row, index on id": [
        "CREATE TABLE m (oid BLOB, data BLOB)",
        "CREATE UNIQUE INDEX i ON m (oid)",
    ],
}


def main(count: int) -> None:
    oids = [sha256(b"%d" % number).digest() for number in range(count)]
    names = {
        "by key": [number.to_bytes(8, "big") + oid for number, oid in enumerate(oids)],
        "by id": oids,
        "by row, index on id": oids,
    }
    for layout, schema in LAYOUTS.items():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "m.db"
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            for statement in schema:
                connection.execute(statement)
            rows = names[layout]
            column = "key" if layout == "by key" else "oid"

            def write() -> None:
                for low in range(0, count, BATCH):
                    connection.execute("BEGIN")  # noqa: B023 - called at once
                    part = [(name, DATA) for name in rows[low : low + BATCH]]  # noqa: B023
                    connection.executemany("INSERT INTO m VALUES (?, ?)", part)  # noqa: B023
                    connection.execute("COMMIT")  # noqa: B023

            def read(chosen: list[bytes]) -> None:
                for low in range(0, len(chosen), 256):
                    part = chosen[low : low + 256]
                    marks = ",".join("?" * len(part))
                    sql = f"SELECT {column}, data FROM m WHERE {column} IN ({marks})"  # noqa: B023
                    connection.execute(sql, part).fetchall()  # noqa: B023

            written = timed(write)
            listed = timed(lambda: read(rows))  # noqa: B023
            some = random.Random(1).sample(rows, 1000)
            found = timed(lambda: read(some))  # noqa: B023
            connection.close()
            size = path.stat().st_size / count
            print(
                f"{layout}: write {written:.2f} s, read in order {listed:.2f} s,"
                f" find 1000 {1000 * found:.0f} ms, {size:.0f} bytes a message",
                flush=True,
            )


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

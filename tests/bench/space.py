"""Compares ways to keep messages at rest: `python -m tests.bench.space [MESSAGES]`, 10,000 by default.

As plain rows; as rows compressed one by one with a trained dictionary; as segments of some messages in
one frame of zstd, which keep no keys: who looks for a message hashes those of its segment. For each: bytes a
message in a file written anew, and the least of several times a message: to write it, to read one in any place
with its hash checked, to read all in order. Then what `gc` makes of a store like a server's, and how long it
and `verify` take.
"""

import random
import sqlite3
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from msglog.compression import Dictionary, compress, expand, train
from msglog.key import Key, key_object_id
from msglog.message import OBJECT_BYTES_LIMIT, Message, object_key
from msglog.objectid import object_id
from msglog.repository import Insertion, Repository
from msglog.store.collection import Retention
from msglog.store.sqlite_condensation import LEVEL
from msglog.store.store import Receipt
from msglog.timestamp import DAY
from plumbing import verify
from plumbing.context import Context
from tests.bench.corpus import entries, machine_vocabulary

BATCH = 4096
POINTS = 1000
REPEATS = 5
_ROWS = """CREATE TABLE m (key BLOB PRIMARY KEY, receipt INTEGER, seen INTEGER, dictionary INTEGER,
 data BLOB) WITHOUT ROWID"""
# With row numbers: else a row of more than a quarter of a page has pages of its own.
_SEGMENTS = "CREATE TABLE m (first BLOB UNIQUE, receipts BLOB, seen INTEGER, frame BLOB)"


def main(count: int) -> None:
    messages = dict(_messages(count))
    keys = sorted(messages)
    mean = sum(map(len, messages.values())) / count
    print(f"{count} messages of {mean:.0f} bytes; bytes and microseconds a message")
    print(f"{'':24}{'bytes':>8}{'write':>8}{'one':>8}{'all':>8}")
    _rows("plain rows", messages, keys, None)
    samples = random.Random(1).sample(list(messages.values()), min(count, 10_000))
    for size in (16, 64, 112):
        data = train(samples, size << 10)
        _rows(f"rows, dictionary {size:3} KiB", messages, keys, data)
    for size in (16, 32, 64, 256):
        _segments(size, messages, keys)
    _store(messages, keys)


def _messages(count: int) -> Iterator[tuple[Key, bytes]]:
    for entry in entries(machine_vocabulary(), count, 1):
        data = Message(
            uuid=entry.uuid, time=entry.time, offset=0, author=entry.author, body=entry.body
        ).encode()
        yield object_key(data), data


def _rows(
    label: str, messages: dict[Key, bytes], keys: Sequence[Key], shared: bytes | None
) -> None:
    dictionary = Dictionary(shared or b"")
    insert = "INSERT INTO m VALUES (?, 1, 1700000000, ?, ?)"
    select = "SELECT key, dictionary, data FROM m WHERE key"

    def packed(part: Sequence[Key]) -> list[tuple[Key, int, bytes]]:
        if shared is None:
            return [(key, 0, messages[key]) for key in part]
        return [(key, 1, dictionary.compress(messages[key], LEVEL)) for key in part]

    def unpacked(number: int, data: bytes) -> bytes:
        return dictionary.expand(data, OBJECT_BYTES_LIMIT) if number else data

    def one(connection: sqlite3.Connection, key: Key) -> None:
        for found, number, data in connection.execute(f"{select} IN (?)", (key,)).fetchall():
            assert object_id(unpacked(number, data)) == key_object_id(Key(found))

    def everything(connection: sqlite3.Connection) -> None:
        for start in range(0, len(keys), 256):
            part = keys[start : start + 256]
            marks = ",".join("?" * len(part))
            for found, number, data in connection.execute(
                f"{select} IN ({marks})", part
            ).fetchall():
                assert object_id(unpacked(number, data)) == key_object_id(Key(found))

    _measure(
        label,
        _ROWS,
        keys,
        packed=lambda part: (insert, packed(part)),
        one=one,
        everything=everything,
    )


def _segments(size: int, messages: dict[Key, bytes], keys: Sequence[Key]) -> None:
    insert = "INSERT INTO m VALUES (?, x'01', 1700000000, ?)"
    limit = size * OBJECT_BYTES_LIMIT

    def packed(part: Sequence[Key]) -> list[tuple[Key, bytes]]:
        return [
            (part[start], _frame([messages[key] for key in part[start : start + size]]))
            for start in range(0, len(part), size)
        ]

    def one(connection: sqlite3.Connection, key: Key) -> None:
        sql = "SELECT frame FROM m WHERE first <= ? ORDER BY first DESC LIMIT 1"
        (frame,) = connection.execute(sql, (key,)).fetchone()
        assert any(object_id(data) == key_object_id(key) for data in _texts(frame, limit))

    def everything(connection: sqlite3.Connection) -> None:
        following = iter(keys)
        for (frame,) in connection.execute("SELECT frame FROM m ORDER BY first"):
            for data in _texts(frame, limit):
                assert object_id(data) == key_object_id(next(following))

    _measure(
        f"segments of {size}",
        _SEGMENTS,
        keys,
        packed=lambda part: (insert, packed(part)),
        one=one,
        everything=everything,
    )


def _frame(texts: Sequence[bytes]) -> bytes:
    content = b"".join(len(data).to_bytes(4, "big") + data for data in texts)
    return len(content).to_bytes(4, "big") + compress(content, LEVEL)


def _texts(frame: bytes, limit: int) -> Iterator[bytes]:
    size = int.from_bytes(frame[:4], "big")
    content = expand(frame[4:], size=min(size, limit), window_limit=1 << 25)
    position = 0
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        yield content[position + 4 : position + 4 + length]
        position += 4 + length


def _measure(
    label: str,
    schema: str,
    keys: Sequence[Key],
    *,
    packed: Callable[[Sequence[Key]], tuple[str, Sequence[tuple[object, ...]]]],
    one: Callable[[sqlite3.Connection, Key], None],
    everything: Callable[[sqlite3.Connection], None],
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute(schema)

            def write() -> None:
                connection.execute("DELETE FROM m")
                for start in range(0, len(keys), BATCH):
                    connection.execute("BEGIN")
                    connection.executemany(*packed(keys[start : start + BATCH]))
                    connection.execute("COMMIT")

            written = least(write)
            connection.execute("VACUUM")
            chosen = random.Random(2).sample(keys, min(len(keys), POINTS))

            def points() -> None:
                for key in chosen:
                    one(connection, key)

            point = least(points) / len(chosen)
            listed = least(lambda: everything(connection))
        size = path.stat().st_size / len(keys)
    print(
        f"{label:24}{size:8.1f}{1e6 * written / len(keys):8.2f}{1e6 * point:8.1f}"
        f"{1e6 * listed / len(keys):8.2f}",
        flush=True,
    )


def least(work: Callable[[], object]) -> float:
    """Return the least time in seconds of the processor that work takes."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def _store(messages: dict[Key, bytes], keys: Sequence[Key]) -> None:
    now = 1_700_000_000_000_000
    with TemporaryDirectory() as folder:
        repository = Repository.create(Path(folder), identity=bytes(16), time=now)
        store = repository.store
        for start in range(0, len(keys), BATCH):
            part = {key: messages[key] for key in keys[start : start + BATCH]}
            repository.commit(
                [Insertion("refs/logs/main", sorted(part))],
                time=now,
                reason="push",
                messages=part,
                receipt=Receipt("ann", now, "main"),
            )
        chosen = random.Random(2).sample(keys, min(len(keys), POINTS))
        for label in ("as pushed", "after gc", "after gc again"):
            if label != "as pushed":
                began = time.perf_counter()
                collected = store.collect(Retention(now + DAY))
                between = time.perf_counter()
                condensed = store.condense()
                print(
                    f"gc: {between - began:.2f} s to collect ({collected.nodes} nodes),"
                    f" {time.perf_counter() - between:.2f} s to compress {condensed.messages}"
                )
            began = time.perf_counter()
            streams = (BytesIO(), BytesIO(), BytesIO())
            context = Context(folder, folder, *streams, repository_directory=folder)
            assert verify.run(ArgumentParser().parse_args([]), context) == 0
            verified = time.perf_counter() - began
            point = least(lambda: [store.read_messages([key]) for key in chosen]) / len(chosen)
            listed = least(
                lambda: [
                    None for _ in repository.messages(repository.keys(repository.log("main").root))
                ]
            )
            size = store.size()
            print(
                f"store {label}: {size / len(keys):.1f} bytes a message, one {1e6 * point:.1f} us,"
                f" all {1e6 * listed / len(keys):.2f} us, verify {verified:.2f} s",
                flush=True,
            )
        repository.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

"""Measures the index and the store: `python -m tests.bench.index_and_store [KEYS]...`.

Prints one line a measurement, the best of a few runs; times in milliseconds of wall clock. Not a test:
its figures are for decision records, on a named machine.
"""

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from msglog.index.change import build, insert, merge, slice_from, splice
from msglog.index.walk import difference, iterate
from msglog.key import Key, make_key
from msglog.message import Message, object_key
from msglog.objectid import ObjectId, object_id
from msglog.repository import Repository

START = 1_700_000_000_000_000
SIZES = (10_000, 100_000, 1_000_000)
T = TypeVar("T")


def main(sizes: Sequence[int]) -> None:
    for size in sizes:
        measure_index(size)
    for size in sizes:
        measure_store(size)


def measure_index(size: int) -> None:
    keys = sorted(honest_key(number) for number in range(size))
    report(size, "build", best(lambda: build(keys), 3))
    index = build(keys)
    total = sum(map(len, index.nodes.values()))
    print(f"{size:>9} {len(index.nodes)} nodes, {total / size:.1f} bytes a key")
    nodes = index.nodes
    reads = [0]

    def read(ids: Sequence[ObjectId]) -> Mapping[ObjectId, bytes]:
        reads[0] += len(ids)
        return {oid: nodes[oid] for oid in ids}

    newest = [honest_key(size)]
    report(size, "insert one at the end", best(lambda: insert(read, index.root, newest), 20))
    more = insert(read, index.root, newest)
    made = sum(map(len, more.nodes.values()))
    print(f"{size:>9}   makes {len(more.nodes)} nodes, {made} bytes")
    nodes = {**nodes, **more.nodes}
    reads[0] = 0
    report(
        size, "difference of one", best(lambda: list(difference(read, index.root, more.root)), 20)
    )
    print(f"{size:>9}   reads {reads[0] // 20} nodes")
    scattered = sorted(
        make_key(
            START + random.Random(number).randrange(size) * 1_000_003, object_id(b"x%d" % number)
        )
        for number in range(1000)
    )
    report(size, "insert 1000 scattered", best(lambda: insert(read, index.root, scattered), 3))
    middle = keys[size // 3]
    report(size, "slice from a third on", best(lambda: slice_from(read, index.root, middle), 20))
    report(size, "splice at a third", best(lambda: splice(read, index.root, more.root, middle), 20))
    report(size, "list all keys", best(lambda: sum(1 for _ in iterate(read, index.root)), 3))
    other = insert(read, index.root, scattered)
    nodes = {**nodes, **other.nodes}
    report(size, "merge with 1000 scattered", best(lambda: merge(read, more.root, other.root), 3))


def measure_store(size: int) -> None:
    with TemporaryDirectory() as folder:
        repository = Repository.create(Path(folder) / "log", identity=bytes(16), time=0)
        messages = dict(honest_message(number) for number in range(size))
        began = time.perf_counter()
        batch = min(size, 100_000)
        ordered = sorted(messages)
        first = 0.0
        for low in range(0, size, batch):
            part = {key: messages[key] for key in ordered[low : low + batch]}
            repository.add("main", part, time=0)
            first = first or time.perf_counter() - began
        report(size, f"first {batch} messages in one commit", first)
        report(size, f"all in commits of {batch}", time.perf_counter() - began)
        one = [dict([honest_message(size + number)]) for number in range(30)]
        report(size, "commit one", best(lambda: repository.add("main", one.pop(), time=0), 30))
        root = repository.log("main").root
        report(
            size,
            "read all messages",
            best(lambda: sum(1 for _ in repository.messages(repository.keys(root))), 1),
        )
        repository.close()
        stored = sum(path.stat().st_size for path in (Path(folder) / "log").iterdir())
        print(f"{size:>9} {stored / size:.0f} bytes on disk a message")


def honest_key(number: int) -> Key:
    return make_key(START + number * 1_000_003, object_id(b"%d" % number))


def honest_message(number: int) -> tuple[Key, bytes]:
    body = f"message {number}: " + "the quick brown fox jumps over the lazy dog; " * 2
    uuid = object_id(b"%d" % number)[:16]
    data = Message(uuid, START + number * 1_000_003, 0, "ann@example", body).encode()
    return object_key(data), data


def best(work: Callable[[], T], runs: int) -> float:
    shortest = float("inf")
    for _ in range(runs):
        began = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


def report(size: int, what: str, seconds: float) -> None:
    print(f"{size:>9} {what}: {1000 * seconds:.3f} ms", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or SIZES)

"""Processes that do nothing but write into one store, and some that read all of it again and again."""

import os
import pickle
import time
from pathlib import Path

from msglog.key import Key
from msglog.layout import STORE_NAME
from msglog.message import Message, object_key
from msglog.repository import Repository
from msglog.sqlite_file import wal_size
from tests.bench.load import percentile

START = 1_700_000_000_000_000
SAMPLE_SECONDS = 0.02


def measure(folder: Path, writers: int, readers: int, size: int, seconds: float) -> str:
    """Return the figures of one run; size: messages of one write. All that was written is there."""
    folder.mkdir()
    place = folder / ".msglog"
    Repository.create(place, identity=bytes(16), time=START).close()
    deadline = time.monotonic() + seconds
    children = [
        _fork(folder / str(one), _write, place, one, size, deadline) for one in range(writers)
    ]
    children += [_fork(folder / "reader", _read, place, deadline) for _ in range(readers)]
    longest = 0
    while time.monotonic() < deadline:
        longest = max(longest, wal_size(place / STORE_NAME))
        time.sleep(SAMPLE_SECONDS)
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0
    times = [pickle.loads((folder / str(one)).read_bytes()) for one in range(writers)]
    ordered = sorted(second for one in times for second in one)
    repository = Repository.open(place)
    assert repository.log("main").count == len(ordered) * size
    repository.close()
    shares = sorted(map(len, times))
    return (
        f"  {writers} writers of {size}, {readers} readers: {len(ordered) / seconds:.0f} writes/s,"
        f" half within {percentile(ordered, 50) * 1000:.1f} ms, 99% within"
        f" {percentile(ordered, 99) * 1000:.0f} ms, worst {ordered[-1] * 1000:.0f} ms;"
        f" least and most by one {shares[0]} and {shares[-1]}; longest log {longest / 1e6:.1f} MB"
    )


def _fork(result: Path, work: object, *values: object) -> int:
    child = os.fork()
    if not child:
        status = 1
        try:
            assert callable(work)
            result.write_bytes(pickle.dumps(work(*values)))
            status = 0
        finally:
            os._exit(status)
    return child


def _write(place: Path, writer: int, size: int, deadline: float) -> list[float]:
    repository = Repository.open(place)
    times: list[float] = []
    while time.monotonic() < deadline:
        messages = _messages(writer, len(times), size)
        begun = time.perf_counter()
        repository.add("main", messages, time=START)
        times.append(time.perf_counter() - begun)
    repository.close()
    return times


def _messages(writer: int, number: int, size: int) -> dict[Key, bytes]:
    made = {}
    for position in range(size):
        uuid = (writer << 64 | number << 32 | position).to_bytes(16, "big")
        body = f"writer {writer} wrote number {number}, part {position}, and nothing else"
        moment = START + 1000 * number * size + position
        data = Message(uuid=uuid, time=moment, offset=0, author="ann", body=body).encode()
        made[object_key(data)] = data
    return made


def _read(place: Path, deadline: float) -> int:
    repository = Repository.open(place)
    read = 0
    while time.monotonic() < deadline:
        keys = repository.keys(repository.log("main").root)
        read += sum(1 for _ in repository.messages(keys))
    repository.close()
    return read

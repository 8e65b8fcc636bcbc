"""Stores of many honest messages, made in process: the command line takes minutes for a million.

The result is what `add` makes: valid messages under their keys in the log `main` of a store of this
version. Bodies come from a pool of a few thousand, so that none has to be made or encoded twice.
"""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from msglog.key import Key, make_key
from msglog.layout import STORE_NAME
from msglog.message import Message, object_key
from msglog.objectid import object_id
from msglog.repository import Repository
from msglog.store.sqlite import SqliteStore
from tests.bench.corpus import START, Vocabulary, body

POOL = 4096
BATCH = 50_000
BURST_SHARE = 0.05
BETWEEN_BURSTS = 120e6
WITHIN_BURST = 2e6
"""Mean gaps in microseconds: ten million messages are then two and a half years, all of them past."""

_UUID = bytes(range(100, 116))
_TIME = START


def honest_messages(words: Vocabulary, seed: int) -> Iterator[tuple[Key, bytes]]:
    """Yield encoded messages for ever, in order of time, under their keys."""
    chance = random.Random(seed)
    pool = [_cut(body(words, chance)) for _ in range(POOL)]
    moment = START
    while True:
        if chance.random() < BURST_SHARE:
            moment += int(chance.expovariate(1 / BETWEEN_BURSTS))
        moment += 1 + int(chance.expovariate(1 / WITHIN_BURST))
        first, middle, last, time_comes_first = pool[int(chance.random() * POOL)]
        uuid, time = chance.randbytes(16), moment.to_bytes(8, "big")
        one, other = (time, uuid) if time_comes_first else (uuid, time)
        data = b"".join((first, one, middle, other, last))
        yield make_key(moment, object_id(data)), data


def _cut(text: str) -> tuple[bytes, bytes, bytes, bool]:
    """Return an encoded message without its uuid and its time, which have the same length in all."""
    data = Message(_UUID, _TIME, 0, "ann", text).encode()
    time = _TIME.to_bytes(8, "big")
    at_time, at_uuid = data.index(time), data.index(_UUID)
    first, second = sorted(((at_time, len(time)), (at_uuid, len(_UUID))))
    middle = data[sum(first) : second[0]]
    return data[: first[0]], middle, data[sum(second) :], at_time < at_uuid


def fill(repository: Repository, stream: Iterator[tuple[Key, bytes]], count: int) -> None:
    """Put the next messages of a stream into the log `main`; the first of each part is checked whole.

    Without waiting for the disk: nobody loses anything if this is cut off.
    """
    assert isinstance(repository.store, SqliteStore)
    repository.store._link.connection.execute("PRAGMA synchronous = OFF")
    done = 0
    while done < count:
        part = dict(islice(stream, min(BATCH, count - done)))
        key, data = next(iter(part.items()))
        if object_key(data) != key:
            raise AssertionError("a message that was made has another key")
        repository.add("main", part, time=0)
        done += len(part)
    repository.store._link.connection.execute("PRAGMA synchronous = FULL")


def copy_store(source: Path, target: Path) -> None:
    """Put a closed repository's store in the place of another's, which keeps its identity."""
    store = target / STORE_NAME
    identity = _identity(store)
    shutil.copyfile(source / STORE_NAME, store)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE repository SET identity = ?", (identity,))


def _identity(store: Path) -> bytes:
    with closing(sqlite3.connect(store)) as connection:
        found: bytes = connection.execute("SELECT identity FROM repository").fetchone()[0]
    return found

"""However many pushes there were, nothing asks PostgreSQL for all of them in one answer."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from msglog.index.change import build
from msglog.key import FIRST_KEY, Key, make_key
from msglog.objectid import object_id
from msglog.postgres_link import Link
from msglog.refname import log_ref
from msglog.repository import Insertion, Repository
from msglog.store import postgres_collection
from msglog.store.collection import REMEMBERED, Retention
from msglog.store.memory import MemoryStore
from msglog.store.postgres import PostgresStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Agreement, Commit, Receipt, Store
from msglog.timestamp import DAY
from tests.postgres.databases import Databases

IDENTITY = bytes(range(16))
START = 1_700_000_000_000_000
PUSHES = 60
FEW = 20


def fill(store: Store) -> list[Key]:
    """Push often, each time one message more, and one that was there; return all keys."""
    keys: list[Key] = []
    repository = Repository(store, Path("/"))
    for number in range(PUSHES):
        given = {}
        for one in {number, max(0, number - 1)}:
            data = b"message %d" % one
            given[make_key(one * 1000, object_id(data))] = data
        keys.append(max(given))
        (ref,) = repository.commit(
            [Insertion(log_ref("main"), sorted(given))],
            # The later ones by clocks that are behind: receipts are numbered by their times.
            time=START - number,
            reason="push",
            messages=given,
            receipt=Receipt("ann", START - number, "main", f"key {number}"),
        )
        agreement = Agreement("p", "main", make_key(number, object_id(b"view")), ref.root)
        store.commit(Commit(START, "", agreed=[agreement]))
    store.commit(Commit(START, "", agreed=[Agreement("p", "main", FIRST_KEY, ref.root)]))
    return keys


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore(IDENTITY)


@pytest.fixture
def store(databases: Databases) -> Iterator[PostgresStore]:
    with closing(databases.make_store(IDENTITY, Commit(0, "made"))) as made:
        yield made


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the largest answer had."""
    genuine = Link._fetched
    found = [0]

    def fetched(link: Link, sql: str, values: Any) -> Any:
        rows = genuine(link, sql, values)
        found[0] = max(found[0], len(rows))
        return rows

    monkeypatch.setattr(Link, "_fetched", fetched)
    return found


def test_a_snapshot_of_many_pushes(
    store: PostgresStore, largest: list[int], tmp_path: Path
) -> None:
    keys = fill(store)
    largest[0] = 0
    store.snapshot(str(tmp_path / "copy"))
    assert largest[0] <= FEW
    expected = {
        key: Receipt("ann", START - number, "main", f"key {number}")
        for number, key in enumerate(keys)
    }
    with closing(SqliteStore.open(tmp_path / "copy")) as copy:
        assert copy.receipts(keys) == store.receipts(keys) == expected
        assert list(copy.faults()) == []
        numbers = copy._link.select("SELECT id, time FROM receipts ORDER BY id")
        assert numbers == [(number, START - PUSHES + number) for number in range(1, PUSHES + 1)]


def test_faults_after_many_pushes(store: PostgresStore, largest: list[int]) -> None:
    fill(store)
    largest[0] = 0
    assert list(store.faults()) == []
    sql = "UPDATE receipts SET messages = messages + 1 WHERE repository = $1"
    store._link.run(lambda _: store._link.execute(sql, store._number))
    sql = "UPDATE reflog SET time = time + 1 WHERE repository = $1"
    store._link.run(lambda _: store._link.execute(sql, store._number))
    assert len(list(store.faults())) == 3 * PUSHES
    assert largest[0] <= FEW


def test_gc_after_many_pushes(
    store: PostgresStore, memory: MemoryStore, largest: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_collection, "SLICE", FEW)
    monkeypatch.setattr(postgres_collection, "_SCAN", FEW)
    monkeypatch.setattr(postgres_collection, "_LOOKED_AT", FEW)
    for one in (memory, store):
        fill(one)
    largest[0] = 0
    for days in (1, 100, 200):
        retention = Retention(START + days * DAY, reflog_limit=PUSHES - 5)
        said = [one.collect(retention, dry_run=True) for one in (memory, store)]
        assert said[0] == said[1]
        done = [one.collect(retention) for one in (memory, store)]
        assert done[0] == done[1]
        assert days != 100 or done[1].roots > PUSHES
    for one in (memory, store):
        Repository(one, Path("/")).delete_log("main", time=START + 200 * DAY)
        one.forget_agreed("main")
    later = Retention(START + 200 * DAY + 2 * REMEMBERED)
    said = [one.collect(later, dry_run=True) for one in (memory, store)]
    assert said[0] == said[1]
    assert said[1].receipts == PUSHES
    assert largest[0] <= FEW


def examined(node: dict[str, Any]) -> int:
    """Return how many rows the parts of a plan that was run have looked at, at most."""
    below: int = max(map(examined, node.get("Plans", ())), default=0)
    seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return max(below, int(seen * node["Actual Loops"]))


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the largest question looked at, of those that have a deadline."""
    genuine = Link._fetched
    found = [0]

    def fetched(link: Link, sql: str, values: Any) -> Any:
        if not link.is_within:
            for way in ("seqscan", "bitmapscan", "sort"):  # which are for tables as small as these
                link._connection().execute(f"SET enable_{way} = off")
            plan = genuine(link, f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
            found[0] = max(found[0], examined(plan[0][0][0]["Plan"]))
        return genuine(link, sql, values)

    monkeypatch.setattr(Link, "_fetched", fetched)
    return found


def numbered(numbers: Iterable[int]) -> dict[Key, bytes]:
    given = {}
    for number in numbers:
        data = b"message %d" % number
        given[make_key(number * 1000, object_id(data))] = data
    return given


def test_gc_of_much_that_may_not_go(
    store: PostgresStore, memory: MemoryStore, most: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there were some ten million messages, gc ended with a question that took too long."""
    monkeypatch.setattr(postgres_collection, "_SCAN", FEW)
    monkeypatch.setattr(postgres_collection, "_LOOKED_AT", FEW)
    now = START + 100 * DAY
    unused, listed = numbered(range(200, 230)), numbered(range(100))
    for one in (memory, store):
        one.commit(Commit(START, "", messages=unused, nodes=build(sorted(unused)).nodes))
        one.commit(Commit(now, "", messages=numbered(range(300, 380))))
        Repository(one, Path("/")).commit(
            [Insertion(log_ref("main"), sorted(listed))], time=now, reason="", messages=listed
        )
    retention = Retention(now + DAY)
    told: list[tuple[int, int]] = []
    most[0] = 0
    done = store.collect(retention, progress=lambda *both: told.append(both))
    assert done == memory.collect(retention)
    assert done.messages == len(unused)
    assert most[0] <= FEW
    assert told[-1] == (100, 100)
    assert told == sorted(told)

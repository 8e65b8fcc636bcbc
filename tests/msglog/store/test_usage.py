"""What users deliver is counted with each change, and a quota holds whoever writes meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.key import Key, make_key
from msglog.objectid import object_id
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Commit, OverQuotaError, Quota, Receipt, Store, Usage
from tests.postgres.databases import Databases

IDENTITY = bytes(range(16))


def messages(*numbers: int) -> dict[Key, bytes]:
    bodies = [b"%08d" % number for number in numbers]
    return {
        make_key(number, object_id(data)): data
        for number, data in zip(numbers, bodies, strict=True)
    }


def by(user: str, *numbers: int, quota: Quota | None = None) -> Commit:
    receipt = Receipt(user, 1, "main")
    return Commit(1, "push", messages=messages(*numbers), receipt=receipt, quota=quota)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore(IDENTITY)
        return
    made: Store
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_store(IDENTITY)
    else:
        made = SqliteStore.create(tmp_path / "store.db", identity=IDENTITY, first=Commit(0, "made"))
    yield made
    made.close()


def test_only_the_first_delivery_counts(store: Store) -> None:
    assert store.usage("ann") == Usage()
    store.commit(by("ann", 1, 2))
    store.commit(by("ann", 2, 3))
    store.commit(by("bob", 3, 4))
    store.commit(Commit(1, "own", messages=messages(5)))
    assert store.usage("ann") == Usage(3, 24)
    assert store.usage("bob") == Usage(1, 8)


@pytest.mark.parametrize("quota", [Quota(messages=3), Quota(size=24), Quota(3, 24)])
def test_a_change_over_the_quota_is_not_done_at_all(store: Store, quota: Quota) -> None:
    store.commit(by("ann", 1, 2, quota=quota))
    with pytest.raises(OverQuotaError):
        store.commit(by("ann", 3, 4, quota=quota))
    assert store.usage("ann") == Usage(2, 16)
    assert store.find_messages(list(messages(3, 4))) == {}
    store.commit(by("ann", 1, 2, 3, quota=quota))
    store.commit(by("ann", 1, 2, 3, quota=quota))
    store.commit(by("ann", 3, quota=Quota(1, 1)))  # nothing new
    assert store.usage("ann") == Usage(3, 24)


def test_a_quota_says_whose_usage_counts(store: Store) -> None:
    store.commit(by("ann", 1, 2, quota=Quota(user="7")))
    assert (store.usage("ann"), store.usage("7")) == (Usage(), Usage(2, 16))
    with pytest.raises(OverQuotaError, match="bob"):
        store.commit(by("bob", 3, quota=Quota(messages=2, user="7")))
    store.commit(by("bob", 3, quota=Quota(messages=3, user="7")))
    assert (store.usage("bob"), store.usage("7")) == (Usage(), Usage(3, 24))


def test_writers_at_once_never_exceed_a_quota(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made")).close()

    def write(first: int) -> None:
        store = SqliteStore.open(path)
        for number in range(first, first + 20):
            try:
                store.commit(by("ann", number, quota=Quota(messages=30)))
            except OverQuotaError:
                refused.append(number)
        store.close()

    refused: list[int] = []
    threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = SqliteStore.open(path)
    assert store.usage("ann") == Usage(30, 240)
    assert len(refused) == 50
    store.close()


NUMBERS = st.lists(st.integers(0, 40), min_size=1)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_what_is_there_already_is_not_counted_wherever_it_lies(
    first: list[int], second: list[int], third: list[int]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        store = SqliteStore.create(path, identity=IDENTITY, first=Commit(0, "made"))
        for numbers in (first, second, third):
            store.commit(by("ann", *numbers))
        assert store.usage("ann").messages == len({*first, *second, *third})
        store.close()

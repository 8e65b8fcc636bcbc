import os
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.key import Key
from msglog.message import object_key
from msglog.objectid import DamagedObjectError, object_id
from msglog.repository import Repository
from msglog.search.catalogue import BusyCatalogueError, Catalogue, IndexedLog
from msglog.search.condition import condition
from msglog.search.query import parse
from msglog.search.upkeep import catch_up, is_worn_out
from msglog.store.collection import Retention
from msglog.store.store import MissingObjectError
from msglog.timestamp import DAY
from tests.plumbing.peers import START, add, make_repository, message

ALL = "-nothing"


@pytest.fixture
def repository() -> Repository:
    return make_repository(1)


@pytest.fixture
def catalogue(repository: Repository) -> Iterator[Catalogue]:
    made = Catalogue.temporary(repository.store.identity)
    yield made
    made.close()


def up(catalogue: Catalogue, repository: Repository, at_once: int = 7) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    catch_up(catalogue, repository, lambda *both: told.append(both), patience=0, at_once=at_once)
    return told


def found(catalogue: Catalogue, text: str = ALL) -> list[tuple[Key, tuple[str, ...]]]:
    hits = catalogue.hits(condition(parse(text, lambda *_: 0)), None)
    return sorted((hit.key, tuple(hit.logs)) for hit in hits)


def expected(repository: Repository) -> list[tuple[Key, tuple[str, ...]]]:
    logs: dict[Key, list[str]] = {}
    for log in repository.logs():
        for key in repository.keys(log.root):
            logs.setdefault(key, []).append(log.name)
    return sorted((key, tuple(names)) for key, names in logs.items())


def texts(catalogue: Catalogue) -> int:
    """Return how many rows the index of words has, be they of entries or gone."""
    return len(catalogue.select("SELECT id FROM text_docsize"))


def test_what_is_added_is_found(catalogue: Catalogue, repository: Repository) -> None:
    assert up(catalogue, repository) == []
    add(repository, *map(message, range(300)))
    assert up(catalogue, repository)[-1] == (300, 300)
    assert found(catalogue) == expected(repository)
    assert len(found(catalogue, "quick")) == 300
    assert len(found(catalogue, '"message 17"')) == 1
    add(repository, *map(message, range(290, 330)))
    told = up(catalogue, repository)
    assert told[-1] == (330, 330)
    assert sum(1 for done, _ in told if done > 300) == len(told)  # nothing is indexed again
    assert found(catalogue) == expected(repository)
    assert texts(catalogue) == 330


def test_many_logs_and_a_message_in_two(catalogue: Catalogue, repository: Repository) -> None:
    for number in range(40):
        repository.create_log(f"lab/{number}", time=START)
        add(repository, message(number), message(number + 1), log=f"lab/{number}")
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)
    assert found(catalogue, "log:lab/1* 11 -log:lab/11")[0][1] == ("lab/10", "lab/11")[:1]


def test_a_deleted_log_is_forgotten(catalogue: Catalogue, repository: Repository) -> None:
    repository.create_log("lab", time=START)
    add(repository, *map(message, range(30)), log="lab")
    add(repository, *map(message, range(20, 50)))
    up(catalogue, repository)
    assert not is_worn_out(catalogue)
    repository.delete_log("lab", time=START)
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)
    assert len(found(catalogue)) == 30
    assert is_worn_out(catalogue)


def test_a_renamed_log_is_not_indexed_again(catalogue: Catalogue, repository: Repository) -> None:
    repository.create_log("lab", time=START)
    add(repository, *map(message, range(30)), log="lab")
    up(catalogue, repository)
    repository.rename_log("lab", "hall", time=START)
    add(repository, message(99), log="hall")
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)
    assert texts(catalogue) == 31


def test_a_log_that_was_made_anew_has_what_it_has(
    catalogue: Catalogue, repository: Repository
) -> None:
    repository.create_log("lab", time=START)
    add(repository, *map(message, range(30)), log="lab")
    up(catalogue, repository)
    repository.delete_log("lab", time=START)
    repository.create_log("lab", time=START)
    add(repository, *map(message, range(25, 35)), log="lab")
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)
    assert texts(catalogue) == 35


@pytest.mark.parametrize("cut", range(1, 9))
def test_it_goes_on_where_it_was_cut_off(
    catalogue: Catalogue, repository: Repository, cut: int
) -> None:
    add(repository, *map(message, range(10)))
    up(catalogue, repository)
    add(repository, *map(message, range(10, 60)))
    left = cut

    def stop(_done: int, _total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catch_up(catalogue, repository, stop, patience=0, at_once=7)
    add(repository, *map(message, range(60, 70)))  # the target is another one meanwhile
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)
    assert texts(catalogue) == 70


class Forgetful:
    """A store that has lost nodes, and reads some messages wrongly."""

    def __init__(self, repository: Repository) -> None:
        self.inner = repository.store
        self.lost: set[bytes] = set()
        self.damaged: set[bytes] = set()

    def read_nodes(self, ids: Sequence[bytes]) -> object:
        for oid in ids:
            if oid in self.lost:
                raise MissingObjectError(oid.hex())
        return self.inner.read_nodes(ids)  # type: ignore[arg-type]

    def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
        if self.damaged.intersection(keys):
            raise DamagedObjectError(object_id(b""), where="a test")
        return self.inner.read_some(keys, byte_limit)

    def read_messages(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        if self.damaged.intersection(keys):
            raise DamagedObjectError(object_id(b""), where="a test")
        return self.inner.read_messages(keys)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@pytest.fixture
def forgetful(repository: Repository) -> Forgetful:
    store = Forgetful(repository)
    repository.store = store  # type: ignore[assignment]
    return store


@pytest.mark.parametrize("cut", [0, 2])
def test_a_root_that_gc_has_removed_costs_nothing_but_time(
    catalogue: Catalogue, repository: Repository, forgetful: Forgetful, cut: int
) -> None:
    add(repository, *map(message, range(200)))
    up(catalogue, repository)
    old = repository.log("main").root
    repository.delete_log("main", time=START)
    repository.create_log("main", time=START)
    add(repository, *map(message, range(100, 300)))
    if cut:
        calls = iter([None] * cut)
        with pytest.raises(StopIteration):
            catch_up(catalogue, repository, lambda *_: next(calls), patience=0, at_once=7)
        old = catalogue.logs()["main"].base or old
    forgetful.lost.add(old)
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)
    assert texts(catalogue) == 300


def test_a_target_that_gc_has_removed_half_way(
    catalogue: Catalogue, repository: Repository, forgetful: Forgetful
) -> None:
    add(repository, *map(message, range(200)))
    calls = iter([None] * 3)
    with pytest.raises(StopIteration):
        catch_up(catalogue, repository, lambda *_: next(calls), patience=0, at_once=7)
    forgetful.lost.add(repository.log("main").root)
    repository.delete_log("main", time=START)
    repository.create_log("main", time=START)
    add(repository, *map(message, range(10, 300)))
    up(catalogue, repository)
    assert found(catalogue) == expected(repository)


def test_an_index_of_the_store_that_is_damaged_is_said_so(
    catalogue: Catalogue, repository: Repository, forgetful: Forgetful
) -> None:
    add(repository, *map(message, range(200)))
    forgetful.lost.add(repository.log("main").root)
    with pytest.raises(MissingObjectError):
        up(catalogue, repository)


def test_what_cannot_be_read_is_left_out_until_it_can_be(
    catalogue: Catalogue, repository: Repository, forgetful: Forgetful
) -> None:
    add(repository, *map(message, range(50)))
    bad = [object_key(message(number)) for number in (0, 17, 49)]
    forgetful.damaged.update(bad)
    up(catalogue, repository)
    assert catalogue.unread() == 3
    assert len(found(catalogue, "quick")) == 47
    forgetful.damaged.remove(bad[1])
    up(catalogue, repository)
    assert catalogue.unread() == 2
    assert len(found(catalogue, "quick")) == 48
    repository.delete_log("main", time=START)
    up(catalogue, repository)
    assert catalogue.unread() == 0


def test_long_texts_are_not_held_together(catalogue: Catalogue, repository: Repository) -> None:
    bodies = [f"pump {number} " + "long " * 40_000 for number in range(40)]
    add(repository, *(message(number, body=body) for number, body in enumerate(bodies)))
    tracemalloc.start()
    try:
        up(catalogue, repository, at_once=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found(catalogue, "pump long")) == 40
    assert peak < sum(map(len, bodies)) / 2


def test_after_gc_of_a_real_store(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "r", identity=bytes(16), time=START)
    with closing(repository), closing(Catalogue.temporary(bytes(16))) as catalogue:
        repository.create_log("lab", time=START)
        add(repository, *map(message, range(300)), log="lab")
        up(catalogue, repository)
        old = catalogue.logs()["lab"].target
        repository.delete_log("lab", time=START)
        add(repository, *map(message, range(100)))
        repository.store.collect(Retention(START + 400 * DAY, DAY))
        repository.store.collect(Retention(START + 800 * DAY, DAY))
        assert repository.store.find_nodes([old]) == {}
        up(catalogue, repository)
        assert found(catalogue) == expected(repository)


def test_two_at_once_do_each_message_once(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "r", identity=bytes(16), time=START)
    add(repository, *map(message, range(400)))
    repository.close()
    path = str(tmp_path / "search.db")
    failed: list[BaseException] = []
    Catalogue.open(path, bytes(16), patience=0).close()

    def work() -> None:
        try:
            with (
                closing(Repository.open(tmp_path / "r")) as mine,
                closing(Catalogue.open(path, bytes(16), patience=5)) as catalogue,
            ):
                catch_up(catalogue, mine, lambda *_: None, patience=30, at_once=10)
                assert found(catalogue) == expected(mine)
                assert texts(catalogue) == 400
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_somebody_who_holds_it_and_does_nothing_is_not_waited_for(tmp_path: Path) -> None:
    repository = make_repository(1)
    add(repository, message(1))
    path = str(tmp_path / "search.db")
    with (
        closing(Catalogue.open(path, repository.store.identity, patience=0)) as holder,
        closing(Catalogue.open(path, repository.store.identity, patience=0)) as catalogue,
        holder.transaction(),
        pytest.raises(BusyCatalogueError),
    ):
        up(catalogue, repository)


def test_somebody_who_gets_on_is_waited_for(tmp_path: Path) -> None:
    repository = make_repository(1)
    add(repository, *map(message, range(40)))
    path = str(tmp_path / "search.db")
    identity = repository.store.identity
    seen: list[int] = []
    with (
        closing(Catalogue.open(path, identity, patience=0)) as other,
        closing(Catalogue.open(path, identity, patience=0)) as catalogue,
    ):

        def tell(done: int, _total: int) -> None:
            seen.append(done)
            if len(seen) > 3 and other.connection.in_transaction:
                other.connection.execute("COMMIT")

        other.connection.execute("BEGIN IMMEDIATE")
        catch_up(catalogue, repository, tell, patience=3600, at_once=7)
        assert seen[:4] == [0, 0, 0, 0]
        assert len(found(catalogue)) == 40


def test_who_is_overtaken_does_not_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(1)
    add(repository, *map(message, range(10)))
    path = str(tmp_path / "search.db")
    identity = repository.store.identity
    with (
        closing(Catalogue.open(path, identity, patience=0)) as slow,
        closing(Catalogue.open(path, identity, patience=0)) as quick,
    ):
        begin = slow.transaction

        def late() -> AbstractContextManager[None]:
            add(repository, *map(message, range(10, 20)))
            up(quick, repository)
            return begin()

        monkeypatch.setattr(slow, "transaction", late)
        up(slow, repository)
        assert found(slow) == expected(repository)
        assert texts(slow) == 20
        assert slow.select("SELECT gone FROM catalogue") == [(0,)]


def test_a_reader_that_is_locked_out_waits(
    catalogue: Catalogue, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(repository, message(1))
    reads = iter([True, True, True, True])
    read = Catalogue.logs

    def logs(self: Catalogue) -> dict[str, IndexedLog]:
        if next(reads, False):
            raise BusyCatalogueError("it is busy")
        return read(self)

    monkeypatch.setattr(Catalogue, "logs", logs)
    catch_up(catalogue, repository, lambda *_: None, patience=3600)
    assert len(found(catalogue)) == 1


def test_the_empty_log(catalogue: Catalogue, repository: Repository) -> None:
    up(catalogue, repository)
    assert catalogue.logs()["main"].target == EMPTY_ROOT
    assert os.path.basename(catalogue.path) == ""

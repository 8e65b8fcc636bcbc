"""Repositories: named logs over a store, and what holds when several write at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from msglog import sqlite_file
from msglog.index.change import build, insert
from msglog.index.node import EMPTY_ROOT
from msglog.key import Key, key_object_id
from msglog.layout import STORE_NAME
from msglog.message import Message, object_key
from msglog.objectid import DamagedObjectError, ObjectIdError, object_id
from msglog.refname import InvalidNameError
from msglog.repository import (
    Insertion,
    Log,
    LogExistsError,
    Repository,
    UnknownLogError,
    overlay,
)
from msglog.store import sqlite
from msglog.store.memory import MemoryStore
from msglog.store.store import (
    Commit,
    Committed,
    Lost,
    MissingObjectError,
    Ref,
    RefUpdate,
    StoreBusyError,
    StoreError,
)

IDENTITY = bytes(range(16))
MAIN = "refs/logs/main"


def some(first: int, last: int) -> dict[Key, bytes]:
    """The messages with these numbers, under their keys."""
    made = {}
    for number in range(first, last):
        message = Message(
            uuid=UUID(int=number).bytes,
            time=1000 * number,
            offset=0,
            author="ann",
            body=str(number),
        )
        data = message.encode()
        made[object_key(data)] = data
    return made


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository.create(tmp_path / "folder", identity=IDENTITY, time=5)
    yield made
    made.close()


def test_a_new_repository_is_private_and_has_an_empty_main(repository: Repository) -> None:
    assert repository.logs() == [Log("main", EMPTY_ROOT, 0)]
    assert repository.path.stat().st_mode & 0o077 == 0
    assert (repository.path / STORE_NAME).stat().st_mode & 0o077 == 0
    assert repository.store.identity == IDENTITY
    assert sorted(path.name for path in repository.path.iterdir() if ".new-" in path.name) == []


def test_what_was_added_is_there_after_opening_again(repository: Repository) -> None:
    messages = some(0, 300)
    log = repository.add("main", messages, time=6)
    assert log == Log("main", build(sorted(messages)).root, 300)
    repository.close()
    again = Repository.open(repository.path)
    assert again.log("main") == log
    assert list(again.keys(log.root)) == sorted(messages)
    assert dict(again.messages(again.keys(log.root, reverse=True))) == messages
    again.close()


def test_making_one_over_another_is_refused_and_changes_nothing(repository: Repository) -> None:
    repository.add("main", some(0, 3), time=6)
    with pytest.raises(StoreError):
        Repository.create(repository.path, identity=bytes(16), time=7)
    assert repository.log("main").count == 3


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Repository.open(tmp_path)
    assert caught.value.exit_status == 7
    assert list(tmp_path.iterdir()) == []


def test_logs_are_made_renamed_and_deleted(repository: Repository) -> None:
    repository.create_log("team/ops", time=6)
    with pytest.raises(LogExistsError):
        repository.create_log("team/ops", time=7)
    with pytest.raises(InvalidNameError):
        repository.create_log("../x", time=7)
    repository.add("team/ops", some(0, 2), time=8)
    with pytest.raises(LogExistsError):
        repository.rename_log("team/ops", "main", time=9)
    with pytest.raises(UnknownLogError):
        repository.rename_log("nothing", "new", time=9)
    repository.rename_log("team/ops", "ops", time=9)
    assert [log.name for log in repository.logs()] == ["main", "ops"]
    assert repository.log("ops").count == 2
    assert repository.delete_log("ops", time=10).count == 2
    with pytest.raises(UnknownLogError):
        repository.log("ops")
    with pytest.raises(UnknownLogError):
        repository.delete_log("ops", time=11)


def test_nothing_is_added_to_a_log_that_is_not_there(repository: Repository) -> None:
    with pytest.raises(UnknownLogError) as caught:
        repository.add("other", some(0, 1), time=6)
    assert caught.value.exit_status == 2
    assert [log.name for log in repository.logs()] == ["main"]


def test_adding_again_changes_nothing(repository: Repository) -> None:
    first = repository.add("main", some(0, 10), time=6)
    assert repository.add("main", some(3, 7), time=7) == first
    assert len(repository.store.reflog(MAIN, 10)) == 2


class Contested(MemoryStore):
    """A store in which another writer is first, so many times."""

    def __init__(self, losses: int) -> None:
        super().__init__(IDENTITY)
        self.losses = losses
        self.number = 1000

    def commit(self, commit: Commit) -> Committed | Lost:
        if self.losses and commit.refs:
            self.losses -= 1
            self.number += 1
            old = self.ref(MAIN)
            assert old is not None
            other = some(self.number, self.number + 1)
            index = insert(self.read_nodes, old.root, sorted(other))
            super().commit(
                Commit(
                    0,
                    "other",
                    messages=other,
                    nodes=index.nodes,
                    refs=[RefUpdate(MAIN, old.root, Ref(index.root, index.count))],
                )
            )
        return super().commit(commit)


def contested(losses: int) -> Repository:
    store = Contested(0)
    store.commit(Commit(0, "made", refs=[RefUpdate(MAIN, None, Ref(EMPTY_ROOT, 0))]))
    store.losses = losses
    return Repository(store, Path("memory"))


@pytest.mark.parametrize("losses", [0, 1, 5, 99])
def test_a_lost_race_is_run_again_and_loses_no_message(losses: int) -> None:
    repository = contested(losses)
    log = repository.add("main", some(0, 100), time=6)
    expected = {**some(0, 100), **some(1001, 1001 + losses)}
    assert log == Log("main", build(sorted(expected)).root, len(expected))
    assert dict(repository.messages(repository.keys(log.root))) == expected


def test_a_computed_result_is_not_used_when_the_log_has_moved() -> None:
    repository = contested(1)
    keys = sorted(some(0, 5))
    (ref,) = repository.commit(
        [Insertion(MAIN, keys, computed=(EMPTY_ROOT, build(keys)))],
        messages=some(0, 5),
        time=6,
        reason="push",
    )
    assert ref.count == 6
    assert ref.root == build(sorted({**some(0, 5), **some(1001, 1002)})).root


def test_a_race_that_is_always_lost_ends() -> None:
    with pytest.raises(StoreBusyError) as caught:
        contested(100).add("main", some(0, 1), time=6)
    assert caught.value.exit_status == 7
    repository = contested(0)
    index = build(sorted(some(0, 1)))
    repository.store.commit(Commit(0, "x", messages=some(0, 1), nodes=index.nodes))
    assert isinstance(repository.store, Contested)
    repository.store.losses = 200
    with pytest.raises(StoreBusyError):
        repository.merge_into("main", index.root, time=6, reason="pull")


def test_merging_an_index_of_the_store(repository: Repository) -> None:
    repository.add("main", some(0, 150), time=6)
    repository.create_log("other", time=6)
    repository.add("other", some(100, 300), time=7)
    other = repository.log("other")
    merged = repository.merge_into("main", other.root, time=8, reason="pull")
    assert merged == Log("main", build(sorted(some(0, 300))).root, 300)
    assert repository.merge_into("main", other.root, time=9, reason="pull") == merged
    assert repository.store.reflog(MAIN, 1)[0].time == 8
    made = repository.merge_into("fresh", other.root, time=9, reason="pull")
    assert repository.log("fresh") == made == Log("fresh", other.root, 200)
    assert list(repository.difference(other.root, merged.root)) == sorted(some(0, 100))


def test_two_insertions_are_one_change(repository: Repository) -> None:
    keys = sorted(some(0, 70))
    refs = repository.commit(
        [Insertion(MAIN, keys), Insertion("refs/remotes/origin/main", keys[:66])],
        messages=some(0, 70),
        time=6,
        reason="fetch",
    )
    assert [ref.count for ref in refs] == [70, 66]
    assert repository.store.refs() == dict(
        zip([MAIN, "refs/remotes/origin/main"], refs, strict=True)
    )


def test_finding_by_the_beginning_of_an_id(repository: Repository) -> None:
    repository.add("main", some(0, 400), time=6)
    key = sorted(some(0, 400))[123]
    digits = key_object_id(key).hex()
    assert repository.find(digits) == [key]
    assert key in repository.find(digits[:4].upper())
    assert repository.find("0" * 64) == []
    repository.create_log("other", time=7)
    repository.add("other", some(400, 500), time=7)
    newest = max(some(400, 500))
    assert repository.find(key_object_id(newest).hex()[:12]) == [newest]
    for text in ("", "abc", "xyzw", "-bcd"):
        with pytest.raises(ObjectIdError):
            repository.find(text)


def test_what_was_fetched_and_not_merged_is_found_too(repository: Repository) -> None:
    repository.add("main", some(0, 200), time=6)
    repository.commit(
        [Insertion("refs/remotes/origin/main", sorted(some(0, 201)))],
        messages=some(200, 201),
        time=7,
        reason="fetch",
    )
    (fetched,) = some(200, 201)
    known = min(some(0, 200))
    assert repository.find(key_object_id(fetched).hex()) == [fetched]
    assert repository.find(key_object_id(known).hex()) == [known]


def test_what_the_look_up_knew_may_be_gone(repository: Repository) -> None:
    """Another look-up went on from it, and gc removed it; or it was noted after a long sleep."""
    repository.add("main", some(0, 200), time=6)
    repository.store.extend_index("main", object_id(b"removed"), [])
    for key in some(0, 200):
        assert repository.find(key_object_id(key).hex()) == [key]
    assert repository.store.indexed("main") == repository.log("main").root


def test_whoever_looks_up_holds_no_lock_while_an_index_is_walked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_LOOKED_UP_AT_ONCE", 10)
    repository.add("main", some(0, 100), time=6)
    keys = sorted(some(0, 100))
    root = repository.log("main").root

    def walk() -> Iterator[Key]:
        for number, key in enumerate(keys):
            other = Repository.open(repository.folder)
            monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.0)
            other.add("main", some(1000 + number, 1001 + number), time=7)
            assert other.store.indexed("main") == EMPTY_ROOT
            other.close()
            yield key

    repository.store.extend_index("main", root, walk())
    assert repository.store.indexed("main") == root
    digits = key_object_id(keys[55]).hex()
    assert repository.store.look_up(digits, 2) == [keys[55]]


def test_abbreviations_grow_with_the_log(repository: Repository) -> None:
    assert repository.abbreviation_length() == 7
    update = RefUpdate(MAIN, EMPTY_ROOT, Ref(object_id(b""), 1_000_000))
    repository.store.commit(Commit(6, "many", refs=[update]))
    assert repository.abbreviation_length() == 11


def test_a_message_that_is_missing_or_damaged_is_named() -> None:
    store = MemoryStore(IDENTITY)
    repository = Repository(store, Path("memory"))
    messages = some(0, 2)
    (good, bad) = sorted(messages)
    store.commit(Commit(0, "x", messages={bad: messages[bad] + b"!"}))
    with pytest.raises(DamagedObjectError, match=key_object_id(bad).hex()):
        list(repository.messages(iter([bad])))
    with pytest.raises(MissingObjectError, match=key_object_id(good).hex()):
        list(repository.messages(iter([good])))


def test_reading_ahead_is_bounded() -> None:
    asked: list[int] = []

    class Counting(MemoryStore):
        def read_some(self, keys: Sequence[Key], byte_limit: int) -> list[bytes]:
            asked.append(len(keys))
            return super().read_some(keys, byte_limit)

    store = Counting(IDENTITY)
    store.commit(Commit(0, "x", messages=some(0, 1000)))
    found = Repository(store, Path("memory")).messages(iter(sorted(some(0, 1000))))
    next(found)
    assert asked == [1]
    assert len(list(found)) == 999
    assert max(asked) <= 256
    assert len(asked) < 16


def test_a_reader_over_what_is_not_stored_yet() -> None:
    index = build(sorted(some(0, 100)))
    stored: Mapping = dict(list(index.nodes.items())[:1])  # type: ignore[type-arg]
    asked: list[object] = []

    def read(ids: object) -> Mapping:  # type: ignore[type-arg]
        asked.append(ids)
        return stored

    made = {oid: data for oid, data in index.nodes.items() if oid not in stored}
    assert overlay(read, made)(list(index.nodes)) == index.nodes
    assert asked == [list(stored)]
    assert overlay(read, made)(list(made)) == made
    assert len(asked) == 1

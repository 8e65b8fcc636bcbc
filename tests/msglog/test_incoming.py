"""What waits beside a store: whole or not there, taken in once, and damage is set aside."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog import incoming
from msglog.digest import digest
from msglog.incoming import Waiting, drop, take_in, waiting
from msglog.key import Key
from msglog.message import Message, object_key
from msglog.repository import Repository
from msglog.store.store import StoreBusyError

BODIES = st.lists(st.text(max_size=40), min_size=1, max_size=5, unique=True)


def objects(bodies: list[str]) -> dict[Key, bytes]:
    made = [
        Message(uuid=n.to_bytes(16, "big"), time=n, offset=0, author="ann", body=body).encode()
        for n, body in enumerate(bodies)
    ]
    return {object_key(data): data for data in made}


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository.create(tmp_path / "r", identity=bytes(16), time=0)
    yield made
    made.close()


def kept(repository: Repository, log: str = "main") -> dict[Key, bytes]:
    return dict(repository.messages(repository.keys(repository.log(log).root)))


def files(repository: Repository) -> list[Path]:
    return sorted(Path(repository.folder, "incoming").glob("*"))


@settings(max_examples=30)
@given(bodies=BODIES, log=st.sampled_from(["main", "team/ops", "x.1"]))
def test_what_was_dropped_waits_exactly(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[str], log: str
) -> None:
    folder = tmp_path_factory.mktemp("r")
    messages = objects(bodies)
    name = drop(str(folder), log, messages.values())
    (one,) = waiting(str(folder))
    assert isinstance(one, Waiting)
    assert (one.name, one.log, one.messages) == (name, log, messages)
    assert drop(str(folder), log, messages.values()) == name
    assert len(list(waiting(str(folder)))) == 1


@settings(max_examples=50)
@given(bodies=BODIES, place=st.floats(0, 0.999999), bit=st.integers(0, 7), cut=st.integers(1, 9))
def test_any_damage_is_seen(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[str], place: float, bit: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("r")
    name = drop(str(folder), "main", objects(bodies).values())
    path = folder / "incoming" / name
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-cut])
    assert list(waiting(str(folder))) == [name]
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    assert list(waiting(str(folder))) == [name]


@settings(max_examples=50)
@given(content=st.binary(max_size=60))
def test_no_content_is_taken_for_messages_because_its_name_is_right(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("r")
    (folder / "incoming").mkdir()
    for data in (content, incoming.MAGIC + content, incoming.MAGIC + b"main\n" + content):
        (folder / "incoming" / f"{digest(data).hex()}.messages").write_bytes(data)
    assert all(isinstance(one, str) for one in waiting(str(folder)))


def test_opening_takes_in_what_waits(repository: Repository) -> None:
    first, second = objects(["one", "two"]), objects(["three"])
    drop(repository.folder, "main", first.values())
    drop(repository.folder, "other", second.values())
    again = Repository.open(repository.folder)
    assert again.notices == [f"3 messages are taken in from {repository.folder}/incoming"]
    assert kept(again) == first
    assert kept(again, "other") == second
    assert not Path(repository.folder, "incoming").exists()
    again.close()
    last = Repository.open(repository.folder)
    assert last.notices == []
    last.close()


def test_a_file_goes_only_when_its_messages_are_durable_and_twice_is_once(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = objects(["one", "two"])
    drop(repository.folder, "main", messages.values())
    waits = files(repository)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(incoming, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            take_in(repository)
    assert kept(repository) == messages
    assert files(repository) == waits
    root = repository.log("main").root
    take_in(repository)
    assert files(repository) == []
    assert repository.log("main").root == root


def test_what_cannot_be_written_now_goes_on_waiting(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(repository.folder, "main", objects(["one"]).values())

    def busy(*_: object, **__: object) -> None:
        raise StoreBusyError("the store is busy")

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "commit", busy)
        (notice,) = take_in(repository)
    assert "messages wait in" in notice
    assert "the store is busy" in notice
    assert len(files(repository)) == 1


def test_a_damaged_file_is_set_aside_and_named_until_it_is_gone(repository: Repository) -> None:
    good = objects(["good"])
    drop(repository.folder, "main", good.values())
    name = drop(repository.folder, "main", objects(["bad", "worse"]).values())
    folder = Path(repository.folder, "incoming")
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    for _ in range(2):
        again = Repository.open(repository.folder)
        assert again.notices[-1] == f"damaged, and not taken in: {folder}/damaged/{name}"
        assert kept(again) == good
        again.close()
    assert [path.name for path in folder.iterdir()] == ["damaged"]
    (folder / "damaged" / name).unlink()
    (folder / "damaged").rmdir()
    take_in(repository)
    assert not folder.exists()


def test_what_is_no_file_of_ours_is_left_and_a_link_is_not_followed(
    repository: Repository, tmp_path: Path
) -> None:
    name = drop(repository.folder, "main", objects(["one"]).values())
    folder = Path(repository.folder, "incoming")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    (folder / f"{name}.0123").write_bytes(b"unfinished")
    (folder / "notes").write_bytes(b"of somebody")
    (folder / f"{'0' * 64}.messages").mkdir()
    os.mkfifo(folder / f"{'1' * 64}.messages")
    take_in(repository)
    assert kept(repository) == {}
    assert {path.name for path in folder.iterdir()} == {"damaged", f"{name}.0123", "notes"}
    assert len(list((folder / "damaged").iterdir())) == 3


def test_what_a_killed_writer_left_is_removed_once_it_is_old(repository: Repository) -> None:
    name = drop(repository.folder, "main", objects(["one"]).values())
    folder = Path(repository.folder, "incoming")
    left = folder / f"{name}.{'0' * 16}"
    others = [folder / f"{name}.{'0' * 15}", folder / f"{'x' * 72}", folder / name]
    for path in (left, *others[:2]):
        path.write_bytes(b"unfinished")
    for path in (left, *others):
        os.utime(path, (100, 100))
    incoming.sweep(repository.folder, 100_000_000)
    assert left.exists()
    incoming.sweep(repository.folder, 100_000_001)
    assert set(folder.iterdir()) == set(others)
    for path in others:
        path.unlink()
    incoming.sweep(repository.folder, 0)
    assert not folder.exists()
    incoming.sweep(repository.folder, 0)


def test_the_folder_may_go_while_somebody_drops(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    gone: list[str] = []

    def opened(path: str, *rest: int) -> int:
        if "incoming/" in path and not gone:
            gone.append(path)
            os.rmdir(Path(repository.folder, "incoming"))
        return real(path, *rest)

    monkeypatch.setattr(os, "open", opened)
    drop(repository.folder, "main", objects(["one"]).values())
    monkeypatch.undo()
    assert gone
    take_in(repository)
    assert len(kept(repository)) == 1


def test_a_file_that_cannot_be_made_durable_is_not_there(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(incoming.IncomingError, match="No space left"):
            drop(repository.folder, "main", objects(["one"]).values())
    assert files(repository) == []


def test_many_are_taken_in_by_several_commits(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "_COMMIT_MESSAGES", 2)
    messages = objects([str(number) for number in range(7)])
    for data in messages.values():
        drop(repository.folder, "main", [data])
    take_in(repository)
    assert kept(repository) == messages
    assert len(repository.store.reflog("refs/logs/main", 10)) == 5

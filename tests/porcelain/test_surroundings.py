"""What programs are told of the process, and that it is what the commands do."""

import logging
import os
import tomllib
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import msglog
from msglog import surroundings
from msglog.config import ConfigError, UnknownRemoteError
from msglog.errors import NotAuthorisedError, RemoteError
from msglog.surroundings import NoSurroundingsError, find_surroundings
from plumbing.opening import NoRepositoryThereError
from plumbing.transport.url import UrlError
from porcelain import exchange
from porcelain.clone import CloneFolderError
from porcelain.remote import RemoteExistsError
from porcelain.scope import NarrowingError
from porcelain.surroundings import ProcessSurroundings
from tests.plumbing.peers import add, message
from tests.porcelain.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def around(tmp_path: Path) -> ProcessSurroundings:
    return ProcessSurroundings({"HOME": str(tmp_path), "PATH": os.defpath})


def test_the_entry_point_is_what_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert groups[surroundings.GROUP] == {
        surroundings.NAME: "porcelain.surroundings:ProcessSurroundings"
    }
    named = groups[surroundings.GROUP][surroundings.NAME]
    point = EntryPoint(surroundings.NAME, named, surroundings.GROUP)
    assert point.load() is ProcessSurroundings
    folder = tmp_path / "msglog-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: msglog\nVersion: 0\n")
    (folder / "entry_points.txt").write_text(f"[{surroundings.GROUP}]\n{point.name} = {named}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(find_surroundings(), ProcessSurroundings)
    monkeypatch.setattr(surroundings, "GROUP", "msglog.nothing")
    with pytest.raises(NoSurroundingsError, match=r"msglog\.nothing"):
        find_surroundings()


def test_who_writes(tmp_path: Path, around: ProcessSurroundings) -> None:
    with msglog.init(tmp_path / "a", surroundings=around) as book:
        assert "@" in book.author
    (tmp_path / ".config" / "msglog").mkdir(parents=True)
    (tmp_path / ".config" / "msglog" / "config.toml").write_text('[user]\nauthor = "ann"\n')
    with msglog.open(tmp_path / "a", surroundings=around) as book:
        assert (book.author, book.add("text").author) == ("ann", "ann")
    named = ProcessSurroundings({"HOME": str(tmp_path), "MSGLOG_AUTHOR": "bob"})
    with msglog.open(tmp_path / "a", surroundings=named) as book:
        assert book.add("text").author == "bob"
    with msglog.open(tmp_path / "a", surroundings=named, author="carl") as book:
        assert book.add("text").author == "carl"
    (tmp_path / "a" / ".msglog" / "config.toml").write_text("nonsense")
    with msglog.open(tmp_path / "a", surroundings=around) as book, pytest.raises(ConfigError):
        book.add("text")


def test_what_remotes_cannot_be(tmp_path: Path, around: ProcessSurroundings) -> None:
    with msglog.init(tmp_path / "a", surroundings=around) as book:
        book.add_remote("origin", "server@host")
        with pytest.raises(RemoteExistsError):
            book.add_remote("origin", "server@host")
        with pytest.raises(UrlError):
            book.add_remote("other", "ftp://host/x")
        with pytest.raises(UnknownRemoteError):
            book.remove_remote("other")
        with pytest.raises(UnknownRemoteError):
            book.pull("orgin")
        with pytest.raises(NoRepositoryThereError):
            book.pull("./nowhere")
        assert book.remotes() == {"origin": "server@host"}


def test_a_clone_that_fails_leaves_nothing(tmp_path: Path, around: ProcessSurroundings) -> None:
    with pytest.raises(RemoteError):
        msglog.clone(str(tmp_path / "nowhere"), tmp_path / "b", surroundings=around)
    assert not (tmp_path / "b").exists()
    msglog.init(tmp_path / "a").close()
    msglog.clone(str(tmp_path / "a"), tmp_path / "b", surroundings=around).close()
    with pytest.raises(CloneFolderError):
        msglog.clone(str(tmp_path / "a"), tmp_path / "b", surroundings=around)


@pytest.fixture
def book(world: World, around: ProcessSurroundings) -> Any:
    with msglog.open(world.folder, surroundings=around, author="ann") as opened:
        yield opened


def test_what_a_remote_refuses_is_no_error(world: World, book: msglog.Logbook) -> None:
    def judge(item: Any) -> tuple[str, str] | None:
        return ("odd", "it is bad") if b"bad" in item.data else None

    world.server.policy = judge
    good, bad = book.add("good"), book.add("bad")
    (pushed,) = book.push()
    assert (pushed.pushed, pushed.count) == (1, 1)
    assert [one.id for one in pushed.refused] == [bad.id]
    assert (pushed.refused[0].code, pushed.refused[0].why) == ("odd", "it is bad")
    (compared,) = book.status()
    assert (compared.ahead, compared.refused) == (1, pushed.refused)
    assert good.id != bad.id


def test_what_one_log_is_refused_does_not_stop_the_others(
    world: World, book: msglog.Logbook
) -> None:
    add(world.server.repository, message(1))
    pulled = {one.log: one for one in book.pull("origin", "main", "other")}
    assert pulled["main"].pulled == 1
    assert pulled["main"].error is None
    assert isinstance(pulled["other"].error, msglog.UsageError)
    with pytest.raises(msglog.UsageError):
        book.pull("origin", "other")


def test_what_ends_the_exchange_is_raised(world: World, book: msglog.Logbook) -> None:
    world.rights.revoked = True
    with pytest.raises(NotAuthorisedError):
        book.pull()
    world.down = True
    with pytest.raises(RemoteError, match="refused"):
        book.push()


def test_what_people_would_be_told_is_logged(
    world: World, book: msglog.Logbook, caplog: pytest.LogCaptureFixture
) -> None:
    book.pull()
    world.server.repository.store._identity = b"2" * 16  # type: ignore[attr-defined]
    with caplog.at_level(logging.WARNING, "msglog"):
        book.pull()
    assert [record.getMessage() for record in caplog.records] == [
        "origin is another repository than before; what was known of it is forgotten"
    ]


def test_nothing_is_printed_and_nobody_asked(
    world: World, book: msglog.Logbook, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    whole = world.open_session

    def open_session(*place: Any, ask_host_key: object, **named: Any) -> Any:
        asked.append(ask_host_key)
        return whole(*place, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "open_session", open_session)
        book.add("text")
        book.sync()
    assert asked == [None]
    assert capfd.readouterr() == ("", "")
    assert world.server.repository.log("main").count == 1


def test_a_part_of_a_log_is_pulled_from_then_on(
    tmp_path: Path, around: ProcessSurroundings
) -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]
    with msglog.init(tmp_path / "there", author="bob", surroundings=around) as there:
        there.create_log("lab")
        for log in ("main", "lab"):
            there.add_many([msglog.Draft(f"{day:%d}", time=day) for day in days], log=log)
    url = str(tmp_path / "there")
    with msglog.clone(
        url, tmp_path / "a", since=days[3], logs=["ma*"], surroundings=around
    ) as book:
        assert [entry.body for entry in book.log()] == ["05", "04"]
        assert book.logs() == ["main"]
        (compared, *_) = book.status()
        assert (compared.since, compared.older) == (days[3], 3)
        (pulled,) = book.pull("origin", "main", since="2026-01-02")
        assert (pulled.pulled, pulled.count) == (2, 4)
        with pytest.raises(NarrowingError):
            book.fetch("origin", "main", since=days[4])
        (pulled,) = book.pull("origin", "main", whole=True)
        assert (pulled.pulled, pulled.count) == (1, 5)
        with pytest.raises(msglog.UsageError):
            book.pull("origin", whole=True, since=days[0])


def test_what_can_be_made_anew_has_a_folder(tmp_path: Path, around: ProcessSurroundings) -> None:
    assert around.caches() == str(tmp_path / ".cache" / "msglog")

"""Watching for programs, over sessions that are cut, and in our own repository."""

import logging
import os
from collections.abc import Iterator

import pytest

import msglog
from msglog.dataclass import replace
from msglog.errors import NotAuthorisedError, RemoteError
from plumbing.news import CannotWatchError
from plumbing.session import UnknownRemoteLogError
from porcelain import following
from porcelain.surroundings import ProcessSurroundings
from porcelain.watch import NothingToPullError
from tests.porcelain.world import World


@pytest.fixture
def book(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[msglog.Logbook]:
    """A logbook whose remote answers at once, and the clock of which is the world's."""
    monkeypatch.setattr("plumbing.lookout.WATCH_SECONDS", 0)
    monkeypatch.setattr(following, "_CLOCK", lambda: world.now)
    around = ProcessSurroundings({"HOME": world.context.home, "PATH": os.defpath})
    whole = around._context

    def context(*place: object) -> object:
        return replace(whole(*place), sleep=world.sleep)  # type: ignore[arg-type]

    monkeypatch.setattr(around, "_context", context)
    with msglog.open(world.folder, surroundings=around, author="ann") as opened:
        yield opened


def numbers(entries: list[msglog.Entry]) -> list[int]:
    return [int(entry.body.partition("message ")[2].partition(":")[0]) for entry in entries]


@pytest.mark.parametrize("pull", [False, True])
def test_what_others_push_comes_each_once(world: World, book: msglog.Logbook, pull: bool) -> None:  # noqa: FBT001
    world.add_there(1)
    world.add_there(2)
    coming = book.watch("origin", newest=1, pull=pull, timeout=100)
    assert numbers([next(coming)]) == [2]
    world.add_there(3)
    assert numbers([next(coming)]) == [3]
    world.lines[-1].broken = True  # is noticed, waited for, and nothing is shown twice
    world.add_there(4)
    world.then[1000] = lambda: None
    assert numbers([next(coming)]) == [4]
    assert len(world.lines) == 2
    assert len(world.waits) == 1
    coming.close()
    assert world.open_lines == 0
    assert book.log().count() == (4 if pull else 0)


def test_it_ends_when_nothing_has_come_for_long(
    world: World, book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = book.watch("origin", timeout=100)
    world.add_there(1)
    assert numbers([next(coming)]) == [1]

    def answer(one: following._Following) -> object:
        world.now += 60
        return genuine(one)

    genuine = following._Following.answer
    monkeypatch.setattr(following._Following, "answer", answer)
    began = world.now
    assert list(coming) == []
    assert world.now - began == 120
    assert world.open_lines == 0


def test_what_is_wrong_at_first_is_raised_at_once(world: World, book: msglog.Logbook) -> None:
    with pytest.raises(UnknownRemoteLogError):
        book.watch("origin", "nowhere")
    with pytest.raises(NothingToPullError):
        book.watch(pull=True)
    world.down = True
    with pytest.raises(RemoteError, match="refused"):
        book.watch("origin")
    assert world.open_lines == 0


def test_what_does_not_pass_is_raised(
    world: World, book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = book.watch("origin")
    world.rights.revoked = True
    world.add_there(1)
    with pytest.raises(NotAuthorisedError):
        next(coming)
    world.rights.revoked = False
    monkeypatch.setattr("plumbing.service.WATCH_SECONDS", None)
    with pytest.raises(CannotWatchError):
        book.watch("origin")


def test_a_host_that_takes_no_key_for_a_while_is_waited_for(
    world: World, book: msglog.Logbook
) -> None:
    coming = book.watch("origin")
    world.add_there(1)
    assert numbers([next(coming)]) == [1]
    world.shut = world.lines[-1].broken = True
    world.add_there(2)

    def open_again() -> None:
        world.shut = False

    world.then[2] = open_again
    assert numbers([next(coming)]) == [2]
    assert len(world.waits) == 2
    coming.close()


def test_who_is_removed_and_let_in_no_more_is_told_so(world: World, book: msglog.Logbook) -> None:
    coming = book.watch("origin")
    world.rights.revoked = world.shut = True
    world.add_there(1)
    with pytest.raises(NotAuthorisedError):
        next(coming)
    assert world.waits == []


def test_one_that_is_never_gone_through_holds_nothing(world: World, book: msglog.Logbook) -> None:
    coming = book.watch("origin")
    assert world.open_lines == 1
    coming.close()
    assert world.open_lines == 0
    here = book.watch()
    before = len(os.listdir("/proc/self/fd"))
    here.close()
    assert len(os.listdir("/proc/self/fd")) < before


def test_what_people_would_be_told_is_logged(
    world: World, book: msglog.Logbook, caplog: pytest.LogCaptureFixture
) -> None:
    world.add_there(1)
    with caplog.at_level(logging.WARNING, "msglog"):
        book.watch("origin", pull=True).close()
    assert [record.getMessage() for record in caplog.records] == ["main: 1 pulled, 1 in all"]


def test_it_ends_when_the_logbook_is_closed(world: World, book: msglog.Logbook) -> None:
    coming = book.watch("origin")
    world.add_there(1)
    assert numbers([next(coming)]) == [1]
    book.close()
    assert list(coming) == []
    assert world.open_lines == 0

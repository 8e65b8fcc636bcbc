"""Commands in a repository that can only be read: what reads works, what writes says so."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import msglog
from porcelain.surroundings import ProcessSurroundings
from tests.porcelain.conftest import CommandLine, Result
from tests.reading_only import by_modes_of, can_mount, with_mount

Place = Callable[[CommandLine, Callable[[], list[Result]]], list[Result]]


def by_mode(cli: CommandLine, work: Callable[[], list[Result]]) -> list[Result]:
    return by_modes_of(cli.folder / ".msglog", work)


def mounted(cli: CommandLine, work: Callable[[], list[Result]]) -> list[Result]:
    def inside() -> list[Result]:
        os.chdir(cli.folder)  # what was the folder before lies below the mount
        return work()

    return with_mount(cli.folder, inside)


PLACES = [by_mode, *([mounted] if can_mount() else [])]
PLACE = pytest.mark.parametrize("place", PLACES, ids=lambda one: one.__name__)


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    cli.ok("logs", "new", "other")
    for day, body in enumerate(("the pump failed", "the beam is back"), 1):
        cli.ok("add", body, "--tag", "lab", "--time", f"2026-01-0{day}")
    return cli


def runs(cli: CommandLine, *commands: tuple[str, ...]) -> Callable[[], list[Result]]:
    return lambda: [cli.run(*words) for words in commands]


def both(cli: CommandLine, place: Place, *commands: tuple[str, ...]) -> None:
    """Run commands as the owner does and as a reader: they say the same."""
    expected = runs(cli, *commands)()
    before = {path.name for path in (cli.folder / ".msglog").iterdir()}
    found = place(cli, runs(cli, *commands))
    for words, one, other in zip(commands, expected, found, strict=True):
        assert other == one, words
    assert {path.name for path in (cli.folder / ".msglog").iterdir()} == before


@PLACE
def test_what_reads_says_what_it_says_to_the_owner(filled: CommandLine, place: Place) -> None:
    oid = filled.ok("list", "-n", "1", "--format", "%H").strip()
    both(
        filled,
        place,
        ("list",),
        ("log", "--oneline", "--reverse"),
        ("list", "--json", "--tag", "lab"),
        ("list", "--threads"),
        ("show", oid[:9]),
        ("show", oid[:8], "--json"),
        ("search", "pump", "--oneline"),
        ("search", "beam", "--json"),
        ("search", "nothing-like-it"),
        ("status",),
        ("status", "--json"),
        ("logs",),
        ("stats",),
        ("verify",),
        ("verify", "--json"),
        ("export",),
        ("cat-object", "-p", oid),
        ("rev-parse", "main"),
        ("for-each-ref",),
        ("ls-index",),
        ("complete", "log", ""),
        ("config", "list"),
        ("remote", "-v"),
        (),
    )


@PLACE
def test_what_writes_says_in_one_line_that_it_cannot(filled: CommandLine, place: Place) -> None:
    (filled.folder / "more.jsonl").write_bytes(filled.ok("export").encode())
    filled.ok("-C", "..", "init", "-q", "elsewhere")
    filled.ok("remote", "add", "origin", "../elsewhere")
    writing = (
        ("add", "one more"),
        ("add", "--batch"),
        ("logs", "new", "third"),
        ("logs", "rename", "other", "third"),
        ("logs", "delete", "other"),
        ("gc",),
        ("import", "more.jsonl"),
        ("pull", "origin"),
        ("fetch", "origin"),
        ("push", "origin"),
        ("sync", "origin"),
        ("verify", "--repair"),
        ("drop", "--yes"),
    )
    for words, done in zip(writing, place(filled, runs(filled, *writing)), strict=True):
        assert done.status == 7, (words, done)
        assert done.out == ""
        assert done.error.startswith("msglog: error: "), words
        assert "can only be read (" in done.error, (words, done.error)
        assert "`msglog clone " in done.error
        assert done.error.count("\n") == 1
    settings = (("config", "set", "user.author", "ben"), ("remote", "add", "o2", "host"))
    for done in place(filled, runs(filled, *settings)):
        assert done.status == 7, done
        assert done.error.count("\n") == 1
    assert filled.ok("list", "--format", "%h").count("\n") == 2


@PLACE
def test_it_is_pulled_from_and_cloned(filled: CommandLine, place: Place, tmp_path: Path) -> None:
    for name in ("one", "two"):
        filled.ok("-C", str(tmp_path), "init", "-q", name)
    source = str(filled.folder)

    def work() -> list[Result]:
        return [
            filled.run("-C", str(tmp_path), "clone", source, "copy"),
            filled.run("-C", str(tmp_path / "one"), "pull", source),
            filled.run("-C", str(tmp_path / "one"), "pull", source),
            filled.run("-C", str(tmp_path / "two"), "add", "mine"),
            filled.run("-C", str(tmp_path / "two"), "push", source),
            filled.run("ls-remote", source),
        ]

    cloned, pulled, again, _, pushed, listed = place(filled, work)
    assert (cloned.status, pulled.status, again.status) == (0, 0, 0), (cloned, pulled, again)
    assert "2 pulled" in pulled.out
    assert "0 pulled" in again.out
    assert pushed.status == 4
    assert "can only be read" in pushed.error
    assert "refs/logs/main" in listed.out
    assert filled.ok("-C", str(tmp_path / "copy"), "list", "--format", "%h").count("\n") == 2


@PLACE
def test_it_is_backed_up(filled: CommandLine, place: Place, tmp_path: Path) -> None:
    archive = str(tmp_path / "backup.tar")
    (done,) = place(filled, runs(filled, ("backup", archive)))
    assert (done.status, done.error) == (0, "")
    assert "2 messages" in done.out
    assert "2 messages" in filled.ok("restore", archive, str(tmp_path / "back"))


@PLACE
def test_the_index_of_words_is_made_elsewhere(filled: CommandLine, place: Place) -> None:
    filled.ok("search", "pump")
    filled.ok("add", "another pump")
    (done,) = place(filled, runs(filled, ("search", "pump", "--format", "%h")))
    assert done.status == 0
    assert done.out.count("\n") == 2  # with what the index beside the store does not know yet


@PLACE
def test_programs_read_it_and_watch_it(filled: CommandLine, place: Place) -> None:
    own = filled.folder.parent / "own"

    def work() -> list[Result]:
        around = ProcessSurroundings(filled.environment)
        with msglog.open(filled.folder, surroundings=around) as book:
            assert book.log().count() == 2
            assert [one.entry.body for one in book.search("pump")] == ["the pump failed"]
            assert [one.body for one in book.watch(newest=1, timeout=0)] == ["the beam is back"]
            with pytest.raises(msglog.LocalError, match="can only be read"):
                book.add("mine")
        with msglog.init(own, surroundings=around) as book:
            coming = book.watch(str(filled.folder), newest=1, pull=True, timeout=0)
            assert [one.body for one in coming] == ["the beam is back"]
            assert book.log().count() == 2
        return []

    assert place(filled, work) == []

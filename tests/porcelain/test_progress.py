import os
import pty
import re
import struct
from collections.abc import Iterator
from fcntl import ioctl
from io import BytesIO
from pathlib import Path
from termios import TIOCSWINSZ
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plumbing.context import Context
from plumbing.session import Session, Traffic
from porcelain.progress import Progress
from tests.porcelain.conftest import CommandLine


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def context(**options: Any) -> tuple[Context, BytesIO]:
    error = BytesIO()
    here = Path("/")
    return Context(here, here, BytesIO(), BytesIO(), error, **options), error  # type: ignore[arg-type]


def plain(shown: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", shown.decode())


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, False),
        ({"stderr_terminal": True}, True),
        ({"progress": True}, True),
        ({"progress": True, "quiet": True}, False),
    ],
)
def test_on_a_terminal_or_on_demand(options: dict[str, bool], *, shown: bool) -> None:
    surroundings, error = context(**options)
    clock = Clock()
    with Progress(surroundings, "Sending [red]", clock) as progress:
        clock.now += 1
        progress.update(5, 10)
    assert (b"Sending [red]" in error.getvalue()) == shown
    assert (b"5/10" in error.getvalue()) == shown


def test_only_after_half_a_second_and_ten_times_a_second() -> None:
    surroundings, error = context(progress=True)
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        clock.now += 0.4
        progress.update(1)
        assert error.getvalue() == b""
        clock.now += 0.2
        progress.update(2)
        first = len(error.getvalue())
        assert first > 0
        progress.update(3)
        assert len(error.getvalue()) == first
        clock.now += 0.2
        progress.update(4, 9)
        assert b"4/9" in error.getvalue()


def test_what_is_said() -> None:
    surroundings, error = context(progress=True, width=120)
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        clock.now += 2
        progress.update(2000, 10_000, size=3_000_000, whole=None)
        assert error.getvalue().decode() == "\rSending  2,000/10,000  0:08 left  1,000/s  3.0 MB"


def test_each_line_fits_and_takes_the_place_of_the_one_before() -> None:
    surroundings, error = context(progress=True, width=40)
    clock = Clock()
    with Progress(surroundings, "Sending " + "long " * 20, clock) as progress:
        for done in (99_000_000, 1):
            clock.now += 1
            progress.update(done, 100_000_000, size=10**9)
    lines = error.getvalue().decode().split("\r")[1:]
    assert all(len(line) <= 37 for line in lines)
    assert "99,000,000/100,000,000" in lines[0]
    assert [len(line) for line in lines] == [len(lines[0])] * 3 + [0]  # all is written over
    assert lines[2].strip() == ""


def test_other_words_have_a_line_of_their_own() -> None:
    surroundings, error = context(progress=True)
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        clock.now += 1
        progress.update(1)
        progress.hide()
        error.write(b"warning\n")
        clock.now += 1
        progress.update(2)
    screen = error.getvalue().decode()
    assert re.search(r"\r +\rwarning\n\rSending", screen), screen


@pytest.mark.parametrize(
    ("done", "total"),
    [(5, 0), (5, -1), (5, 4), (5, 10**30), (-5, 10), (10**30, 10**30), (0, 1 << 63)],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_counts_that_cannot_be(done: int, total: int, *, terminal: bool) -> None:
    surroundings, error = context(progress=True, stderr_terminal=terminal)
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        for _ in range(3):
            clock.now += 1
            progress.update(done, total, size=-1, whole=-7)
    assert "Sending" in plain(error.getvalue())
    assert all(len(line) < 80 for line in plain(error.getvalue()).split("\r"))
    assert "/" not in plain(error.getvalue()).replace("/s", "") or 0 < total < 10**12


@pytest.fixture
def window() -> Iterator[tuple[int, Any]]:
    """A terminal: its other end, and a stream to it."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "wb", buffering=0) as stream:
        yield master, stream
    os.close(master)


@pytest.mark.parametrize("columns", [24, 80, 200])
@pytest.mark.parametrize("color", ["never", "auto"])
@pytest.mark.parametrize("total", [None, 1000])
def test_a_bar_fits_its_window(
    window: tuple[int, Any], columns: int, color: str, total: int | None
) -> None:
    master, stream = window
    ioctl(master, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    surroundings = Context(
        "/", "/", BytesIO(), BytesIO(), stream, stderr_terminal=True, color=color, width=33
    )
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        clock.now += 1
        progress.update(500, total, size=10**7)
        shown = os.read(master, 65536)
    (line,) = plain(shown).split("\r")[1:]
    assert len(line) <= columns - 3  # `^C` does not break the line either
    assert ("━" in line) == (columns >= 80)
    assert (b"m" in shown.split(b"Sending")[1].split(b"500")[0]) == (
        columns >= 80 and color == "auto"
    )
    assert line.startswith("Sending")
    assert (
        columns < 200 or line.index("500") == len("Sending") + 2 + 40 + 2
    )  # with or without colours
    assert ("10.0 MB" in line) == (columns >= 80)


def test_a_terminal_that_can_do_little(window: tuple[int, Any]) -> None:
    master, stream = window
    surroundings = Context(
        "/", "/", BytesIO(), BytesIO(), stream, stderr_terminal=True, environment={"TERM": "dumb"}
    )
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        clock.now += 1
        progress.update(500, 1000)
    assert b"\x1b" not in os.read(master, 65536)


def test_a_session_is_looked_at_while_it_is_at_work() -> None:
    surroundings, error = context(progress=True)
    clock = Clock()
    session = cast("Session", SimpleNamespace(traffic=Traffic(sent=7, received=5), attend=None))
    with Progress(surroundings, "Sending", clock, session=session) as progress:
        progress.update(3, 9)
        clock.now += 1
        session.traffic.sent += 4000
        assert session.attend is not None
        session.attend()
    assert b"3/9" in error.getvalue()
    assert b"4.0 kB" in error.getvalue()
    assert session.attend is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("push", "origin"), r"Pushing main  300/300  .*\d kB"),
        (("pull", "origin"), r"Pulling main  300/300  .*\d kB"),
        (("fetch", "origin"), r"Fetching main  300/300  .*\d kB"),
        (("clone", "./other", "third"), r"Pulling main  300/300  .*\d kB"),
        (("verify",), r"Verifying  2\d\d/300"),
        (("gc",), r"(?s)Looking through messages  300/300.*Compressing  300/300"),
        (("import", "lines"), r"(?s)Checking lines  1 .*Importing lines  299/300"),
        (("export", "-o", "out"), r"Exporting main  300/300  .*\d kB"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_all_long_work_shows_how_far_it_is(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    """With nothing to wait for: each step is shown."""
    filled = "other" if words[0] in ("pull", "fetch", "clone") else "."
    cli.ok("init", "-q", "other")
    cli.ok("-C", filled, "add", "-q", "--batch", stdin="".join(f"{n}\n" for n in range(300)))
    cli.ok("remote", "add", "origin", "./other")
    (cli.folder / "lines").write_text(cli.ok("-C", filled, "list", "--json"))
    monkeypatch.setattr("porcelain.progress._PATIENCE", -1)
    monkeypatch.setattr("porcelain.progress._INTERVAL", -1)
    shown = cli.run(*words, "--progress").error
    assert re.search(said, shown), shown
    assert shown.endswith("\r")

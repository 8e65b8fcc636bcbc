"""What the tests of porcelain share: a command line in process, in an empty folder."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from msglog.dataclass import replace
from msglog.repository import Repository
from plumbing.context import Context
from porcelain import exchange
from porcelain.cli import main
from tests.plumbing.peers import START, Rights, Server
from tests.porcelain.world import World


@dataclass(frozen=True)
class Result:
    """What a command line did."""

    status: int
    out: str
    error: str

    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.out.split("\n")[:-1]]


class CommandLine:
    """Runs command lines in a folder of their own, with an environment of their own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environment = {
            "HOME": str(home),
            "MSGLOG_AUTHOR": "ann",
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
        }

    def run(
        self,
        *arguments: str,
        stdin: bytes | str = b"",
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Run one command line and return what it did, whatever that is."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        out, error = BytesIO(), BytesIO()
        status = main(
            list(arguments),
            {**self.environment, **(environment or {})},
            BytesIO(given),
            out,
            error,
        )
        return Result(status, out.getvalue().decode(), error.getvalue().decode())

    def ok(
        self,
        *arguments: str,
        stdin: bytes | str = b"",
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run one command line that must succeed in silence but for its data."""
        result = self.run(*arguments, stdin=stdin, environment=environment)
        assert (result.status, result.error) == (0, "")
        return result.out

    def fails(self, status: int, *arguments: str, stdin: bytes | str = b"") -> str:
        """Run one command line that must fail with a status and one line; return that line."""
        result = self.run(*arguments, stdin=stdin)
        assert result.status == status, result
        lines = result.error.split("\n")
        assert len(lines) == 2, result.error
        assert lines[1] == ""
        assert lines[0].startswith("msglog: error: ")
        assert lines[0].isprintable()
        return lines[0].removeprefix("msglog: error: ")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """A command line in an empty folder without a repository, where clocks show UTC."""
    folder, home = tmp_path / "notes", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "UTC")
        time.tzset()
        yield CommandLine(folder, home)
    time.tzset()


@pytest.fixture
def cli(empty: CommandLine) -> CommandLine:
    """A command line in a folder with a new repository."""
    empty.ok("init", "-q")
    return empty


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A repository whose remote is a server in memory."""
    folder = tmp_path / "notes"
    folder.mkdir()
    made = Repository.create(folder / ".msglog", identity=bytes(16), time=START)
    made.close()
    (folder / ".msglog" / "config.toml").write_text('[remote.origin]\nurl = "server@host"\n')
    context = Context(
        directory=str(folder),
        home=str(tmp_path),
        stdin=BytesIO(),
        stdout=BytesIO(),
        stderr=BytesIO(),
        now=lambda: START,
        local_offset=lambda _: 0,
        random=lambda size: b"\xff" * size,
    )
    world = World(Server(), Rights("ann"), context, folder)
    world.context = replace(context, monotonic=lambda: world.now, sleep=world.sleep)
    monkeypatch.setattr(exchange, "open_session", world.open_session)
    yield world
    assert world.open_lines == 0  # whatever happened, nothing stays open
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

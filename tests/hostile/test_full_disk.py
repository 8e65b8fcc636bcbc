"""No room at any write of a store, no file descriptors, no right to write: one line, and nothing half-written.

What makes writing fail works for every user: the limits of a process on the size of a file and on
descriptors, and SQLite's own on the pages of a database.
"""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

import msglog.store.sqlite
from msglog.repository import Repository
from msglog.sqlite_file import connect
from porcelain.cli import main
from tests.hostile.liars import check_whole

PAGE = 8192
FRAME = PAGE + 24
"""What a page takes in SQLite's write-ahead log, after a header of 32 bytes."""

SHARED_MEMORY = 32_768
LINES = "".join(f"{json.dumps({'body': f'message {n} ' + 'x' * 300})}\n" for n in range(60))
RECEIVER = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]

LIMITED = """\
import resource, sys
from porcelain.cli import run
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), hard))
sys.argv = ["msglog", *sys.argv[2:]]
sys.exit(run())
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    status: int
    error: str


@dataclass(frozen=True, slots=True)
class Place:
    """Two repositories that share some messages; each has more of its own."""

    folder: Path

    @property
    def mine(self) -> Path:
        return self.folder / "mine"

    @property
    def theirs(self) -> Path:
        return self.folder / "theirs"

    def run(self, *words: str, stdin: str = "", **more: str) -> Done:
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"], **more}
        error = BytesIO()
        streams = (BytesIO(stdin.encode()), BytesIO(), error)
        status = main(["-C", str(self.mine), *words], environment, *streams)
        return Done(status, error.getvalue().decode())

    def counts(self) -> tuple[int, int]:
        """Check all messages of both; return how many there are."""
        return count(self.mine), count(self.theirs)


def count(folder: Path) -> int:
    with closing(Repository.open(folder / ".msglog")) as repository:
        check_whole(repository)
        return repository.log("main").count


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("template"))
    for folder in (place.mine, place.theirs):
        folder.mkdir()
        assert place.run("-C", str(folder), "init").status == 0
    assert place.run("remote", "add", "origin", "../theirs").status == 0
    assert place.run("add", "--batch", "--json", stdin=LINES[: LINES.index("\n") + 1]).status == 0
    assert place.run("push").status == 0
    for folder in (place.mine, place.theirs):
        done = place.run("-C", str(folder), "add", "--batch", "--json", stdin=LINES)
        assert done.status == 0
    return place


def copy(template: Place, folder: Path) -> Place:
    shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    return Place(folder)


@contextmanager
def limited(kind: int, limit: int) -> Iterator[None]:
    """Let this process write no file, or have no descriptor, beyond a limit."""
    before, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (before, hard))


@contextmanager
def held(*folders: Path) -> Iterator[None]:
    """Keep databases open, so that their shared memory is there and no log is folded in."""
    with ExitStack() as stack:
        for folder in folders:
            store = stack.enter_context(closing(sqlite3.connect(folder / ".msglog" / "store.db")))
            store.execute("SELECT * FROM repository").fetchall()
        yield


def log_limits() -> Iterator[int]:
    """Yield limits at which each write to a write-ahead log fails in turn, without an end."""
    yield from (0, 16)
    position = 32
    while True:
        yield from (position + 12, position + 24 + PAGE // 2)
        position += FRAME


COMMANDS = [
    (("add", "one more"), ""),
    (("add", "--batch", "--json"), LINES),
    (("push",), ""),
    (("pull",), ""),
    (("fetch",), ""),
    (("sync",), ""),
    (("gc",), ""),
]


def check_one_line(done: Done) -> None:
    assert done.status in (4, 7), done
    assert done.error.startswith("msglog: error: "), done
    assert done.error.count("\n") == 1
    assert "bug" not in done.error
    if done.status == 4:
        said = (
            "the server cannot write or read its store",
            "can only be read",
            "cannot be opened",
        )
        assert any(text in done.error for text in said), done


def check_between(now: tuple[int, int], before: tuple[int, int], after: tuple[int, int]) -> None:
    """Each side has what it had or what it was to have: all that is tried here is one batch."""
    assert all(one in (old, new) for one, old, new in zip(now, before, after, strict=True)), (
        now,
        before,
        after,
    )


@pytest.mark.parametrize(("words", "stdin"), COMMANDS, ids=lambda value: value[:2])
def test_no_room_at_any_write(
    template: Place, tmp_path: Path, words: tuple[str, ...], stdin: str
) -> None:
    whole = copy(template, tmp_path / "whole")
    before = whole.counts()
    assert whole.run(*words, stdin=stdin).status == 0
    after = whole.counts()
    for number, limit in enumerate(log_limits()):
        place = copy(template, tmp_path / str(number))
        with held(place.mine, place.theirs), limited(resource.RLIMIT_FSIZE, limit):
            done = place.run(*words, stdin=stdin)
        if done.status == 0:
            break
        check_one_line(done)
        now = place.counts()
        check_between(now, before, after)
        if words[0] == "add":
            assert now == before
        again = place.run(*words, stdin=stdin)
        assert again.status == 0, again
        assert place.counts() == after
        shutil.rmtree(place.folder)
    assert number > 4
    assert place.counts() == after


@pytest.mark.parametrize("words", [("init",), ("clone", "../theirs", "new")])
def test_no_room_for_a_new_repository(
    template: Place, tmp_path: Path, words: tuple[str, ...]
) -> None:
    failures = 0
    for number, limit in enumerate(range(0, 1 << 20, PAGE // 2)):
        place = copy(template, tmp_path / str(number))
        folder = place.mine / "new"
        if words == ("init",):
            folder.mkdir()
        at = ("-C", str(folder)) if words == ("init",) else ()
        with limited(resource.RLIMIT_FSIZE, limit):
            done = place.run(*at, *words)
        if done.status == 0:
            break
        failures += 1
        assert done.status in (4, 7), done
        assert [line[:15] for line in done.error.splitlines()].count("msglog: error: ") == 1
        made = folder / ".msglog"
        assert not list(made.glob("store.db.new-*")) if made.exists() else True
        if (made / "store.db").exists():
            assert count(folder) in (0, 61)
        if (made / "store.db").exists() and words[0] == "clone":
            words = ("-C", str(folder), "pull")
        again = place.run(*at, *words)
        assert again.status == 0, again
        assert count(folder) == (0 if at else count(place.theirs))
        shutil.rmtree(place.folder)
    assert failures > 4


def test_a_log_that_cannot_be_folded_in_is_kept(template: Place, tmp_path: Path) -> None:
    """The message is durable in the write-ahead log; the database itself has no room to grow."""
    place = copy(template, tmp_path / "place")
    database = place.mine / ".msglog" / "store.db"
    size = database.stat().st_size
    assert size > 2 * SHARED_MEMORY
    before = count(place.mine)
    lines = LINES.splitlines(keepends=True)
    with limited(resource.RLIMIT_FSIZE, size):
        statuses = [place.run("add", "--batch", "--json", stdin=one).status for one in lines]
    added = statuses.count(0)
    assert 0 < added < len(lines)
    assert set(statuses) == {0, 7}
    assert count(place.mine) == before + added
    assert place.run("add", "room again").status == 0
    assert count(place.mine) == before + added + 1


@pytest.mark.parametrize(("words", "stdin"), COMMANDS, ids=lambda value: value[:2])
def test_a_full_database_at_any_page(
    template: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    stdin: str,
) -> None:
    """What SQLite says of a full disk: SQLITE_FULL, in whatever statement needs a page."""
    whole = copy(template, tmp_path / "whole")
    before = whole.counts()
    assert whole.run(*words, stdin=stdin).status == 0
    after = whole.counts()
    fulls = 0
    for room in range(200):
        place = copy(template, tmp_path / str(room))

        def cramped(path: Path, room: int = room) -> sqlite3.Connection:
            connection = connect(path)
            pages, free = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count")
            )
            connection.execute(f"PRAGMA max_page_count = {pages - free + room}")
            return connection

        with monkeypatch.context() as patch:
            patch.setattr(msglog.store.sqlite, "connect", cramped)
            done = place.run(*words, stdin=stdin)
        if done.status == 0:
            break
        fulls += "full" in done.error or done.status == 4
        check_one_line(done)
        check_between(place.counts(), before, after)
        assert place.run(*words, stdin=stdin).status == 0
        assert place.counts() == after
        shutil.rmtree(place.folder)
    assert fulls == room
    assert place.counts() == after


@pytest.mark.parametrize(("words", "stdin"), COMMANDS, ids=lambda value: value[:2])
def test_a_read_only_database(
    template: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    stdin: str,
) -> None:
    place = copy(template, tmp_path / "place")
    before = place.counts()

    def read_only(path: Path) -> sqlite3.Connection:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, isolation_level=None)

    with monkeypatch.context() as patch:
        patch.setattr(msglog.store.sqlite, "connect", read_only)
        check_one_line(place.run(*words, stdin=stdin))
    assert place.counts() == before
    assert place.run(*words, stdin=stdin).status == 0


@pytest.mark.parametrize(("words", "stdin"), COMMANDS, ids=lambda value: value[:2])
def test_too_few_descriptors(
    template: Place, tmp_path: Path, words: tuple[str, ...], stdin: str
) -> None:
    whole = copy(template, tmp_path / "whole")
    before = whole.counts()
    assert whole.run(*words, stdin=stdin).status == 0
    after = whole.counts()
    taken = len(list(Path("/proc/self/fd").iterdir()))
    failures = 0
    for limit in range(3, taken + 100):
        place = copy(template, tmp_path / str(limit))
        with limited(resource.RLIMIT_NOFILE, limit):
            done = place.run(*words, stdin=stdin)
        if done.status == 0:
            break
        failures += 1
        check_one_line(done)
        check_between(place.counts(), before, after)
        assert place.run(*words, stdin=stdin).status == 0
        assert place.counts() == after
        shutil.rmtree(place.folder)
    assert failures > 0
    assert place.counts() == after


@pytest.mark.parametrize("word", ["push", "pull"])
def test_a_server_without_room(template: Place, tmp_path: Path, word: str) -> None:
    """A real receive-pack of which only the server's side has no room."""
    program = tmp_path / "limited.py"
    program.write_text(LIMITED)
    failures = 0
    for number, limit in enumerate(log_limits()):
        place = copy(template, tmp_path / str(number))
        before = place.counts()
        remote = place.folder / "remote"
        remote.write_text(
            '#!/bin/sh\nSSH_ORIGINAL_COMMAND="$2"; export SSH_ORIGINAL_COMMAND\n'
            f'exec {sys.executable} -I {program} "$LIMIT" receive-pack --direct {place.theirs}\n'
        )
        remote.chmod(0o755)
        assert place.run("remote", "set-url", "origin", "server").status == 0
        with held(place.theirs):
            done = subprocess.run(
                [*RECEIVER, word],
                cwd=place.mine,
                env={
                    "HOME": str(place.folder),
                    "PATH": os.environ["PATH"],
                    "LIMIT": str(limit),
                    "MSGLOG_SSH_COMMAND": str(remote),
                },
                capture_output=True,
                check=False,
            )
        if done.returncode == 0 and (word == "push" or limit > 4 * FRAME):
            break
        if word == "pull":  # only reads there, which needs no room
            assert (done.returncode, place.counts()[0]) == (0, before[0] + before[1] - 1)
        elif done.returncode != 0:
            failures += 1
            assert done.returncode == 4, done.stderr
            assert done.stderr.startswith(b"msglog: error: "), done.stderr
            assert done.stderr.count(b"\n") == 1
        mine, theirs = place.counts()
        assert theirs in (before[1], before[0] + before[1] - 1)
        environment = {"LIMIT": str(1 << 30), "MSGLOG_SSH_COMMAND": str(remote)}
        again = place.run(word, **environment)
        assert again.status == 0, again
        mine, theirs = place.counts()
        assert max(mine, theirs) == before[0] + before[1] - 1
        shutil.rmtree(place.folder)
    assert word == "pull" or failures > 2

"""Opening a session with a path: what a name means, and what is said where nothing is."""

import os
import socket
import sys
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import pytest

from msglog.config import Config, Layer
from msglog.dataclass import replace
from msglog.repository import Repository
from msglog.wire.events import Fetch, ListRefs, Transfer
from msglog.wire.request_line import EarlyRequest
from plumbing.context import Context
from plumbing.opening import (
    BUSY_PAUSE,
    BUSY_SECONDS,
    NoRepositoryThereError,
    UnusableRepositoryError,
    find_target,
    open_session,
)
from plumbing.session import BusyRemoteError, UnknownRemoteLogError
from plumbing.transport.channel import ConnectError
from plumbing.transport.url import UrlError


def context(folder: Path) -> Context:
    return Context(
        directory=str(folder),
        home=str(folder / "home"),
        stdin=BytesIO(),
        stdout=BytesIO(),
        stderr=BytesIO(),
        login="ann",
    )


def config(url: str) -> Config:
    return Config((Layer("config.toml", {"remote.origin.url": url}, trusted=True),))


def make(path: Path) -> bytes:
    repository = Repository.create(path, identity=bytes(range(16)), time=0)
    repository.close()
    return repository.store.identity


def test_a_remotes_relative_path_starts_from_the_folder_of_the_repository(tmp_path: Path) -> None:
    identity = make(tmp_path / "shared" / ".msglog")
    mine = tmp_path / "mine" / ".msglog"
    below = tmp_path / "mine" / "deep" / "down"
    below.mkdir(parents=True)
    settings = config("../shared")
    target = find_target(settings, "origin", context(below), str(mine))
    session = open_session(target, context(below), settings)
    assert session.greeting.repository == identity
    assert (session.greeting.user, session.greeting.role) == ("ann", "admin")
    session.close()


def test_a_url_of_the_configuration_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UrlError) as caught:
        find_target(config("ftp://lab/x"), "origin", context(tmp_path), None)
    assert str(caught.value) == (
        "remote.origin.url cannot be used ('ftp://lab/x' cannot be a remote (ftp:// is not"
        " supported)). Correct it with `msglog remote set-url origin URL`."
    )


def test_a_path_that_is_typed_starts_from_here(tmp_path: Path) -> None:
    identity = make(tmp_path / "here" / "shared" / ".msglog")
    here = context(tmp_path / "here")
    target = find_target(Config(), "./shared", here, str(tmp_path / "elsewhere" / ".msglog"))
    assert target.name == ""
    session = open_session(target, here, Config())
    assert session.greeting.repository == identity
    session.close()


def test_a_home_path(tmp_path: Path) -> None:
    make(tmp_path / "home" / "log" / ".msglog")
    target = find_target(Config(), "~/log", context(tmp_path), None)
    open_session(target, context(tmp_path), Config()).close()


@pytest.mark.parametrize(
    ("folder", "says"), [("nothing", "there is no folder"), ("empty", "there is no repository in")]
)
def test_where_nothing_is(tmp_path: Path, folder: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    target = find_target(Config(), f"./{folder}", context(tmp_path), None)
    with pytest.raises(NoRepositoryThereError, match=says):
        open_session(target, context(tmp_path), Config())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]


def test_a_repository_that_cannot_be_opened_is_not_called_absent(tmp_path: Path) -> None:
    make(tmp_path / "shared" / ".msglog")
    (tmp_path / "shared" / ".msglog" / "store.db").write_bytes(
        b"not a database, but long enough" * 9
    )
    target = find_target(config(""), str(tmp_path / "shared"), context(tmp_path), None)
    with pytest.raises(UnusableRepositoryError, match="cannot be opened"):
        open_session(target, context(tmp_path), config(""))


def test_a_repository_that_cannot_be_read_is_not_called_absent(tmp_path: Path) -> None:
    inside = tmp_path / "shared" / ".msglog"
    inside.mkdir(parents=True)
    (inside / "store.db").symlink_to("store.db")  # which root cannot read either
    target = find_target(config(""), str(tmp_path / "shared"), context(tmp_path), None)
    with pytest.raises(UnusableRepositoryError, match="cannot be read"):
        open_session(target, context(tmp_path), config(""))


SERVER = """\
#!/bin/sh
cd {folder} || exit
echo >>calls
test "$(wc -l <calls)" -gt {busy} || {{ printf '0021error busy the server is busy'; exit; }}
exec {python} -c 'import sys; from porcelain.cli import run; sys.exit(run())' \
    receive-pack --direct shared
"""
"""Stands for ssh: so many times the server is busy."""


class Clock:
    """Time that goes on by being waited for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def busy_server(folder: Path, times: int, clock: Clock) -> Context:
    script = folder / "ssh"
    script.write_text(SERVER.format(folder=folder, busy=times, python=sys.executable))
    script.chmod(0o755)
    return replace(
        context(folder),
        ssh_command=str(script),
        environment={**os.environ, "SSH_ORIGINAL_COMMAND": ""},
        monotonic=lambda: clock.now,
        sleep=clock.sleep,
    )


def test_a_server_that_is_busy_is_come_back_to(tmp_path: Path) -> None:
    identity = make(tmp_path / "shared" / ".msglog")
    clock = Clock()
    settings = config("server@host")
    here = busy_server(tmp_path, 3, clock)
    asked: list[int] = []

    def early() -> list[EarlyRequest]:
        asked.append(1)
        return [ListRefs()]

    session = open_session(find_target(settings, "origin", here, None), here, settings, early)
    assert session.greeting.repository == identity
    assert [ref.log for ref in session.listed_refs()] == ["main"]
    session.close()
    assert len(clock.pauses) == 3
    assert asked == [1]


def test_one_that_stays_so_is_given_up(tmp_path: Path) -> None:
    clock = Clock()
    here = busy_server(tmp_path, 999, clock)
    settings = config("server@host")
    with pytest.raises(BusyRemoteError, match="Try again in a moment"):
        open_session(find_target(settings, "origin", here, None), here, settings)
    assert BUSY_SECONDS - 2 * BUSY_PAUSE < clock.now <= BUSY_SECONDS


def no_address(*_: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("orgin", "the host orgin is not known (Name or service not known). Did you mean origin?"),
        ("elsewhere", "the host elsewhere is not known (Name or service not known)."),
        ("ann@orgin", "the host orgin is not known (Name or service not known)."),
    ],
)
def test_a_plain_word_that_is_no_host_may_have_been_meant_as_a_remote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, ends: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    settings = config("../shared")
    target = find_target(settings, word, context(tmp_path), None, host=True)
    with pytest.raises(ConnectError) as caught:
        open_session(target, context(tmp_path), settings)
    assert str(caught.value) == ends


def test_so_it_is_with_openssh(tmp_path: Path) -> None:
    said = "ssh: Could not resolve hostname orgin: Name or service not known"
    here = replace(context(tmp_path), ssh_command=f"sh -c 'echo {said} >&2; exit 255'")
    target = find_target(config("../shared"), "orgin", here, None, host=True)
    with pytest.raises(ConnectError) as caught:
        open_session(target, here, config("../shared"))
    assert str(caught.value) == f"ssh cannot reach orgin ({said}). Did you mean origin?"


def test_the_hint_at_the_logs_of_a_remote_can_be_typed(tmp_path: Path) -> None:
    make(tmp_path / "my shared" / ".msglog")
    mine = str(tmp_path / "mine" / ".msglog")
    for name, typed in (("origin", "origin"), ("../my shared", "'../my shared'")):
        settings = config("../my shared")
        target = find_target(settings, name, context(tmp_path / "mine"), mine)
        session = open_session(target, context(tmp_path), settings)
        session.send(Fetch("nothing"))
        with pytest.raises(UnknownRemoteLogError) as caught:
            session.expect(Transfer)
        assert caught.value.hint == f"`msglog ls-remote {typed}` lists those that it has."
        session.close()

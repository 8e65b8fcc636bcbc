"""Opening a session with a remote that was named or whose URL was given."""

from __future__ import annotations

import os
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.config import UnknownRemoteError, load
from msglog.dataclass import dataclass
from msglog.errors import RemoteError
from msglog.layout import CONFIG_NAME, STORE_NAME
from msglog.refname import DEFAULT_REMOTE
from plumbing.transport.settings import Settings
from plumbing.transport.url import UrlError, parse_url, receive_pack_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    from msglog.config import Config, Remote
    from msglog.errors import MsglogError
    from msglog.wire.request_line import EarlyRequest
    from plumbing.context import Context
    from plumbing.session import Session
    from plumbing.transport.channel import Channel
    from plumbing.transport.settings import HostKeyQuestion
    from plumbing.transport.url import RemoteUrl


BUSY_SECONDS: Final = 60.0
"""For how long a busy server is come back to: longer than a standby needs to take over."""

BUSY_PAUSE: Final = 2.0
"""Seconds before that, half more or less."""


class NoRepositoryThereError(RemoteError):
    """A local path has no repository: the disk that it lies on may come back."""

    temporary = True


class UnusableRepositoryError(RemoteError):
    """A local path has a repository, and it cannot be opened."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a command means by a remote.

    name: as set up, or "" for a bare URL. base: where a relative path starts from.
    repository: the hex id that was met there last, or "". remotes: the names of those that are set
    up, one of which may have been meant by a plain word that was taken for a host.
    """

    name: str
    url: RemoteUrl
    base: Path
    repository: str = ""
    remotes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """How to call it to people."""
        return self.name or str(self.url)


def load_config(context: Context) -> Config:
    """Read the configuration files that count for the repository of a plumbing command."""
    files: list[tuple[Path, bool]] = []
    if context.repository_directory is not None:
        files.append((Path(context.repository_directory, CONFIG_NAME), False))
    if context.user_config is not None:
        files.append((Path(context.user_config), True))
    return load(files)


def find_target(
    config: Config, text: str, context: Context, repository: str | None, *, host: bool = False
) -> Target:
    """Return the remote of this name, or the one at this URL; raises UnknownRemoteError, UrlError.

    repository: the folder of ours. A path that was set up starts from the folder that this lies
    in, as in git; one that is typed starts from where the command runs. host: a plain word that is
    no remote is an alias of ssh_config, as in every URL that is set up.
    """
    remote = config.remotes().get(text)
    if remote is not None:
        base = Path(context.directory if repository is None else os.path.dirname(repository))
        return Target(remote.name, _configured_url(remote), base, remote.repository)
    if not host or text == DEFAULT_REMOTE:
        check_is_remote(config, text)
    names = tuple(config.remotes()) if _is_plain_word(text) else ()
    return Target("", parse_url(text), Path(context.directory), remotes=names)


def check_is_remote(config: Config, text: str) -> None:
    """Raise UnknownRemoteError for a plain word that is no remote: it is hardly meant as a host."""
    remotes = config.remotes()
    if text not in remotes and _is_plain_word(text):
        raise UnknownRemoteError(text, remotes)


def _is_plain_word(text: str) -> bool:
    return not any(mark in text for mark in "@:/.")


def _configured_url(remote: Remote) -> RemoteUrl:
    try:
        return parse_url(remote.url)
    except UrlError as error:
        raise UrlError(
            f"remote.{remote.name}.url cannot be used",
            why=error.clause,
            hint=f"Correct it with `msglog remote set-url {remote.name} URL`.",
        ) from error


def ask_nothing() -> Sequence[EarlyRequest]:
    """Make no requests."""
    return ()


def _import_what_asking_takes() -> None:
    import msglog.repository  # noqa: F401, PLC0415 - see `early` of open_session
    import plumbing.tracking  # noqa: F401, PLC0415 - as above


def open_session(
    target: Target,
    context: Context,
    config: Config,
    early: Callable[[], Sequence[EarlyRequest]] = ask_nothing,
    *,
    ask_host_key: Callable[[HostKeyQuestion], bool] | None = None,
) -> Session:
    """Connect to a remote and greet it; raises RemoteError and what the server refuses.

    A server that is busy before it has greeted is come back to, for BUSY_SECONDS.

    early: gives the first requests; it is called once, while the server gets ready, so that what
    it takes to know them costs no time of its own.
    """
    requests: list[EarlyRequest] | None = None

    def words() -> list[str]:
        from msglog.wire.request_line import format_requests  # noqa: PLC0415 - see early

        nonlocal requests
        if requests is None:
            requests = [*early()]
        return format_requests(requests)

    def connect() -> Channel:
        if target.url.kind == "local":
            return _connect_local(target, words(), context)
        from plumbing.transport.selection import connect as connect_ssh  # noqa: PLC0415

        return connect_ssh(
            target.url,
            command=lambda: receive_pack_command(target.url, words()),
            settings=_settings(target, context, config, ask_host_key),
            prepare=_import_what_asking_takes,
        )

    until: float | None = None
    while True:
        channel = connect()
        from plumbing.session import BusyRemoteError  # noqa: PLC0415 - while the server starts

        try:
            return _greeted(target, channel, requests or ())
        except BusyRemoteError:
            until = context.monotonic() + BUSY_SECONDS if until is None else until
            # Some later than others: all were turned away at the same moment.
            pause = BUSY_PAUSE * (0.5 + context.random(1)[0] / 255)
            if context.monotonic() + pause > until:
                raise
            context.sleep(pause)


def _greeted(target: Target, channel: Channel, requests: Sequence[EarlyRequest]) -> Session:
    from plumbing.session import Session  # noqa: PLC0415 - while the server starts

    return Session(lambda _: channel, requests, remote=target.shown)


def _connect_local(target: Target, words: Sequence[str], context: Context) -> Channel:
    from msglog.store.store import StoreError  # noqa: PLC0415 - not for a remote over SSH
    from msglog.wire.request_line import parse_requests  # noqa: PLC0415 - as above
    from plumbing.direct import DirectPermissions  # noqa: PLC0415 - as above
    from plumbing.receive_pack import AGENT, open_path, repository_folder  # noqa: PLC0415
    from plumbing.service import Service  # noqa: PLC0415
    from plumbing.transport.local import LocalChannel  # noqa: PLC0415

    path = local_path(target.url, target.base, context)
    try:
        repository = open_path(str(path))
    except StoreError as error:
        raise _why_not(path, repository_folder(str(path)), error) from error
    permissions = DirectPermissions(context.login)
    service = Service(repository, permissions, agent=AGENT, clock=context.now)
    service.open(parse_requests(words))

    def close() -> None:
        repository.close()
        service.close()

    return LocalChannel(service, close=close)


def _why_not(path: Path, folder: str, error: MsglogError) -> RemoteError:
    """Return what is wrong with the repository at a path, which could not be opened."""
    from shlex import quote  # noqa: PLC0415 - only for this error

    try:
        there = _is_there(str(path))
        made = there and _is_there(os.path.join(folder, STORE_NAME))
    except OSError as unreadable:
        why = unreadable.strerror or str(unreadable)
        return UnusableRepositoryError(f"the repository in {path} cannot be read", why=why)
    if made:
        what = f"the repository in {path} cannot be opened"
        return UnusableRepositoryError(what, why=error.why or error.what, hint=error.hint)
    if there:
        hint = f"`msglog init {quote(str(path))}` makes one."
        return NoRepositoryThereError(f"there is no repository in {path}", hint=hint)
    hint = "Is the disk that it lies on there?"
    return NoRepositoryThereError(f"there is no folder {path}", hint=hint)


def _is_there(path: str) -> bool:
    """Tell whether something is at a path; raises OSError where nobody can tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def local_path(url: RemoteUrl, base: Path, context: Context) -> Path:
    """Return the folder that a local URL means; base: where a relative path starts from."""
    if url.path == "~" or url.path.startswith("~/"):
        return Path(context.home, url.path[2:])
    path = base / url.path
    if ".." not in path.parts:
        return path
    from msglog.pathname import tidy  # noqa: PLC0415 - few need it

    return Path(tidy(str(path)))


def _settings(
    target: Target,
    context: Context,
    config: Config,
    ask: Callable[[HostKeyQuestion], bool] | None,
) -> Settings:
    def meant() -> str:
        from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

        return question(target.url.host, target.remotes)

    command = context.ssh_command or config.text("ssh.command") or ""
    transport = config.text("ssh.transport") or "auto"
    if not command and transport == "openssh":
        command = "ssh"
    return Settings(
        home=Path(context.home),
        login=context.login,
        agent_socket=context.agent_socket,
        ssh_command=command,
        paramiko_only=not command and transport == "paramiko",
        ask_host_key=ask,
        unknown_host_hint=meant,
        terminal=context.stdin_terminal and context.stderr_terminal,
        environment=context.environment or None,
    )

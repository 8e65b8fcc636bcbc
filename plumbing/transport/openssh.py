"""SSH by a subprocess of OpenSSH's client, which can all that its ssh_config can ask for."""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import shlex
import subprocess

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from plumbing.transport.channel import (
    TURNED_AWAY,
    ChannelError,
    ConnectError,
    FloodError,
    NotLetInError,
    SilenceError,
)
from plumbing.transport.pipe import PipeChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plumbing.transport.settings import Settings
    from plumbing.transport.url import RemoteUrl

EXIT_SECONDS = 2.0
"""How long ssh may take to end by itself, and again after being told to."""

EXIT_ROUNDS = 100

FAILED = 255
"""The exit status by which ssh says that it failed, not the command."""


_NAMES_CONFIG = re.compile(r"-[46AaCfGgKkMNnqsTtVvXxYy]*F")
"""The option with which a command names its ssh_config, alone or behind options without a value."""

_NOT_LET_IN = ("Permission denied (", "Too many authentication failures")
_NOT_TRUSTED = "Host key verification failed"
"""What ssh says when trying again is of no use before somebody does something."""

_NOT_RESOLVED = "Could not resolve hostname"
_CLOSED = ("kex_exchange_identification: ", "Connection closed by ", "Connection reset by ")


class NotTrustedError(ConnectError):
    """ssh does not trust the host."""

    temporary = False


class OpensshChannel:
    """The Channel protocol over the standard streams of a subprocess of ssh."""

    __slots__ = ("_destination", "_given_up", "_pipe", "_process", "_started", "_unknown_host_hint")

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipe: PipeChannel,
        destination: str,
        unknown_host_hint: Callable[[], str],
    ) -> None:
        self._process = process
        self._pipe = pipe
        self._destination = destination
        self._unknown_host_hint = unknown_host_hint
        self._started = False
        self._given_up = False

    def send(self, data: bytes) -> None:
        """Send all of data, reading meanwhile; raises ChannelError."""
        try:
            self._pipe.send(data)
        except (SilenceError, FloodError):
            self._given_up = True
            raise
        except ChannelError as error:
            self._explain(error)
            raise

    def receive(self) -> bytes:
        """Return the next bytes, or b"" at the end; raises ChannelError on silence or failure."""
        try:
            data = self._pipe.receive()
        except SilenceError:
            self._given_up = True
            raise
        if data:
            self._started = True
        else:
            self._explain(None)
        return data

    def close(self) -> None:
        """Close both directions and end the subprocess."""
        self._pipe.close()
        if not self._given_up and _ended(self._process, EXIT_SECONDS):
            return
        for end in (self._process.terminate, self._process.kill):
            end()
            if _ended(self._process, EXIT_SECONDS):
                return

    def diagnosis(self) -> str:
        """Return the end of what ssh and the remote command wrote on standard error."""
        return self._pipe.diagnosis()

    def _explain(self, cause: ChannelError | None) -> None:
        """Raise a ChannelError if it was ssh that failed rather than the remote command."""
        for _ in range(EXIT_ROUNDS):
            # ssh does not end before what it has for standard error is taken.
            self._pipe.diagnosis()
            if _ended(self._process, EXIT_SECONDS / EXIT_ROUNDS):
                break
        if self._process.returncode != FAILED:
            return
        said = [line.strip() for line in self._pipe.diagnosis().splitlines() if line.strip()]
        why = "; ".join(said[-3:]).removesuffix(".") or "ssh says nothing"
        if self._started:
            raise ChannelError("the connection was lost", why=why) from cause
        hint = TURNED_AWAY if any(text in why for text in _CLOSED) else ""
        if _NOT_RESOLVED in why:
            hint = self._unknown_host_hint()
        raise _kind(why)(f"ssh cannot reach {self._destination}", why=why, hint=hint) from cause


def connect_openssh(
    url: RemoteUrl, command: str, settings: Settings, *, config_file: Path | None = None
) -> OpensshChannel:
    """Start ssh for a command on a host; whether it gets there shows when something is received.

    config_file: the ssh_config that ssh is to read instead of its usual ones, unless the settings'
        own command names another.
    Raises UsageError for a command line that cannot be split, ChannelError where there is no ssh.
    """
    arguments = ssh_arguments(url, command, settings, config_file=config_file)
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell; the URL's parts are checked
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=settings.environment,
            bufsize=0,
        )
    except OSError as error:
        raise ChannelError(
            f"cannot run {arguments[0]}",
            why=error.strerror or "",
            hint="Install OpenSSH's client, or set MSGLOG_SSH_COMMAND.",
        ) from error
    pipe = _take_streams(process, settings)
    return OpensshChannel(process, pipe, url.destination, settings.unknown_host_hint)


def ssh_arguments(
    url: RemoteUrl, command: str, settings: Settings, *, config_file: Path | None = None
) -> list[str]:
    """Return the command line of ssh.

    As with git, a command whose program is not called `ssh` gets the port, the host and the command
    alone: what options it has is not known.
    """
    try:
        words = shlex.split(settings.ssh_command) if settings.ssh_command else ["ssh"]
    except ValueError as error:
        raise UsageError(
            f"the ssh command {settings.ssh_command!r} cannot be split into words",
            why=str(error),
            hint="Correct MSGLOG_SSH_COMMAND or ssh.command.",
        ) from error
    if not words:
        raise UsageError(
            "the ssh command is empty", hint="Correct MSGLOG_SSH_COMMAND or ssh.command."
        )
    target = f"{url.user}@{url.host}" if url.user else url.host
    port = ["-p", str(url.port)] if url.port is not None else []
    if os.path.basename(words[0]) != "ssh":
        return [*words, *port, target, command]
    options = {
        "BatchMode": "no" if settings.terminal else "yes",
        # A key that nobody has vouched for is never accepted silently, whatever ssh_config says.
        "StrictHostKeyChecking": "ask" if settings.terminal else "yes",
        "ConnectTimeout": f"{max(1, math.ceil(settings.connect_seconds))}",
        "ServerAliveInterval": "15",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "EscapeChar": "none",
    }
    if config_file is not None and not any(map(_NAMES_CONFIG.match, words[1:])):
        words += ["-F", str(config_file)]
    words += ["-T", "-a", "-x"]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [*words, *port, "--", target, command]


def _kind(why: str) -> type[ConnectError]:
    """Return what kind of error it is that ssh speaks of."""
    if _NOT_TRUSTED in why:
        return NotTrustedError
    return NotLetInError if any(text in why for text in _NOT_LET_IN) else ConnectError


def _take_streams(process: subprocess.Popen[bytes], settings: Settings) -> PipeChannel:
    """Move the subprocess's streams into a channel, so that one place owns them."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    streams = (process.stdout, process.stdin, process.stderr)
    read_fd, write_fd, error_fd = (os.dup(stream.fileno()) for stream in streams)
    for stream in streams:
        stream.close()
    process.stdin = process.stdout = process.stderr = None
    return PipeChannel(
        read_fd,
        write_fd,
        error_fd=error_fd,
        idle_seconds=settings.idle_seconds,
        clock=settings.clock,
    )


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process to end, for so many seconds at most, and return whether it has."""
    if process.poll() is not None:
        return True
    with contextlib.suppress(OSError, AttributeError):
        # Popen.wait sleeps for up to 50 ms at a time; the kernel can say at once.
        descriptor = os.pidfd_open(process.pid)
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(seconds * 1000)
        finally:
            os.close(descriptor)
        return process.poll() is not None
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True

"""What a transport is told from outside: folders, deadlines, and whom to ask."""

from __future__ import annotations

import time
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from plumbing.transport.pipe import IDLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")


def _no_hint() -> str:
    """Say nothing."""
    return ""


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """A host key that nobody has vouched for yet.

    host: as known_hosts names it. kind: such as "ssh-ed25519". fingerprint: "SHA256:...".
    path: the known_hosts file that a yes is written to.
    """

    host: str
    kind: str
    fingerprint: str
    path: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """The surroundings of a connection; deadlines are in seconds.

    home: where `.ssh` is. login: the local account's name.
    agent_socket: `$SSH_AUTH_SOCK`, or "" for no agent.
    ssh_command: `$MSGLOG_SSH_COMMAND` or the configuration's, shell words; "" to let msglog choose.
    paramiko_only: never use OpenSSH's client, even where paramiko cannot do what is asked for.
    environment: for a subprocess of ssh; None: as this process has it.
    ask_host_key: asks a person whether a host key is right; None where there is nobody to ask.
    unknown_host_hint: says what may have been meant by a host that has no address, or "".
    terminal: ssh may ask for passphrases itself.
    connect_seconds: for a TCP connection. handshake_seconds: for the SSH banner and key exchange.
    authentication_seconds: for logging in, longer than the minute for which a server lets its
    database be away. channel_seconds: for the command to start and to speak.
    idle_seconds: the longest silence afterwards.
    """

    home: Path
    login: str
    agent_socket: str = ""
    ssh_command: str = ""
    paramiko_only: bool = False
    environment: Mapping[str, str] | None = None
    system_config: Path = SYSTEM_CONFIG
    ask_host_key: Callable[[HostKeyQuestion], bool] | None = None
    unknown_host_hint: Callable[[], str] = _no_hint
    terminal: bool = False
    connect_seconds: float = 15.0
    handshake_seconds: float = 15.0
    authentication_seconds: float = 75.0
    channel_seconds: float = 30.0
    idle_seconds: float = IDLE_SECONDS
    clock: Callable[[], float] = time.monotonic

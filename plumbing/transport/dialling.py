"""The TCP connection to a host, made before paramiko is imported.

A server forks, executes and reads its configuration before it says anything, and again when it has
heard who is there. Meanwhile this side has its imports to do.
"""

from __future__ import annotations

import socket

from msglog.annotation import TYPE_CHECKING
from plumbing.transport.channel import ConnectError
from plumbing.transport.guarded_socket import GuardedSocket

if TYPE_CHECKING:
    from plumbing.transport.settings import Settings
    from plumbing.transport.ssh_config import HostConfig

IDENTIFICATION = "SSH-2.0-msglog"
"""What we say first, see RFC 4253, 4.2; the key exchange covers it."""

REASON_CHARACTERS = 200
"""How much of what paramiko says, which may quote the peer, goes into an error."""


def dial(config: HostConfig, settings: Settings) -> GuardedSocket:
    """Connect to a host's SSH port and say who we are; raises ConnectError."""
    where = f"{config.host} port {config.port}"
    try:
        # As bytes: a text would be encoded by a codec that takes 1 ms to load.
        host = config.host.encode("ascii") if config.host.isascii() else config.host
        places = socket.getaddrinfo(host, config.port, config.address_family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError(
            f"the host {config.host} is not known",
            why=reason(error),
            hint=settings.unknown_host_hint(),
        ) from error
    seconds = config.connect_timeout or settings.connect_seconds
    failure: OSError | None = None
    for family, kind, protocol, _, address in places:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(seconds)
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            connection.close()
            failure = error
            continue
        guarded = GuardedSocket(
            connection, idle_seconds=settings.idle_seconds, clock=settings.clock
        )
        guarded.introduce(f"{IDENTIFICATION}\r\n".encode())
        return guarded
    why = "" if failure is None else reason(failure)
    if isinstance(failure, TimeoutError):
        why = f"no answer within {seconds:g} seconds"
    raise ConnectError(f"cannot connect to {where}", why=why)


def reason(error: BaseException) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return "it closed the connection"
    return " ".join(str(error).split())[:REASON_CHARACTERS] or type(error).__name__

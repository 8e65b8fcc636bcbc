"""The seam between protocol and transport: a duplex stream of bytes with deadlines."""

from __future__ import annotations

from msglog.annotation import Protocol
from msglog.errors import RemoteError

RECEIVE_BYTES = 1 << 18
"""How much one `receive` returns at most."""

UNREAD_LIMIT = 16 << 20
"""How many bytes a channel holds that arrived while it was sending; more is a flooding peer."""

TURNED_AWAY = (
    "Wait, and try again: it has too many logins, or turns this address away for a while after"
    " some that failed."
)
"""A hint where a host closes connections before it has said anything (sshd_config(5): MaxStartups,
PerSourceMaxStartups, PerSourcePenalties)."""


class ChannelError(RemoteError):
    """The connection failed, fell silent past its deadline, or was closed in mid stream."""

    temporary = True


class ConnectError(ChannelError):
    """The host cannot be reached, or does not speak SSH."""


class NotLetInError(ConnectError):
    """The host takes none of our keys: of no use to try again, unless it let us in a moment ago."""

    temporary = False


class SilenceError(ChannelError):
    """Nothing moved for longer than the deadline."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the remote fell silent", why=f"nothing moved for {seconds:g} seconds")


class FloodError(ChannelError):
    """More arrived while sending than a channel holds."""

    def __init__(self) -> None:
        super().__init__(
            "the remote floods the connection",
            why=f"over {UNREAD_LIMIT >> 20} MiB arrived while sending",
        )


class Channel(Protocol):
    """A connection to a msglog server's standard input and output.

    `send` reads while it writes, so that two sides which both send never block each other; what
    arrived meanwhile is held for `receive`, at most UNREAD_LIMIT bytes.
    """

    def send(self, data: bytes) -> None:
        """Send all of data; raises ChannelError when the peer takes none of it for too long."""

    def receive(self) -> bytes:
        """Return the next bytes, or b"" at the end; raises ChannelError on silence."""

    def close(self) -> None:
        """Close both directions and free what the channel holds; harmless when said twice."""

    def diagnosis(self) -> str:
        """Return what the peer wrote on standard error (its last 4 KiB, as text), or ""."""

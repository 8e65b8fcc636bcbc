"""How long one side waits for the other before it must have got somewhere."""

from __future__ import annotations

from msglog.dataclass import dataclass
from plumbing.transport.channel import ChannelError

BYTES_A_SECOND = 1024
"""How fast a peer must be at least, in both directions together."""

COUNTED_BYTES = 18 << 20
"""How many bytes buy time: those of the largest batch; more without progress are idle talk."""


class SlowPeerError(ChannelError):
    """The peer always did something in time, and never got anywhere."""

    def __init__(self) -> None:
        super().__init__(
            "the remote is too slow", why=f"under {BYTES_A_SECOND} bytes a second, without progress"
        )


@dataclass(slots=True)
class Patience:
    """Bounds the time, in seconds, that is waited for a peer between two steps of progress.

    That is `seconds`, and a second more for each BYTES_A_SECOND that have moved; what counts as
    progress is the caller's to say. There is no clock here.
    """

    seconds: float
    waited: float = 0.0
    moved: int = 0

    def left(self) -> float:
        """Return how many seconds may still be waited; not above 0 when there is none."""
        return self.seconds + min(self.moved, COUNTED_BYTES) / BYTES_A_SECOND - self.waited

    def move(self, size: int) -> None:
        """Take note that so many bytes came or went."""
        self.moved += size

    def wait(self, seconds: float) -> None:
        """Take note that so long was waited; raises SlowPeerError when that is too long."""
        self.waited += seconds
        if self.left() <= 0:
            raise SlowPeerError

    def renew(self) -> None:
        """Begin anew: the peer got somewhere."""
        self.waited = 0.0
        self.moved = 0

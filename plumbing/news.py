"""What is new in watched logs: messages that came and logs that went, and what can go wrong."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError, NegativeAnswer, RemoteError
from msglog.wire import batch
from msglog.wire.events import (
    PATTERNS_LIMIT,
    Acknowledged,
    AdvertisedRef,
    Batch,
    End,
    Gone,
    Watch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from msglog.key import Key
    from plumbing.session import Session
    from plumbing.watched_logs import WatchedLogs


class CannotWatchError(RemoteError):
    """The server is older than this request."""

    def __init__(self) -> None:
        super().__init__(
            "the remote's msglog is older and cannot watch",
            hint="Use `msglog sync --every 30s`, or have msglog upgraded there.",
        )


class ForgedNewsError(IntegrityError):
    """What the remote sent cannot be what is new in a log."""


class NothingLeftError(NegativeAnswer):
    """All logs that were watched by their names were deleted."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Some new messages of a log, in the order of their keys, each with the bytes of its object."""

    log: str
    keys: Sequence[Key]
    objects: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Vanished:
    """A log was deleted, or is not for us any more."""

    log: str


News: TypeAlias = "Arrived | Vanished"


def check_can_watch(session: Session) -> None:
    """Raise CannotWatchError for a server that does not know the request."""
    if session.greeting.watch is None:
        raise CannotWatchError


def ask(session: Session, logs: WatchedLogs) -> list[AdvertisedRef | Gone]:
    """Ask a server what has changed in watched logs, and wait for its answer."""
    few = len(logs.patterns) <= PATTERNS_LIMIT
    session.send(Watch(logs.patterns if few else ()))
    told: list[AdvertisedRef | Gone] = []
    while not isinstance(event := session.expect(AdvertisedRef, Gone, End), End):
        if logs.has(event.log):
            told.append(event)
    return told


def received(session: Session, expected: int) -> Iterator[tuple[dict[Key, bytes], Acknowledged]]:
    """Yield the messages of the batches of a transfer, which is to bring exactly so many.

    With each batch, what would acknowledge it. Keys ascend throughout. Raises ForgedNewsError, and
    what a batch raises that lies.
    """
    last: bytes = b""
    messages = 0
    while isinstance(part := session.expect(Batch, End), Batch):
        found = batch.unpack(part.content, part.messages)
        first = next(iter(found))
        messages += len(found)
        if first <= last:
            raise ForgedNewsError("the remote sent messages that are not in order")
        if messages > expected:
            raise ForgedNewsError("the remote sends more messages than it said")
        last = next(reversed(found))
        yield found, Acknowledged(part.number, part.root)
    if messages != expected:
        raise ForgedNewsError("the remote sent fewer messages than it said")

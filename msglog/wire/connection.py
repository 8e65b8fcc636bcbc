"""One session as a state machine: which side may say what, and when; bytes in, events out.

Both sides run the same table. There is no socket, file or clock here.
"""

from collections.abc import Iterator
from enum import Enum, auto

from msglog.wire.codec import EventReader, ProtocolError, encode_event
from msglog.wire.events import (
    Acknowledged,
    AdvertisedRef,
    Base,
    Batch,
    Done,
    End,
    Event,
    Fetch,
    GetNodes,
    Greeting,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Push,
    Refused,
    Transfer,
)
from msglog.wire.pktline import FramingError


class Side(Enum):
    """Who speaks."""

    CLIENT = auto()
    SERVER = auto()


class State(Enum):
    """Where a session is."""

    OPENING = auto()
    READY = auto()
    LISTING = auto()
    FETCHING = auto()
    STREAMING = auto()
    CHOOSING = auto()
    PUSHING = auto()
    CONCLUDING = auto()
    NAVIGATING = auto()
    FAILED = auto()


class LocalProtocolError(AssertionError):
    """We tried to say what the protocol does not allow: a bug of ours."""


_C, _S = Side.CLIENT, Side.SERVER

TRANSITIONS: dict[State, dict[tuple[Side, type[Event]], State]] = {
    State.OPENING: {(_S, Greeting): State.READY, (_S, PeerError): State.FAILED},
    State.READY: {
        (_C, ListRefs): State.LISTING,
        (_C, Fetch): State.FETCHING,
        (_C, Push): State.CHOOSING,
        (_C, Transfer): State.PUSHING,
        (_C, GetNodes): State.NAVIGATING,
        (_C, Acknowledged): State.READY,
        (_S, PeerError): State.FAILED,
    },
    State.LISTING: {
        (_S, AdvertisedRef): State.LISTING,
        (_S, End): State.READY,
        (_S, PeerError): State.READY,
        (_C, Acknowledged): State.LISTING,
    },
    State.FETCHING: {
        (_S, Transfer): State.STREAMING,
        (_S, Base): State.READY,
        (_S, PeerError): State.READY,
        (_C, Acknowledged): State.FETCHING,
    },
    State.STREAMING: {
        (_S, Batch): State.STREAMING,
        (_S, End): State.READY,
        (_S, PeerError): State.FAILED,
        (_C, Acknowledged): State.STREAMING,
    },
    State.CHOOSING: {
        (_S, Base): State.READY,
        (_S, PeerError): State.READY,
        (_C, Acknowledged): State.CHOOSING,
    },
    State.PUSHING: {
        (_C, Batch): State.PUSHING,
        (_C, End): State.CONCLUDING,
        (_S, Refused): State.PUSHING,
        (_S, Acknowledged): State.PUSHING,
        (_S, PeerError): State.FAILED,
    },
    State.CONCLUDING: {
        (_S, Refused): State.CONCLUDING,
        (_S, Acknowledged): State.CONCLUDING,
        (_S, Done): State.READY,
        (_S, PeerError): State.FAILED,
    },
    State.NAVIGATING: {
        (_S, NodeData): State.NAVIGATING,
        (_S, End): State.READY,
        (_S, PeerError): State.READY,
        (_C, Acknowledged): State.NAVIGATING,
    },
    State.FAILED: {},
}
"""After a state: who may say what, and which state follows. KeepAlive is free to both, always."""

AHEAD_LIMIT = 64
"""How many requests may wait for the answers before them."""

_REQUESTS = (ListRefs, Fetch, Push, GetNodes)
_DEAF = (State.PUSHING, State.CONCLUDING, State.FAILED)


class Connection:
    """One side of a session.

    `send` turns an event into bytes, `receive` bytes into events; both move the same state. A
    client may send requests ahead: they wait until the answers before them are complete.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.state = State.OPENING
        self._reader = EventReader()
        self._ahead: list[Event] = []

    def has_failed(self) -> bool:
        """Tell whether the session is over because of an error."""
        return self.state is State.FAILED

    def send(self, event: Event) -> bytes:
        """Return the bytes of an event of ours."""
        self.presume(event)
        return encode_event(event)

    def presume(self, event: Event) -> None:
        """Take note of an event of ours that reaches the peer by another way than this stream."""
        if not self._step(self.side, event):
            raise LocalProtocolError(event, self.state)

    def abort(self, error: PeerError) -> bytes:
        """Return the bytes of an error that ends the session in whatever state it is."""
        self.state = State.FAILED
        return encode_event(error)

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the peer's events that data complete; raises when the peer breaks the protocol."""
        for event in self._reader.receive(data):
            self._heard(event)
            yield event

    def inject(self, event: Event) -> None:
        """Take note of an event of the peer that came by another way than this stream."""
        self._heard(event)

    def finish(self) -> None:
        """Take note that the peer's stream has ended; raises unless it may end here."""
        if self._reader.pending:
            begun = self._reader.begun
            raise FramingError(
                f"its stream was cut after {begun[:40]!r}" if begun else "it was cut"
            )
        if self.state not in (State.READY, State.FAILED):
            raise ProtocolError(f"it closed the stream while {self.state.name.lower()}")

    def _heard(self, event: Event) -> None:
        if not self._step(Side.SERVER if self.side is Side.CLIENT else Side.CLIENT, event):
            raise ProtocolError(
                f"it sent {type(event).__name__.lower()} while {self.state.name.lower()}"
            )

    def _step(self, speaker: Side, event: Event) -> bool:
        """Move on by one event; False if the speaker may not say it now."""
        if isinstance(event, KeepAlive):
            return True
        if (
            speaker is Side.CLIENT
            and isinstance(event, _REQUESTS)
            and (self.state is not State.READY or self._ahead)
        ):
            if self.state in _DEAF or len(self._ahead) >= AHEAD_LIMIT:
                return False
            self._ahead.append(event)
            return True
        following = TRANSITIONS[self.state].get((speaker, type(event)))
        if following is None:
            return False
        self.state = following
        if following is State.READY and self._ahead:
            ahead = self._ahead.pop(0)
            self.state = TRANSITIONS[State.READY][(Side.CLIENT, type(ahead))]
        return True

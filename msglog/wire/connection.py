"""One session as a state machine: which side may say what, and when; bytes in, events out.

Both sides run the same table. There is no socket, file or clock here.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.enumeration import Enum, auto
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    BATCH_MESSAGES_LIMIT,
    SAID,
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Concluded,
    Done,
    End,
    Fetch,
    GetNodes,
    Gone,
    Greeting,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Printed,
    Push,
    Refused,
    Transfer,
    Watch,
)
from msglog.wire.grammar import ProtocolError
from msglog.wire.pktline import FramingError
from msglog.wire.reader import EventReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.objectid import ObjectId
    from msglog.wire.events import (
        Event,
    )


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
    ADMINISTERING = auto()
    WATCHING = auto()
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
        (_C, Administer): State.ADMINISTERING,
        (_C, Watch): State.WATCHING,
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
    State.ADMINISTERING: {
        (_S, Printed): State.ADMINISTERING,
        (_S, Concluded): State.READY,
        (_S, PeerError): State.READY,
        (_C, Acknowledged): State.ADMINISTERING,
    },
    State.WATCHING: {
        (_S, AdvertisedRef): State.WATCHING,
        (_S, Gone): State.WATCHING,
        (_S, End): State.READY,
        (_S, PeerError): State.READY,
        (_C, Acknowledged): State.WATCHING,
    },
    State.FAILED: {},
}
"""After a state: who may say what, and which state follows. KeepAlive is free to both, always."""

AHEAD_LIMIT = 1024
"""How many requests may wait for the answers before them; those that name paths never wait."""

KEEP_ALIVE_LIMIT = 1024
"""How many keep-alives may follow each other: at one in ten seconds, nearly three hours."""

REF_LIMIT = 65_536
"""How many logs a list may have."""

NODES_A_PATH_LIMIT = 17
"""How many nodes may answer for one path: the one there and its children."""

LINE_LIMIT = 1 << 17
"""How many lines a command of an administrator may print."""

UNACKNOWLEDGED_LIMIT = 8
"""How many batches of a client may wait for their acknowledgement."""

_DEAF = (State.PUSHING, State.CONCLUDING, State.FAILED)


class _Tally:
    """Counts what one session says, for the limits that no single packet can break."""

    def __init__(self) -> None:
        self._batches = {Side.CLIENT: 0, Side.SERVER: 0}
        self._keep_alives = {Side.CLIENT: 0, Side.SERVER: 0}
        self._last_log = ""
        self._logs = 0
        self._nodes = 0
        self._lines = 0
        self._refused = 0
        self._unacknowledged = 0

    def objection(self, speaker: Side, event: Event) -> str:
        """Count an event; return why it may not be said, or ""."""
        alive = isinstance(event, KeepAlive)
        self._keep_alives[speaker] = self._keep_alives[speaker] + 1 if alive else 0
        match event:
            case KeepAlive() if self._keep_alives[speaker] > KEEP_ALIVE_LIMIT:
                return "nothing but keep-alives"
            case ListRefs() | Watch() | End():
                self._last_log, self._logs = "", 0
            case AdvertisedRef() | Gone():
                if event.log <= self._last_log:
                    return "logs that are not in order"
                self._last_log = event.log
                self._logs += 1
                if self._logs > REF_LIMIT:
                    return f"more than {REF_LIMIT} logs"
            case GetNodes():
                self._nodes = NODES_A_PATH_LIMIT * len(event.nodes)
            case NodeData():
                self._nodes -= 1
                if self._nodes < 0:
                    return "more nodes than were asked for"
            case Administer():
                self._lines = 0
            case Printed():
                self._lines += 1
                if self._lines > LINE_LIMIT:
                    return f"more than {LINE_LIMIT} lines"
            case Batch():
                self._batches[speaker] += 1
                if event.number != self._batches[speaker]:
                    return "batches that are not numbered in order"
                self._unacknowledged += speaker is Side.CLIENT
                if self._unacknowledged > UNACKNOWLEDGED_LIMIT:
                    return "more batches than it may before they are acknowledged"
            case Refused():
                self._refused += 1
                if self._refused > BATCH_MESSAGES_LIMIT:
                    return "more refusals than a batch has messages"
            case Acknowledged() if speaker is Side.SERVER:
                self._refused = 0
                self._unacknowledged -= 1
                if self._unacknowledged < 0:
                    return "an acknowledgement of what was not sent"
        return ""


class _Named:
    """Remembers the roots that a session has named, so that packets need not name them again.

    Both sides keep the same ones, from the same events, whoever has said them.
    """

    def __init__(self) -> None:
        self._bases: dict[str, ObjectId] = {}
        self._result = SAID
        self._checkpoints: list[ObjectId] = []

    def shorten(self, speaker: Side, event: Event) -> Event:
        """Take note of an event that is said now, and return it without the roots known by then."""
        short = event
        match event:
            case Transfer() if self._base(speaker, event) == event.base:
                short = Transfer(event.log, SAID, event.root, event.count, event.view)
            case Batch() if self._result == event.root:
                short = Batch(event.number, event.messages, SAID, event.content)
            case Acknowledged() if self._checkpoint(speaker) == event.root:
                short = Acknowledged(event.number, SAID)
        self._note(speaker, event)
        return short

    def complete(self, speaker: Side, event: Event) -> Event:
        """Return an event that was heard with all its roots, and take note of it."""
        whole = event
        match event:
            case Transfer() if event.base == SAID:
                base = self._base(speaker, event)
                whole = Transfer(event.log, base, event.root, event.count, event.view)
            case Batch() if event.root == SAID:
                whole = Batch(event.number, event.messages, self._result, event.content)
            case Acknowledged() if event.root == SAID:
                whole = Acknowledged(event.number, self._checkpoint(speaker))
        if isinstance(whole, Transfer) and whole.base == SAID:
            raise ProtocolError("it sent a transfer from a base that was not said")
        if isinstance(whole, Acknowledged) and whole.root == SAID:
            raise ProtocolError("it acknowledged a root that was not said")
        self._note(speaker, whole)
        return whole

    def _base(self, speaker: Side, event: Transfer) -> ObjectId:
        """Return the base that the server named last for the log, to a client."""
        return self._bases.get(event.log, SAID) if speaker is Side.CLIENT else SAID

    def _checkpoint(self, speaker: Side) -> ObjectId:
        """Return the root of the client's batch that the server acknowledges now."""
        return self._checkpoints[0] if speaker is Side.SERVER else SAID

    def _note(self, speaker: Side, event: Event) -> None:
        match event:
            case Base() if event.base is not None:
                self._bases[event.log] = event.base
            case Transfer():
                self._result = event.root
            case Batch() if speaker is Side.CLIENT:
                self._checkpoints.append(event.root)
            case Acknowledged() if speaker is Side.SERVER:
                self._checkpoints.pop(0)


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
        self._tally = _Tally()
        self._named = _Named()

    def has_opened(self) -> bool:
        """Tell whether the server has said its first words."""
        return self.state is not State.OPENING

    def has_failed(self) -> bool:
        """Tell whether the session is over because of an error."""
        return self.state is State.FAILED

    def may_ask_ahead(self) -> bool:
        """Tell whether a client may send one more request now."""
        return self.state not in _DEAF and len(self._ahead) < AHEAD_LIMIT

    def send(self, event: Event) -> bytes:
        """Return the bytes of an event of ours."""
        self.presume(event)
        return encode_event(self._named.shorten(self.side, event))

    def presume(self, event: Event) -> None:
        """Take note of an event of ours that reaches the peer by another way than this stream."""
        if not self._step(self.side, event):
            raise LocalProtocolError(event, self.state)
        if objection := self._tally.objection(self.side, event):
            raise LocalProtocolError(event, objection)

    def abort(self, error: PeerError) -> bytes:
        """Return the bytes of an error that ends the session in whatever state it is."""
        self.state = State.FAILED
        return encode_event(error)

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the peer's events that data complete; raises when the peer breaks the protocol.

        Each is read only when it is asked for, so that few bytes which grow into many large
        batches are not held as such.
        """
        for event in self._reader.receive(data):
            yield self._heard(event)

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
        if self.state in (State.READY, State.FAILED):
            return
        if self.state is not State.WATCHING or self.side is Side.CLIENT:
            raise ProtocolError(f"it closed the stream while {self.state.name.lower()}")

    def _heard(self, event: Event) -> Event:
        """Return an event of the peer as it is meant; raises when it may not be said now."""
        peer = Side.SERVER if self.side is Side.CLIENT else Side.CLIENT
        if not self._step(peer, event):
            raise ProtocolError(
                f"it sent {type(event).__name__.lower()} while {self.state.name.lower()}"
            )
        if objection := self._tally.objection(peer, event):
            raise ProtocolError(f"it sent {objection}")
        return self._named.complete(peer, event)

    def _step(self, speaker: Side, event: Event) -> bool:
        """Move on by one event; False if the speaker may not say it now."""
        if isinstance(event, KeepAlive):
            return True
        if (
            speaker is Side.CLIENT
            and _can_wait(event)
            and (self.state is not State.READY or self._ahead)
        ):
            if not self.may_ask_ahead():
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


def _can_wait(event: Event) -> bool:
    """Tell whether a request may be sent ahead: it must be small, for many may wait."""
    if isinstance(event, Fetch | Push):
        return event.root is None
    return isinstance(event, ListRefs)

"""The client's side of a session: typed requests and answers over a channel."""

from __future__ import annotations

from collections import deque

from msglog.annotation import TYPE_CHECKING, overload
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError, NotAuthorisedError, RemoteError, UsageError
from msglog.wire.connection import Connection, Side
from msglog.wire.events import (
    Acknowledged,
    AdvertisedRef,
    End,
    Fetch,
    Greeting,
    KeepAlive,
    ListRefs,
    PeerError,
    Push,
)
from msglog.wire.grammar import ProtocolError
from msglog.wire.pktline import FramingError
from msglog.wire.request_line import format_requests
from plumbing.transport.channel import ChannelError, ConnectError, FloodError, SilenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn, TypeVar

    from msglog.errors import MsglogError
    from msglog.wire.events import (
        Event,
    )
    from msglog.wire.request_line import EarlyRequest
    from plumbing.transport.channel import Channel

    _E = TypeVar("_E")
    _F = TypeVar("_F")
    _G = TypeVar("_G")


class RemoteRefusedError(NotAuthorisedError):
    """The server knows what was asked and does not allow it."""


class UnknownRemoteLogError(UsageError):
    """The server has no such log, or does not tell this user of it."""


class RemoteDamageError(IntegrityError):
    """The server says that what it keeps, or what we sent, is damaged."""


class RemoteFailureError(RemoteError):
    """The server could not do it: busy, out of space, or broken."""

    temporary = True


class BusyRemoteError(RemoteFailureError):
    """The server cannot do it just now: others were first, or a database is away."""


class NoRemoteRepositoryError(RemoteFailureError):
    """The server has no repository of that name."""

    temporary = False


class NotMsglogError(RemoteError):
    """What answers at the other end is not msglog."""


_ERRORS: dict[str, type[MsglogError]] = {
    "not-authorised": RemoteRefusedError,
    "no-such-log": UnknownRemoteLogError,
    "no-such-repository": NoRemoteRepositoryError,
    "busy": BusyRemoteError,
    "damaged": RemoteDamageError,
    "forged": RemoteDamageError,
}
_REPORTED = {
    "no-such-log": "the remote has no such log",
    "no-such-repository": "the remote has no such repository",
}
"""What the remote reports by some codes; of others, "an error"."""

_LOOK = (
    "Whoever runs it sees more with `msglog admin doctor`, or `msglog verify` in the repository."
)
_REMEDIES = {
    "no-such-repository": "Correct the URL, or have one made: `msglog admin repository add NAME`.",
    "protocol": "Is it another version of msglog?",
    "busy": "Try again in a moment.",
    "damaged": _LOOK,
    "storage": _LOOK,
    "internal": _LOOK,
    "forged": "`msglog verify` checks what is here.",
}


@dataclass(slots=True)
class Traffic:
    """What a session has cost: bytes of the protocol each way, and waits for the other side."""

    sent: int = 0
    received: int = 0
    round_trips: int = 0


class Session:
    """One conversation with a server about one repository.

    connect: starts the server with the words of requests on its command line.
    early: the first requests; those that fit become such words, the others follow the greeting.
    Their answers are to be read in the same order.

    remote: how people name the server on a command line.
    attend: called whenever something was sent or has come, for whoever shows progress.
    """

    def __init__(
        self,
        connect: Callable[[Sequence[str]], Channel],
        early: Sequence[EarlyRequest] = (),
        *,
        remote: str = "REMOTE",
    ) -> None:
        words = format_requests(early)
        self._remote = remote
        self.traffic = Traffic()
        self.attend: Callable[[], None] | None = None
        self._connection = Connection(Side.CLIENT)
        self._arriving: Iterator[Event] = iter(())
        self._held: deque[Event] = deque()
        self._waiting = True
        self._batches = 0
        self._deaf = False
        self._channel = connect(words)
        try:
            self.greeting = self._greet()
            taken = self._count_taken(len(words))
            for request in early[:taken]:
                self._connection.presume(request)
            for request in early[taken:]:
                self.send(request)
        except BaseException:
            self.close()
            raise

    def _count_taken(self, words: int) -> int:
        """Return how many requests came through with the command line.

        A forced command may drop what the client asked for: then they are sent again.
        """
        taken = self.greeting.early
        if taken is None:
            return words
        if taken > words:
            raise RemoteError(
                "the peer breaks the msglog protocol", why="it took requests that were not made"
            )
        return taken

    def _greet(self) -> Greeting:
        try:
            return self.expect(Greeting)
        except ConnectError:
            raise  # nobody was there to say anything
        except (FramingError, ProtocolError, ChannelError) as error:
            said = self._channel.diagnosis().strip()
            if isinstance(error, ChannelError) and not said:
                raise
            why = f"it said {said.splitlines()[-1][:200]!r}" if said else error.why
            raise NotMsglogError(
                "the remote does not speak msglog",
                why=why,
                hint="Is it a msglog server account, and does nothing print at login?",
            ) from error

    def send(self, event: Event) -> None:
        """Say something to the server; a request waits if too many are unanswered."""
        if isinstance(event, ListRefs | Fetch | Push) and (
            self._held or not self._connection.may_ask_ahead()
        ):
            self._held.append(event)
        else:
            self._say(event)

    def _say(self, event: Event) -> None:
        data = self._connection.send(event)
        acknowledges = isinstance(event, Acknowledged)  # which nothing answers
        if acknowledges and self._deaf:
            return
        self.traffic.sent += len(data)
        if not acknowledges:
            self._waiting = True
        try:
            self._channel.send(data)
        except ChannelError as error:
            if acknowledges and not isinstance(error, SilenceError | FloodError):
                # What arrived before the connection ended is worth taking; the end comes by itself.
                self._deaf = True
                return
            self._raise_what_was_said()
            raise
        if self.attend is not None:
            self.attend()

    def next_batch(self) -> int:
        """Return the number of the next batch to be sent: they are counted through the session."""
        self._batches += 1
        return self._batches

    def _raise_what_was_said(self) -> None:
        """Raise the error with which the server ended the session, if it said one."""
        try:
            while True:
                event = self.next()
                if isinstance(event, PeerError) and self.failed:
                    raise _remote_error(event, self.see_logs())
        except RemoteError as error:
            if isinstance(error, RemoteFailureError):
                raise

    def next(self) -> Event:
        """Wait for what the server says next, be it an error."""
        while True:
            for event in self._arriving:
                if not isinstance(event, KeepAlive):
                    return event
            while self._held and self._connection.may_ask_ahead():
                self._say(self._held.popleft())
            self._read()

    @overload
    def expect(self, kind: type[_E], /) -> _E: ...

    @overload
    def expect(self, kind: type[_E], other: type[_F], /) -> _E | _F: ...

    @overload
    def expect(self, kind: type[_E], other: type[_F], third: type[_G], /) -> _E | _F | _G: ...

    def expect(self, *kinds: type[object]) -> object:
        """Wait for an event of one of these types; raises what the server reports as an error."""
        event = self.next()
        if isinstance(event, PeerError):
            raise _remote_error(event, self.see_logs())
        if not isinstance(event, kinds):
            raise RemoteError(
                "the peer breaks the msglog protocol",
                why=f"it sent {type(event).__name__.lower()} at the wrong time",
            )
        return event

    def _read(self) -> None:
        data = self._channel.receive()
        if self._waiting:
            self.traffic.round_trips += 1
            self._waiting = False
        self.traffic.received += len(data)
        if self.attend is not None:
            self.attend()
        if not data:
            self._raise_end()
        self._arriving = self._connection.receive(data)

    def _raise_end(self) -> NoReturn:
        """Raise what it means that the server's stream has ended."""
        if not self._connection.has_opened():
            raise ProtocolError("it closed the connection without a greeting")
        why = ""
        try:
            self._connection.finish()
        except RemoteError:
            why = "in mid sentence"
        raise ChannelError("the remote closed the connection", why=why)

    def list_refs(self) -> list[AdvertisedRef]:
        """Ask for the logs that we may list."""
        self.send(ListRefs())
        return self.listed_refs()

    def listed_refs(self) -> list[AdvertisedRef]:
        """Return the logs, when they were asked for already."""
        refs: list[AdvertisedRef] = []
        while isinstance(event := self.expect(AdvertisedRef, End), AdvertisedRef):
            refs.append(event)
        return refs

    @property
    def failed(self) -> bool:
        """Whether an error has ended the conversation: nothing more can be asked."""
        return self._connection.has_failed()

    def close(self) -> None:
        """End the conversation."""
        self._channel.close()

    def see_logs(self) -> str:
        """Return a hint for whoever named a log that the server has not."""
        from shlex import quote  # noqa: PLC0415 - only for errors

        return f"`msglog ls-remote {quote(self._remote)}` lists those that it has."


def _remote_error(error: PeerError, see_logs: str = "") -> MsglogError:
    if error.code == "not-authorised":
        why = error.text.rstrip(".").removeprefix("not authorised").lstrip()
        hint = "The administrator of the server can give you a role that allows it."
        return RemoteRefusedError("not authorised", why=why, hint=hint)
    kind = _ERRORS.get(error.code, RemoteFailureError)
    what = _REPORTED.get(error.code, "the remote reports an error")
    hint = see_logs if kind is UnknownRemoteLogError else _REMEDIES.get(error.code, "")
    return kind(what, why=error.text.rstrip("."), hint=hint)

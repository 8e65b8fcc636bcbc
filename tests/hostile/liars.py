"""Peers in memory that lie, from a script or by changing what an honest one says."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from msglog.message import object_key
from msglog.repository import Repository
from msglog.wire.encoder import encode_event
from msglog.wire.events import Event
from msglog.wire.reader import EventReader
from plumbing.service import Service
from plumbing.transport.channel import Channel


class Script:
    """A Channel whose other end says these bytes, one piece a time, and then closes."""

    def __init__(self, said: Iterable[bytes], *, diagnosis: str = "") -> None:
        self._said = iter(said)
        self._diagnosis = diagnosis
        self.heard = bytearray()
        self.pieces = 0

    def send(self, data: bytes) -> None:
        self.heard += data

    def receive(self) -> bytes:
        self.pieces += 1
        return next(self._said, b"")

    def close(self) -> None:
        pass

    def diagnosis(self) -> str:
        return self._diagnosis


class Tampering:
    """A Channel to an honest server, between which and the client sits a liar.

    change: gets each event of the server and what number it is of its type, from 1; returns the
    events or bytes to be said instead.
    """

    def __init__(
        self, inner: Channel, change: Callable[[Event, int], Iterable[Event | bytes]]
    ) -> None:
        self._inner = inner
        self._change = change
        self._reader = EventReader()
        self._seen: Counter[type[Event]] = Counter()
        self._said: Iterator[bytes] = iter(())
        self.heard = bytearray()

    def send(self, data: bytes) -> None:
        self.heard += data
        self._inner.send(data)

    def receive(self) -> bytes:
        while True:
            for piece in self._said:
                if piece:
                    return piece
            data = self._inner.receive()
            if not data:
                return b""
            self._said = self._lie(data)

    def _lie(self, data: bytes) -> Iterator[bytes]:
        for event in self._reader.receive(data):
            self._seen[type(event)] += 1
            for said in self._change(event, self._seen[type(event)]):
                yield said if isinstance(said, bytes) else encode_event(said)

    def close(self) -> None:
        self._inner.close()

    def diagnosis(self) -> str:
        return ""


class RawClient:
    """A client that says whatever it likes to a service, and reads what it answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._reader = EventReader()
        self.hear()

    def say(self, *said: Event | bytes) -> list[Event]:
        """Say events or bytes, one after the other; return all the answers."""
        answers: list[Event] = []
        for one in said:
            self.service.receive(one if isinstance(one, bytes) else encode_event(one))
            answers += self.hear()
        return answers

    def hear(self) -> list[Event]:
        answers: list[Event] = []
        while (data := self.service.output()) is not None:
            answers += self._reader.receive(data)
        return answers


def check_whole(repository: Repository) -> None:
    """Read every message of every log: all are there and what their keys say."""
    for log in repository.logs():
        keys = list(repository.keys(log.root))
        assert len(keys) == log.count
        assert all(object_key(data) == key for key, data in repository.messages(iter(keys)))

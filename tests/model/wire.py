"""A connection of which the model decides how bytes travel and where they stop."""

import random
from collections.abc import Callable

from plumbing.service import Service
from plumbing.transport.channel import ChannelError
from tests.model.sites import ServerGoneError, Tap

UNCUT = 1 << 60


class Wire:
    """A Channel to a service in memory, as a pair of pipes.

    cut: after so many bytes, both ways together, it breaks. The server works ahead of what the
    client has read, or only then, and bytes come in pieces of any size; draw decides.
    """

    def __init__(
        self,
        service: Service,
        tap: Tap,
        *,
        ended: Callable[[], None],
        draw: random.Random,
        cut: int,
    ) -> None:
        self._service = service
        self._tap = tap
        self._ended = ended
        self._draw = draw
        self._left = cut
        self._to_server = bytearray()
        self._to_client = bytearray()
        self._closed = False
        self.broken = False

    def send(self, data: bytes) -> None:
        self._tap.point()
        if self.broken or self._closed:
            raise ChannelError("the remote closed the connection")
        room = min(self._left, len(data))
        self._left -= room
        self._to_server += data[:room]
        if room < len(data):
            self._break()
            raise ChannelError("the remote closed the connection")
        if self._draw.random() < 0.3:
            self._work(self._draw.randrange(4))

    def receive(self) -> bytes:
        self._tap.point()
        if self._closed:
            return b""
        while not self._to_client:
            if self.broken:
                raise ChannelError("the remote closed the connection")
            if not self._work(1 if self._draw.random() < 0.7 else 3):
                return b""
        size = len(self._to_client)
        if self._draw.random() < 0.2:
            size = self._draw.randint(1, size)
        piece = bytes(self._to_client[: min(size, self._left)])
        del self._to_client[: len(piece)]
        self._left -= len(piece)
        if not piece:
            self._break()
            raise ChannelError("the remote closed the connection")
        return piece

    def _work(self, steps: int) -> bool:
        """Let the server read what has come, and say some things; tell whether it did anything."""
        said = False
        try:
            size = len(self._to_server)
            if size > 1 and self._draw.random() < 0.2:
                size = self._draw.randint(1, size)
            data = bytes(self._to_server[:size])
            del self._to_server[:size]
            if data:
                self._service.receive(data)
            for _ in range(steps):
                chunk = self._service.output()
                if chunk is None:
                    break
                self._to_client += chunk
                said = True
        except ServerGoneError:
            self.broken = True
            return True
        return said or bool(data)

    def _break(self) -> None:
        """Lose what is under way in both directions, or only to the client; the server ends."""
        self.broken = True
        self._to_client.clear()
        if self._draw.random() < 0.5:
            self._to_server.clear()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._service.receive(bytes(self._to_server))
            if self._draw.random() < 0.5:
                self._service.conclude()  # what was sent to be written is written
            self._service.close()
        except ServerGoneError:
            pass
        finally:
            self._ended()

    def diagnosis(self) -> str:
        return ""

"""Peers in memory that lie: a server that says what it was told to say, whatever it hears."""

from collections.abc import Iterable


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

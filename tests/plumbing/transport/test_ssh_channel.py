"""A session's flow over SSH: what arrives is taken when it is asked for, or when sending waits."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import pytest

from plumbing.transport.channel import RECEIVE_BYTES, UNREAD_LIMIT, FloodError
from plumbing.transport.settings import Settings
from plumbing.transport.ssh import SshChannel


class FloodedChannel:
    """A paramiko channel on which there is always more to read, and which takes what it is let."""

    closed = eof_received = False

    def __init__(self, full: Iterator[bool]) -> None:
        self.full = full
        self.sent = b""
        self.taken = 0

    def settimeout(self, _seconds: float) -> None:
        pass

    def send(self, data: bytes) -> int:
        if next(self.full):
            raise TimeoutError
        self.sent += data
        return len(data)

    def recv_ready(self) -> bool:
        return True

    def recv(self, size: int) -> bytes:
        self.taken += size
        return bytes(size)

    def recv_stderr(self, _size: int) -> bytes:
        return b""


def over(channel: FloodedChannel) -> SshChannel:
    settings = Settings(home=Path("/nonexistent"), login="ann")
    return SshChannel(cast("Any", None), cast("Any", channel), cast("Any", None), settings)


def test_what_can_be_sent_at_once_takes_nothing_in() -> None:
    flooded = FloodedChannel(cycle([False]))
    channel = over(flooded)
    for _ in range(2 * UNREAD_LIMIT // RECEIVE_BYTES):
        channel.send(b"ack")
    assert flooded.sent == b"ack" * (2 * UNREAD_LIMIT // RECEIVE_BYTES)
    assert flooded.taken == 0


def test_what_arrives_while_sending_waits_is_bounded() -> None:
    flooded = FloodedChannel(cycle([True]))
    with pytest.raises(FloodError):
        over(flooded).send(b"ack")
    assert UNREAD_LIMIT < flooded.taken <= UNREAD_LIMIT + RECEIVE_BYTES

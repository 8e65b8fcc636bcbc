"""The socket under paramiko: deadlines by phase, bounds before the login, stalled writes."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from plumbing.transport.guarded_socket import PREAMBLE_BYTES, GuardedSocket


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pair() -> Iterator[tuple[GuardedSocket, socket.socket, Clock]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.001)
    clock = Clock()
    guarded = GuardedSocket(ours, idle_seconds=60.0, clock=clock)
    yield guarded, theirs, clock
    guarded.close()
    theirs.close()


Guarded = tuple[GuardedSocket, socket.socket, Clock]


def test_silence_before_the_deadline_is_tried_again(pair: Guarded) -> None:
    guarded, theirs, clock = pair
    guarded.begin_phase("SSH handshake", 15.0)
    clock.now = 14.0
    with pytest.raises(TimeoutError):
        guarded.recv(10)
    theirs.sendall(b"x")
    assert guarded.recv(10) == b"x"
    assert guarded.failure == ""


def test_a_phase_that_does_not_end_fails(pair: Guarded) -> None:
    guarded, theirs, clock = pair
    guarded.begin_phase("SSH handshake", 15.0)
    theirs.sendall(b"x")
    clock.now = 16.0
    with pytest.raises(ConnectionAbortedError) as caught:
        guarded.recv(10)
    assert not isinstance(caught.value, TimeoutError)
    assert guarded.failure == "no end of the SSH handshake within 15 seconds"


def test_after_the_last_phase_silence_is_nobodys_business(pair: Guarded) -> None:
    guarded, _, clock = pair
    guarded.begin_phase("SSH handshake", 15.0)
    guarded.end_phase()
    clock.now = 1000.0
    with pytest.raises(TimeoutError):
        guarded.recv(10)


def test_a_server_may_not_talk_for_ever_before_the_login(pair: Guarded) -> None:
    guarded, theirs, _ = pair
    guarded.begin_phase("SSH handshake", 15.0)
    for _ in range(PREAMBLE_BYTES // 4096):
        theirs.sendall(bytes(4096))
        assert len(guarded.recv(4096)) == 4096
    theirs.sendall(b"x")
    with pytest.raises(ConnectionAbortedError):
        guarded.recv(1)
    assert guarded.failure == "over 256 KiB before it let us in"


def fill(guarded: GuardedSocket) -> None:
    with contextlib.suppress(TimeoutError):
        while guarded.send(bytes(1 << 20)):
            pass


def test_a_peer_that_takes_nothing_fails_in_the_end(pair: Guarded) -> None:
    guarded, theirs, clock = pair
    fill(guarded)
    clock.now = 59.0
    with pytest.raises(TimeoutError):
        guarded.send(b"x")
    theirs.recv(1 << 22)
    assert guarded.send(b"x") == 1
    fill(guarded)
    clock.now = 100.0
    with pytest.raises(TimeoutError):
        guarded.send(b"x")
    clock.now = 120.0
    with pytest.raises(ConnectionAbortedError):
        guarded.send(b"x")
    assert guarded.failure == "it took nothing for 60 seconds"


def test_closing_ends_the_peers_reading_too(pair: Guarded) -> None:
    guarded, theirs, _ = pair
    guarded.close()
    guarded.close()
    assert theirs.recv(1) == b""


def test_an_introduction_goes_ahead_and_goes_once(pair: Guarded) -> None:
    guarded, theirs, _ = pair
    guarded.introduce(b"SSH-2.0-us\r\n")
    assert theirs.recv(100) == b"SSH-2.0-us\r\n"
    assert guarded.send(b"SSH-2.0-us\r\n") == 12
    assert guarded.send(b"SSH-2.0-us\r\n") == 12
    assert theirs.recv(100) == b"SSH-2.0-us\r\n"


def test_an_introduction_under_another_name_fails(pair: Guarded) -> None:
    guarded, _, _ = pair
    guarded.introduce(b"SSH-2.0-us\r\n")
    with pytest.raises(ConnectionAbortedError):
        guarded.send(b"SSH-2.0-them\r\n")
    assert guarded.failure == "we introduced ourselves by another name"


def test_a_peer_that_hangs_up_at_once_is_met_when_it_is_read(pair: Guarded) -> None:
    guarded, theirs, _ = pair
    theirs.close()
    guarded.introduce(b"SSH-2.0-us\r\n")
    assert guarded.recv(100) == b""

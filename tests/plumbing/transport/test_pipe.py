"""The channel over two descriptors: duplex, deadlines, ends and floods."""

import fcntl
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbing.transport import pipe
from plumbing.transport.channel import ChannelError, FloodError, SilenceError
from plumbing.transport.pipe import PipeChannel

Pair = tuple[PipeChannel, socket.socket]


class Clock:
    """A clock that goes on by so many seconds each time that somebody looks."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def make_pair() -> Iterator[Callable[..., Pair]]:
    opened: list[Pair] = []

    def make(*, step: float = 0.0, idle_seconds: float = 60.0) -> Pair:
        ours, theirs = socket.socketpair()
        descriptor = ours.detach()
        channel = PipeChannel(
            descriptor, os.dup(descriptor), idle_seconds=idle_seconds, clock=Clock(step)
        )
        opened.append((channel, theirs))
        return channel, theirs

    yield make
    for channel, theirs in opened:
        channel.close()
        theirs.close()


def test_bytes_and_the_end(make_pair: Callable[..., Pair]) -> None:
    channel, theirs = make_pair()
    channel.send(b"up")
    assert theirs.recv(100) == b"up"
    theirs.sendall(b"down")
    theirs.shutdown(socket.SHUT_WR)
    assert [channel.receive() for _ in range(3)] == [b"down", b"", b""]


def test_sending_reads_meanwhile(make_pair: Callable[..., Pair]) -> None:
    channel, theirs = make_pair()
    payload = os.urandom(8 << 20)

    def echo() -> None:
        while data := theirs.recv(65536):
            theirs.sendall(data)

    thread = threading.Thread(target=echo)
    thread.start()
    channel.send(payload)
    received = bytearray()
    while len(received) < len(payload):
        received += channel.receive()
    channel.close()
    thread.join()
    assert received == payload


def test_the_end_of_the_input_does_not_stop_sending(make_pair: Callable[..., Pair]) -> None:
    channel, theirs = make_pair()
    theirs.shutdown(socket.SHUT_WR)
    taken = bytearray()

    def take() -> None:
        while len(taken) < 4 << 20:
            taken.extend(theirs.recv(65536))

    thread = threading.Thread(target=take)
    thread.start()
    channel.send(bytes(4 << 20))
    thread.join()
    assert channel.receive() == b""


def test_a_peer_that_left(make_pair: Callable[..., Pair]) -> None:
    channel, theirs = make_pair()
    theirs.sendall(b"last words")
    theirs.close()
    with pytest.raises(ChannelError, match="closed the connection"):
        channel.send(bytes(4 << 20))
    assert channel.receive() == b"last words"
    assert channel.receive() == b""


def test_silence(make_pair: Callable[..., Pair]) -> None:
    channel, _ = make_pair(step=1.0, idle_seconds=0.5)
    with pytest.raises(SilenceError, match=r"nothing moved for 0\.5 seconds"):
        channel.receive()
    with pytest.raises(SilenceError):
        channel.send(bytes(16 << 20))


def test_what_is_there_already_is_received_whatever_the_clock_says(
    make_pair: Callable[..., Pair],
) -> None:
    channel, theirs = make_pair(step=1000.0)
    theirs.sendall(b"x")
    assert channel.receive() == b"x"


def test_a_flood(make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "UNREAD_LIMIT", 100_000)
    channel, theirs = make_pair()

    def flood() -> None:
        with pytest.raises(OSError, match=r"pipe|reset"):
            theirs.sendall(bytes(64 << 20))

    thread = threading.Thread(target=flood)
    thread.start()
    with pytest.raises(FloodError):
        channel.send(bytes(64 << 20))
    channel.close()
    thread.join()


@given(st.lists(st.binary(min_size=1, max_size=5000), max_size=20))
def test_standard_error_is_kept_to_its_last_4_kib(pieces: list[bytes]) -> None:
    read_fd, write_fd = os.pipe()
    error_fd, error_end = os.pipe()
    channel = PipeChannel(read_fd, write_fd, error_fd=error_fd)
    for piece in pieces:
        os.write(error_end, piece)
        channel.diagnosis()
    os.close(error_end)
    said = b"".join(pieces)[-4096:].decode("utf-8", "replace").strip()
    assert channel.diagnosis() == said
    channel.close()
    assert channel.diagnosis() == said


def test_standard_error_is_drained_while_waiting() -> None:
    read_fd, input_end = os.pipe()
    error_fd, error_end = os.pipe()
    output_end, write_fd = os.pipe()
    channel = PipeChannel(read_fd, write_fd, error_fd=error_fd)

    def flood() -> None:
        for _ in range(100):
            os.write(error_end, bytes(65536))
        os.write(input_end, b"done")

    thread = threading.Thread(target=flood)
    thread.start()
    assert channel.receive() == b"done"
    thread.join()
    channel.close()
    for descriptor in (input_end, error_end, output_end):
        os.close(descriptor)


def test_closing_twice_is_harmless_and_using_it_afterwards_is_not(
    make_pair: Callable[..., Pair],
) -> None:
    channel, _ = make_pair()
    channel.close()
    channel.close()
    for use in (channel.receive, lambda: channel.send(b"x")):
        with pytest.raises(ChannelError, match="is closed"):
            use()


def test_a_shared_descriptor_gets_its_blocking_mode_back() -> None:
    read_fd, write_fd = os.pipe()
    kept = os.dup(read_fd)
    channel = PipeChannel(read_fd, write_fd)
    assert not os.get_blocking(kept)
    channel.close()
    assert os.get_blocking(kept)
    os.close(kept)


def test_the_input_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"request")
    channel = PipeChannel(os.open(path, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY))
    channel.send(bytes(1 << 20))
    assert channel.receive() == b"request"
    assert channel.receive() == b""
    channel.close()


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes of one size alone")
def test_a_pipe_holds_more_once_its_writer_is_ahead() -> None:
    reader, writer = os.pipe()
    usual = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
    channel = PipeChannel(reader, os.open(os.devnull, os.O_WRONLY))
    os.write(writer, bytes(1000))
    assert channel.receive() == bytes(1000)
    assert fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ) == usual
    os.write(writer, bytes(64 << 10))
    assert channel.receive() == bytes(64 << 10)
    assert fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ) == 1 << 20
    channel.close()
    os.close(writer)


def test_what_is_no_pipe_cannot_hold_more(make_pair: Callable[..., Pair]) -> None:
    channel, peer = make_pair()
    peer.sendall(bytes(64 << 10))
    assert len(channel.receive()) == 64 << 10
    peer.sendall(b"more")
    assert channel.receive() == b"more"

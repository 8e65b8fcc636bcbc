"""The heartbeat of a busy server."""

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from plumbing.heartbeat import Heartbeat

PACKET = b"000ekeep-alive"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    yield read, write
    os.close(read)
    os.close(write)


def test_it_beats_while_we_work_and_not_while_we_send(pipe: tuple[int, int]) -> None:
    read, write = pipe
    heartbeat = Heartbeat(write, PACKET, seconds=3600)
    with heartbeat.running():
        signal.raise_signal(signal.SIGALRM)
        with pytest.raises(BlockingIOError):
            os.read(read, 100)
        with heartbeat.working():
            signal.raise_signal(signal.SIGALRM)
            signal.raise_signal(signal.SIGALRM)
        assert os.read(read, 100) == PACKET * 2
        signal.raise_signal(signal.SIGALRM)
        with pytest.raises(BlockingIOError):
            os.read(read, 100)


def test_the_alarm_rings_by_itself_and_stops_at_the_end(pipe: tuple[int, int]) -> None:
    read, write = pipe
    before = signal.getsignal(signal.SIGALRM)
    heartbeat = Heartbeat(write, PACKET, seconds=0.01)
    with heartbeat.running(), heartbeat.working():
        signal.pause()
        assert os.read(read, 14) == PACKET
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_full_pipe_is_left_alone(pipe: tuple[int, int]) -> None:
    _, write = pipe
    with contextlib.suppress(BlockingIOError):
        while os.write(write, b"x" * 4096):
            pass
    heartbeat = Heartbeat(write, PACKET, seconds=3600)
    with heartbeat.running(), heartbeat.working():
        signal.raise_signal(signal.SIGALRM)

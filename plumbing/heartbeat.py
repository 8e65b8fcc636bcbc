"""Telling a client that waits for a long computation that we are alive."""

from __future__ import annotations

import contextlib
import os
import signal

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

BEAT_SECONDS = 10.0
"""How often a busy server says so: well within the silence that clients bear."""


class Heartbeat:
    """Writes a packet to a file descriptor every few seconds while `working` is entered.

    It runs in the handler of the alarm signal, between two steps of the interpreter, so that no
    thread has to be started for sessions that are short, which nearly all are. The packet is
    smaller than a pipe takes at once; a pipe that is full says by itself that we are alive.
    """

    def __init__(self, descriptor: int, packet: bytes, seconds: float = BEAT_SECONDS) -> None:
        self._descriptor = descriptor
        self._packet = packet
        self._seconds = seconds
        self._working = False

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Have the alarm ring until the block ends; only the main thread may ask for this."""
        before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, self._seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Mark that between two packets we compute; nothing may be sent inside the block."""
        self._working = True
        try:
            yield
        finally:
            self._working = False

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._working:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, self._packet)

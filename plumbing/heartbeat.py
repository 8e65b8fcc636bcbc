"""Telling a client that waits for a long computation that we are alive."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
    from typing import Any
else:
    # The module around it makes enumerations of its numbers, and imports enum for that: 2 ms.
    try:
        import _signal as signal
    except ImportError:  # an interpreter that has it in another place
        import signal

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

    def running(self) -> Running:
        """Have the alarm ring until the block ends; only the main thread may ask for this."""
        return Running(self._ring, self._seconds)

    def working(self) -> Working:
        """Mark that between two packets we compute; nothing may be sent inside the block."""
        return Working(self)

    def compute(self, *, working: bool) -> None:
        """Say whether we compute from now on."""
        self._working = working

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._working:
            try:
                os.write(self._descriptor, self._packet)
            except OSError:
                pass  # whoever reads it next finds out


class Running:
    """A block in which the alarm rings."""

    __slots__ = ("_before", "_ring", "_seconds")

    def __init__(self, ring: Callable[[int, FrameType | None], None], seconds: float) -> None:
        self._ring = ring
        self._seconds = seconds
        self._before: Any = None

    def __enter__(self) -> None:
        """Set the alarm."""
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, self._seconds)

    def __exit__(self, *_: object) -> None:
        """Put back what was there before."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


class Working:
    """A block in which a heartbeat counts as computing."""

    __slots__ = ("_heartbeat",)

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat

    def __enter__(self) -> None:
        """Begin to compute."""
        self._heartbeat.compute(working=True)

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._heartbeat.compute(working=False)

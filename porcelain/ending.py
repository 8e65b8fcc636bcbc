"""Ending a command that runs until it is told to: what SIGTERM does to it."""

from __future__ import annotations

import signal
from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Ended(BaseException):
    """The command was told to end, and has come to a point where it may."""


class Ending:
    """Whether the process was told to end.

    SIGTERM ends a wait at once, and work at its next step; a second one ends that at once, too.
    """

    def __init__(self) -> None:
        self._asked = False
        self._waiting = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Take SIGTERM until the block ends; only the main thread may ask for this."""
        before = signal.signal(signal.SIGTERM, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark that in the block nothing is under way. Raises Ended at any time in it."""
        self._waiting = True
        try:
            self.step()
            yield
        finally:
            self._waiting = False

    def step(self) -> None:
        """Mark that what is done so far is whole; raises Ended if the end was asked for."""
        if self._asked:
            raise Ended

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked or self._waiting:
            raise Ended
        self._asked = True

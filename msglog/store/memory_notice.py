"""The notice of a store in memory: a pipe that the store writes to when it changes a ref."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 60.0


class MemoryNotice:
    """A Notice of commits in this process.

    forget: called once, when nobody waits any more.
    """

    def __init__(self, forget: Callable[[MemoryNotice], None]) -> None:
        self._forget = forget
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def seconds(self) -> float:
        """A minute: the pipe tells everything."""
        return _SECONDS

    def fileno(self) -> int:
        """Return the end of the pipe that is read."""
        return self._read_fd

    def tell(self) -> None:
        """Say that there are news; a pipe that is full says so already."""
        try:
            os.write(self._write_fd, b"\n")
        except BlockingIOError:
            pass

    def changed(self) -> bool:
        """Tell whether `tell` was called since the last time."""
        told = False
        try:
            while os.read(self._read_fd, 1 << 16):
                told = True
        except BlockingIOError:
            pass
        return told

    def close(self) -> None:
        """Close the pipe."""
        if self._read_fd >= 0:
            self._forget(self)
            os.close(self._read_fd)
            os.close(self._write_fd)
            self._read_fd = self._write_fd = -1

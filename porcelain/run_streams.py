"""The two output streams of a command that is run: pipes, or a terminal where ours is one."""

from __future__ import annotations

import os
import signal
import termios
from contextlib import contextmanager, suppress

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import BinaryIO

    from plumbing.context import Context

_READ_BYTES = 1 << 16


class Stream:
    """One stream: what the command writes into it is read here and written to one of ours.

    reading, writing: the descriptors of both ends; the command gets the second. failure: why ours
    cannot be written, or "".
    """

    def __init__(self, shown: BinaryIO, *, terminal: bool) -> None:
        self._shown: BinaryIO | None = shown
        self.reading, self.writing = (_open_terminal() if terminal else None) or os.pipe()
        self._open = True
        self.failure = ""
        self.resize()

    def resize(self) -> None:
        """Give the command's terminal the size of ours, if both are terminals."""
        if self._shown is not None:
            with suppress(termios.error, OSError, ValueError):
                termios.tcsetwinsize(self.reading, termios.tcgetwinsize(self._shown))

    def started(self) -> None:
        """Leave the command's end to the command."""
        if self._open:
            os.close(self.writing)
            self._open = False

    def pass_on(self) -> bytes:
        """Read what has come, show it and return it; nothing at the end, or when nobody reads."""
        if self._shown is None:
            return b""
        try:
            data = os.read(self.reading, _READ_BYTES)
        except OSError:  # a terminal of which nobody holds the other end
            return b""
        try:
            self._shown.write(data)
            self._shown.flush()
        except BrokenPipeError:
            self._shown = None  # so that the command is told at its next word
        except OSError as error:
            self._shown, self.failure = None, error.strerror or str(error)
        return data

    def close(self) -> None:
        """Close what is open."""
        self.started()
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1


def _open_terminal() -> tuple[int, int] | None:
    """Return both ends of a terminal that changes nothing, None where there are none to be had."""
    try:
        reading, writing = os.openpty()
    except OSError:
        return None
    attributes = termios.tcgetattr(writing)
    attributes[1] &= ~termios.OPOST  # our own terminal does that once more
    termios.tcsetattr(writing, termios.TCSANOW, attributes)
    return reading, writing


@contextmanager
def open_streams(context: Context) -> Iterator[tuple[list[Stream], int, int]]:
    """Give the streams to read, and the descriptors of the command's two outputs.

    Where both of ours are a terminal there is one stream, so that all comes in its order.
    """
    streams: list[Stream] = []
    before = signal.getsignal(signal.SIGWINCH)
    try:
        context.stdout.flush()
        streams.append(Stream(context.stdout, terminal=context.stdout_terminal))
        if not (context.stdout_terminal and context.stderr_terminal):
            streams.append(Stream(context.stderr, terminal=context.stderr_terminal))

        def resize(_number: int, _frame: FrameType | None) -> None:
            for stream in streams:
                stream.resize()

        if context.stdout_terminal or context.stderr_terminal:
            signal.signal(signal.SIGWINCH, resize)
        yield streams, streams[0].writing, streams[-1].writing
    finally:
        signal.signal(signal.SIGWINCH, before)
        for stream in streams:
            stream.close()

"""A second process that renders every other piece of long output, where there are two cores.

The first process alone writes: the second hands over what it has rendered by a pipe, in order.
Where the second fails in whatever way, the first does its work, and so meets and reports the same
error.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from struct import Struct

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import BinaryIO, Protocol, TypeAlias, TypeVar

    _Piece = TypeVar("_Piece")

    class Work(Protocol[_Piece]):
        """Output that can be made piece by piece."""

        def begin(self) -> None:
            """Open what is needed, once in either process."""

        def pieces(self) -> Iterator[_Piece]:
            """Yield the pieces, the same in either process."""

        def render(self, piece: _Piece, done: int) -> Iterator[Text]:
            """Yield the text of a piece, a bounded part at a time, without its first done items."""


Text: TypeAlias = "tuple[int, bytes]"
"""How many items of a piece were worked off, one at least, and the text that they make."""

_HEAD = Struct(">II")
_PIECE_END = _HEAD.pack(0, 0)
_PIPE_BYTES = 1 << 20
"""How far the second process is ahead at most: what the pipe holds."""


def has_two_cores() -> bool:
    """Tell whether a second process can run beside this one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) > 1
    return (os.cpu_count() or 1) > 1


def rendered_by_two(work: Work[_Piece]) -> Generator[bytes]:
    """Yield the text of all pieces in order, every other one from a second process.

    Nothing that processes must not share, such as a connection to a database, may be open before
    work begins. Close the generator when you leave it: that ends the second process.
    """
    reading, writing = os.pipe()
    with open(reading, "rb") as stream:
        pid = _fork(work, reading, writing)
        os.close(writing)
        try:
            work.begin()
            yield from _merged(work, stream if pid else None)
        finally:
            if pid:
                _end(pid)


def _merged(work: Work[_Piece], stream: BinaryIO | None) -> Iterator[bytes]:
    for number, piece in enumerate(work.pieces()):
        done = 0
        if number & 1 and stream is not None:
            while True:
                taken, text = _receive(stream)
                if text is None:
                    stream = None
                    break
                if not taken:
                    break
                done += taken
                yield text
            if stream is not None:
                continue
        for _, text in work.render(piece, done):
            yield text


def _receive(stream: BinaryIO) -> tuple[int, bytes | None]:
    """Return the next part: its number is 0 at the end of a piece, its text None where all ends."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return 0, None
    taken, size = _HEAD.unpack(head)
    text = stream.read(size)
    return taken, text if len(text) == size else None


def _fork(work: Work[_Piece], reading: int, writing: int) -> int:
    """Start the second process and return its id; 0 if there can be none."""
    _widen(writing)
    # Ctrl-C meets both processes, the second not before it is where that ends it in silence.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        try:
            pid = os.fork()
        except OSError:
            return 0
        if pid == 0:
            try:
                os.close(reading)  # so that writing fails once the first process is gone
                signal.pthread_sigmask(signal.SIG_SETMASK, held)
                work.begin()
                _hand_over(work, writing)
            except BaseException:  # noqa: BLE001, S110 - the first process sees the end and goes on
                pass
            finally:
                os._exit(0)  # nothing of the first process's is flushed or closed
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _hand_over(work: Work[_Piece], writing: int) -> None:
    with open(writing, "wb") as stream:
        for number, piece in enumerate(work.pieces()):
            if number & 1:
                for taken, text in work.render(piece, 0):
                    stream.write(_HEAD.pack(taken, len(text)))
                    stream.write(text)
                stream.write(_PIECE_END)
                stream.flush()


def _widen(pipe: int) -> None:
    """Let the pipe hold more than the usual 64 KiB, where that can be had."""
    try:
        import fcntl  # noqa: PLC0415 - not everywhere

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it only reads
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)

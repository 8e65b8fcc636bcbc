"""A channel over two file descriptors: of a subprocess, or a server's own standard streams."""

from __future__ import annotations

import contextlib
import math
import os
import select
import time
from collections import deque

from msglog.annotation import TYPE_CHECKING
from plumbing.transport.channel import (
    RECEIVE_BYTES,
    UNREAD_LIMIT,
    ChannelError,
    FloodError,
    SilenceError,
)
from plumbing.transport.patience import Patience, SlowPeerError

if TYPE_CHECKING:
    from collections.abc import Callable

DIAGNOSIS_BYTES = 4096
"""How much of the peer's standard error is kept: its end."""

IDLE_SECONDS = 60.0
"""How long a peer may neither send nor take a byte."""

_FULL_BYTES = 60 << 10
"""How much is in a pipe that is full: Linux gives it 64 KiB, of which a writer leaves some."""

_LARGE_BYTES = 1 << 20
"""The most that Linux gives a pipe of an ordinary user."""

_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLNVAL


class PipeChannel:
    """The Channel protocol over a pair of file descriptors, which it owns and makes non-blocking.

    read_fd, write_fd: what to read from and write to; they may be the same (a socket).
    error_fd: the peer's standard error, drained whenever this waits; None where there is none.
    idle_seconds: the longest silence, in seconds, during which nothing moves in the direction that
        is waited for; the clock is in seconds and never goes back.
    patience: bounds all the waiting, too, for a peer that moves a little now and then.
    An end of the input while sending is no failure: a peer may have said all that it had to say.
    """

    __slots__ = (
        "_blocking",
        "_clock",
        "_ended",
        "_error_fd",
        "_errors",
        "_idle_seconds",
        "_large",
        "_patience",
        "_read_fd",
        "_unread",
        "_unread_bytes",
        "_write_fd",
    )

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        *,
        error_fd: int | None = None,
        idle_seconds: float = IDLE_SECONDS,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._error_fd = error_fd
        self._idle_seconds = idle_seconds
        self._patience = Patience(math.inf) if patience is None else patience
        self._clock = clock
        self._ended = False
        self._large = False
        self._errors = b""
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        descriptors = {read_fd, write_fd} if error_fd is None else {read_fd, write_fd, error_fd}
        self._blocking = {fd: os.get_blocking(fd) for fd in descriptors}
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)

    def send(self, data: bytes) -> None:
        """Send all of data, reading meanwhile; raises ChannelError."""
        rest = memoryview(data)
        start = self._clock()
        while rest:
            if written := self._write(rest):
                rest = rest[written:]
            elif not (self._wait(start, writing=True) and self._hold()):
                continue
            start = self._moved(start)

    def receive(self) -> bytes:
        """Return the next bytes, or b"" at the end; raises ChannelError on silence."""
        if self._unread:
            data = self._unread.popleft()
            self._unread_bytes -= len(data)
            return data
        start = self._clock()
        while (received := self._read()) is None:
            self._wait(start, writing=False)
        self._moved(start)
        return received

    def take(self) -> bytes:
        """Return what has arrived already, without waiting; b"" if that is nothing."""
        if not self._unread:
            self._hold()
        return self.receive() if self._unread else b""

    def wait_for_peer(self, seconds: float, other: int = -1) -> bool:
        """Wait until there is something to receive, or until another descriptor is readable.

        At most so many seconds, in which the peer owes us nothing. Return whether there is
        something to receive: then that does not wait.
        """
        self._require_open()
        if self._unread or self._ended:
            return True
        poller = select.poll()
        for descriptor in {self._read_fd, other} - {-1}:
            poller.register(descriptor, select.POLLIN)
        return any(descriptor == self._read_fd for descriptor, _ in poller.poll(seconds * 1000))

    def close(self) -> None:
        """Close all descriptors; what the peer last wrote on standard error is still taken."""
        if not self._blocking:
            return
        self._drain_errors()
        for descriptor, blocking in self._blocking.items():
            with contextlib.suppress(OSError):
                # The open file may be shared, such as a terminal: others find it as it was.
                os.set_blocking(descriptor, blocking)
                os.close(descriptor)
        self._blocking = {}
        self._error_fd = None

    def diagnosis(self) -> str:
        """Return the end of what the peer wrote on standard error, at most 4 KiB."""
        self._drain_errors()
        return self._errors.decode("utf-8", "replace").strip()

    def _write(self, data: memoryview) -> int:
        """Return how many bytes were taken; 0 when the peer takes none now."""
        self._require_open()
        try:
            written = os.write(self._write_fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ChannelError("the remote closed the connection", why=_reason(error)) from error
        self._patience.move(written)
        return written

    def _read(self) -> bytes | None:
        """Return the next bytes, b"" at the end, None when there is nothing yet."""
        self._require_open()
        if self._ended:
            return b""
        try:
            data = os.read(self._read_fd, RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data = b""
        except OSError as error:
            raise ChannelError("the connection failed", why=_reason(error)) from error
        self._ended = not data
        self._patience.move(len(data))
        if len(data) >= _FULL_BYTES and not self._large:
            self._large = True
            _enlarge(self._read_fd)
        return data

    def _hold(self) -> bool:
        """Keep what arrived while sending for `receive`; return whether there was something."""
        data = self._read()
        if not data:
            return False
        self._unread.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > UNREAD_LIMIT:
            raise FloodError
        return True

    def _moved(self, start: float) -> float:
        """Take note that something has moved since a time; return the time."""
        now = self._clock()
        self._patience.wait(now - start)
        return now

    def _wait(self, start: float, *, writing: bool) -> bool:
        """Wait until input, or room for output, is there; return whether there is input."""
        left = self._patience.left()
        remaining = start + min(self._idle_seconds, left) - self._clock()
        if remaining <= 0:
            raise SilenceError(self._idle_seconds) if self._idle_seconds <= left else SlowPeerError
        events: dict[int, int] = {}
        if not self._ended:
            events[self._read_fd] = select.POLLIN
        if writing:
            events[self._write_fd] = events.get(self._write_fd, 0) | select.POLLOUT
        if self._error_fd is not None:
            events[self._error_fd] = select.POLLIN
        poller = select.poll()  # epoll refuses regular files, which a server's input may be
        for descriptor, mask in events.items():
            poller.register(descriptor, mask)
        ready = dict(poller.poll(remaining * 1000))
        if self._error_fd is not None and self._error_fd in ready:
            self._drain_errors()
        return not self._ended and bool(ready.get(self._read_fd, 0) & _READABLE)

    def _drain_errors(self) -> None:
        """Take what is on standard error now, a bounded amount, and keep its end."""
        if self._error_fd is None:
            return
        try:
            data = os.read(self._error_fd, RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._errors = (self._errors + data)[-DIAGNOSIS_BYTES:]
        else:
            self._error_fd = None

    def _require_open(self) -> None:
        if not self._blocking:
            raise ChannelError("the connection is closed")


def _enlarge(descriptor: int) -> None:
    """Have a pipe hold more, for a writer that is ahead of us.

    What it does not hold stays in sshd, whose buffer grows in steps of one packet and is copied
    whole at each, meanwhile passing on nothing: docs/adr/0003. Who may not, or has no pipe, does
    without.
    """
    import fcntl  # noqa: PLC0415 - for long transfers alone

    with contextlib.suppress(OSError, AttributeError):  # the second on other systems
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _LARGE_BYTES)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__

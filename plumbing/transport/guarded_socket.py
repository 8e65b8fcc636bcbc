"""A socket whose every phase has a deadline and a bound, for paramiko's reading thread.

paramiko reads with a timeout of 0.1 s and tries again for as long as its caller waits, which is for
ever in some places (the answer to an exec request, a full socket). The bounds are here, below it.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PREAMBLE_BYTES = 256 * 1024
"""How much a server may send before it has let us in: key exchange is under 10 KiB."""

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class GuardedSocket:
    """What paramiko needs of a socket, with a deadline over each phase of the connection.

    While a phase lasts (`begin_phase` to `end_phase`), reading fails once the phase's seconds are
    over or the preamble is too long. Always, writing fails when the peer takes nothing for
    idle_seconds. `failure` then says which, in one clause.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_deadline",
        "_idle_seconds",
        "_introduction",
        "_phase",
        "_received",
        "_seconds",
        "_socket",
        "_writable_since",
        "failure",
    )

    def __init__(
        self,
        connected: socket.socket,
        *,
        idle_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = connected
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._closed = False
        self._introduction = b""
        self._phase = ""
        self._seconds = 0.0
        self._deadline: float | None = None
        self._received = 0
        self._writable_since: float | None = None
        self.failure = ""

    def begin_phase(self, name: str, seconds: float) -> None:
        """Start a phase, such as "authentication", that ends within so many seconds or fails."""
        self._phase = name
        self._seconds = seconds
        self._deadline = self._clock() + seconds

    def end_phase(self) -> None:
        """End the last phase: from here on silence is the reader's business."""
        self._deadline = None

    def introduce(self, line: bytes) -> None:
        """Send the first line, which names our software, before paramiko would.

        The first that paramiko sends must then be the same line, and goes no further.
        """
        self._introduction = line
        with contextlib.suppress(OSError):  # whoever reads then meets it again
            self._socket.sendall(line)
        self._acknowledge_at_once()

    def recv(self, size: int) -> bytes:
        """Return up to size bytes; raises TimeoutError for paramiko to try again, else OSError."""
        deadline = self._deadline
        if deadline is not None:
            if self._clock() > deadline:
                raise self._fail(f"no end of the {self._phase} within {self._seconds:g} seconds")
            self._acknowledge_at_once()
        data = self._socket.recv(size)
        if deadline is not None:
            self._received += len(data)
            if self._received > PREAMBLE_BYTES:
                raise self._fail(f"over {PREAMBLE_BYTES >> 10} KiB before it let us in")
        return data

    def send(self, data: bytes) -> int:
        """Send some of data; raises TimeoutError for paramiko to try again, else OSError."""
        if self._introduction:
            if data != self._introduction:
                raise self._fail("we introduced ourselves by another name")
            self._introduction = b""
            return len(data)
        try:
            sent = self._socket.send(data)
        except TimeoutError:
            now = self._clock()
            if self._writable_since is None:
                self._writable_since = now
            elif now - self._writable_since > self._idle_seconds:
                raise self._fail(f"it took nothing for {self._idle_seconds:g} seconds") from None
            raise
        self._writable_since = None
        return sent

    def settimeout(self, seconds: float | None) -> None:
        """Set how long one system call waits."""
        self._socket.settimeout(seconds)

    def getpeername(self) -> object:
        """Return the peer's address."""
        return self._socket.getpeername()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close both directions, which wakes a thread that reads; harmless when said twice."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _acknowledge_at_once(self) -> None:
        """Ask Linux not to delay acknowledgements; it forgets, hence before every read.

        sshd writes some answers in two small pieces and waits in between for the acknowledgement:
        40 ms each time.
        """
        if _QUICKACK is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _fail(self, failure: str) -> OSError:
        self.failure = failure
        return ConnectionAbortedError(errno.ECONNABORTED, failure)

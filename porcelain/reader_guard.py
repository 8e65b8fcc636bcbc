"""Noticing that nobody reads our output any more, however long there is nothing to write."""

from __future__ import annotations

import os
import select
import signal
import threading

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from plumbing.context import Context


class ReaderGuard:
    """A block in which this process gets a SIGTERM when the reader of its output goes.

    Whoever writes finds out by writing; this is for who waits, in ways that cannot wait for one
    thing more. `has_gone` then tells what the signal means. A thread does nothing but wait.
    """

    def __init__(self, context: Context) -> None:
        self.has_gone = False
        self._output = _descriptor(context)
        self._stop = -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin, in the main thread."""
        if self._output >= 0:
            stopped, self._stop = os.pipe2(os.O_CLOEXEC)
            arguments = (stopped, threading.get_ident())
            self._thread = threading.Thread(target=self._guard, args=arguments, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End: no signal comes from here after this."""
        if self._thread is not None:
            os.close(self._stop)
            self._thread.join()

    def _guard(self, stopped: int, waiting: int) -> None:
        poller = select.poll()
        poller.register(stopped, select.POLLIN)  # which hangs up when the block is over
        poller.register(self._output, 0)  # which still tells of errors
        ready = {descriptor for descriptor, _ in poller.poll()}
        os.close(stopped)
        if self._output in ready:
            self.has_gone = True
            signal.pthread_kill(waiting, signal.SIGTERM)


def _descriptor(context: Context) -> int:
    """Return the descriptor of standard output, or -1 for what has none."""
    try:
        descriptor = context.stdout.fileno()
        os.fstat(descriptor)
    except (OSError, ValueError):
        return -1
    return descriptor

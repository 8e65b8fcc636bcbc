"""Output that nobody takes just now, as of a pager or a stopped terminal, when all is to end."""

from __future__ import annotations

import os
import select

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO


def let_go(stream: BinaryIO) -> None:
    """Have what is buffered go nowhere if it could not be written without waiting.

    Of what has no descriptor there is nothing to wait for.
    """
    try:
        descriptor = stream.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        if poller.poll(0):
            return
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.dup2(null, descriptor)
        finally:
            os.close(null)
    except (OSError, ValueError):
        return

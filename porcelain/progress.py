"""Progress of long work on standard error: on a terminal or on demand, after half a second."""

from __future__ import annotations

import time

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from plumbing.context import Context
    from plumbing.session import Session
    from porcelain.console import Bar

_PATIENCE = 0.5
_INTERVAL = 0.1


class Progress:
    """Says how far a piece of work has come; costs next to nothing as long as nothing is shown.

    The work is done in its context, and may be left and entered again.

    text: what is done, safe to show. clock: seconds, for tests. heed: called at each step, whether
    anything is shown or not. session: what it sends and receives is shown too, as it does.
    """

    def __init__(
        self,
        context: Context,
        text: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        heed: Callable[[], None] = lambda: None,
        session: Session | None = None,
    ) -> None:
        self._context = context
        self._text = text
        self._clock = clock
        self._wanted = not context.quiet and (context.progress or context.stderr_terminal)
        self._started = self._next = 0.0
        self._heed = heed
        self._bar: Bar | None = None
        self._done = 0
        self._total: int | None = None
        self._session = session if self._wanted else None
        self._before = 0

    def update(
        self, done: int, total: int | None = None, *, size: int = 0, whole: int | None = None
    ) -> None:
        """Say that done of total messages are done, and size of whole bytes; None: nobody knows.

        Totals may be what a peer says: they are for display, and what cannot be is not displayed.
        """
        self._heed()
        self._done, self._total = done, total
        if self._wanted:
            self._show(size, whole)

    def update_bytes(self, size: int, whole: int | None = None) -> None:
        """Say that so many of whole bytes are done, where nothing else is counted."""
        self.update(0, size=size, whole=whole)

    def hide(self) -> None:
        """Take away what is shown, until the next step: something else is to be said."""
        if self._bar is not None:
            self._bar.hide()

    def _beat(self) -> None:
        """Show what the session has sent and received."""
        self._show(0, None)

    def _show(self, size: int, whole: int | None) -> None:
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _INTERVAL
        if self._bar is None:
            from porcelain.console import Bar  # noqa: PLC0415 - rich only for long work

            self._bar = Bar(self._context, self._text, self._started)
        if self._session is not None:
            size = self._session.traffic.sent + self._session.traffic.received - self._before
        self._bar.update(now, self._done, self._total, size, whole)

    def __enter__(self) -> Self:
        """Begin, or go on with it; return itself."""
        if self._wanted and self._bar is None:
            self._started = self._clock()
            self._next = self._started + _PATIENCE
        if self._session is not None:
            self._before = self._session.traffic.sent + self._session.traffic.received
            self._session.attend = self._beat
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take away what is shown."""
        self.hide()
        if self._session is not None:
            self._session.attend = None

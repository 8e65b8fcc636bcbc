"""Progress of long work on standard error: on a terminal or on demand, after half a second."""

from __future__ import annotations

import time

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from plumbing.context import Context
    from porcelain.console import Bar

_PATIENCE = 0.5
_INTERVAL = 0.1


class Progress:
    """Says how far a piece of work has come; costs next to nothing as long as nothing is shown.

    text: what is done, safe to show. clock: seconds, for tests. heed: called at each step, whether
    anything is shown or not.
    """

    def __init__(
        self,
        context: Context,
        text: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        heed: Callable[[], None] = lambda: None,
    ) -> None:
        self._context = context
        self._text = text
        self._clock = clock
        self._wanted = not context.quiet and (context.progress or context.stderr_terminal)
        self._next = clock() + _PATIENCE if self._wanted else 0.0
        self._heed = heed
        self._bar: Bar | None = None

    def update(self, done: int, total: int | None = None) -> None:
        """Say that done of total are done; total None: nobody knows."""
        self._heed()
        if not self._wanted:
            return
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _INTERVAL
        if self._bar is None:
            from porcelain.console import Bar  # noqa: PLC0415 - rich only for long work

            self._bar = Bar(self._context, self._text)
        self._bar.update(done, total)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take away what is shown."""
        if self._bar is not None:
            self._bar.close()

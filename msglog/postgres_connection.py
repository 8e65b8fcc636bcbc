"""One connection to PostgreSQL, on which nothing is waited for without a bound."""

from __future__ import annotations

import psycopg
from psycopg import capabilities

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias, TypeVar

    from psycopg.abc import PQGen

    _Result = TypeVar("_Result")

CANCEL_SECONDS: Final = 5.0
"""How long it may take to tell the server that somebody has given up."""

_Row: TypeAlias = "tuple[Any, ...]"


class Connection(psycopg.Connection["_Row"]):
    """A connection on which no answer is waited for longer than a bound, unless it has none."""

    bound: float | None = None

    def wait(
        self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None
    ) -> _Result:
        """Wait as psycopg does, for as long as the bound is."""
        return super().wait(gen, interval, self.bound if timeout is None else timeout)

    def give_up(self) -> None:
        """Have the server end what it does, and close the connection; whatever comes of it.

        A process of the server that waits for a standby does not notice that nobody waits for it.
        """
        try:
            if capabilities.has_cancel_safe():
                self.cancel_safe(timeout=CANCEL_SECONDS)
            else:
                self._cancel_beside()
        except psycopg.Error:
            pass  # the server is frozen too, or gone
        self.close()

    def _cancel_beside(self) -> None:
        """Cancel by a library whose cancelling has no deadline: up to version 16."""
        from threading import Thread  # noqa: PLC0415 - seldom wanted

        # What it connects with is its own, so that it may outlast this connection.
        cancelling = Thread(target=self.pgconn.get_cancel().cancel, daemon=True)
        cancelling.start()
        cancelling.join(CANCEL_SECONDS)

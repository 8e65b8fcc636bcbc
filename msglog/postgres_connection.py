"""One connection to PostgreSQL, on which nothing is waited for without a bound."""

from __future__ import annotations

from ipaddress import ip_address

import psycopg
from psycopg import capabilities

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias, TypeVar

    from psycopg.abc import PQGen

    _Result = TypeVar("_Result")

CANCEL_SECONDS: Final = 5.0
"""How long it may take to tell the server that somebody has given up."""

Row: TypeAlias = "tuple[Any, ...]"


class Connection(psycopg.Connection["Row"]):
    """A connection on which no answer is waited for longer than a bound, unless it has none."""

    bound: float | None = None

    def wait(
        self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None
    ) -> _Result:
        """Wait as psycopg does, for as long as the bound is."""
        return super().wait(gen, interval, self.bound if timeout is None else timeout)

    @property
    def tls_is_optional(self) -> bool:
        """Whether it is a matter of who answers; whatever said so: address, service or libpq."""
        said = {one.keyword: one.val for one in self.pgconn.info}
        return leaves_tls_open((said.get(b"sslmode") or b"").decode(), self.info.hostaddr)

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


def leaves_tls_open(sslmode: str, host: str) -> bool:
    """Tell whether somebody on the way to a host may have there be no TLS.

    host: the server's address, or "" for a socket of this machine. Whoever disables TLS has said
    that there is none.
    """
    return sslmode in {"allow", "prefer"} and bool(host) and not ip_address(host).is_loopback

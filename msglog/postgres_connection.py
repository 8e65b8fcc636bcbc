"""One connection to PostgreSQL, on which nothing is waited for without a bound."""

from __future__ import annotations

import time
from ipaddress import ip_address

import psycopg
from psycopg import capabilities
from psycopg.conninfo import conninfo_attempts, timeout_from_conninfo

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, TypeAlias, TypeVar

    from psycopg.abc import PQGen

    _Result = TypeVar("_Result")

CANCEL_SECONDS: Final = 5.0
"""How long it may take to tell the server that somebody has given up."""

_LEAST_SECONDS = 2
"""psycopg gives no connection less."""

Row: TypeAlias = "tuple[Any, ...]"


class Connection(psycopg.Connection["Row"]):
    """A connection on which no answer is waited for longer than a bound, unless it has none."""

    bound: float | None = None

    def wait(
        self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None
    ) -> _Result:
        """Wait as psycopg does, for as long as the bound is."""
        if timeout is not None or self.bound is None:
            return super().wait(gen, interval, timeout)
        until = time.monotonic() + self.bound
        try:
            return super().wait(gen, interval, self.bound)
        except psycopg.OperationalError as error:
            if error.sqlstate or self.closed or time.monotonic() < until:
                raise
            raise psycopg.OperationalError(f"no answer in {self.bound:g} seconds") from None

    @property
    def tls_is_optional(self) -> bool:
        """Whether it is a matter of who answers; whatever said so: address, service or libpq."""
        said = {one.keyword: one.val for one in self.pgconn.info}
        return leaves_tls_open((said.get(b"sslmode") or b"").decode(), self.info.hostaddr)

    def give_up(self) -> bool:
        """Have the server end what it does, close the connection, and tell whether it has heard.

        A process of the server that waits for a standby does not notice that nobody waits for it.
        """
        has_heard = self._is_cancelled()
        self.close()
        return has_heard

    def _is_cancelled(self) -> bool:
        if not capabilities.has_cancel_safe():
            return False  # up to version 16 of libpq it may take for ever
        try:
            self.cancel_safe(timeout=CANCEL_SECONDS)
        except psycopg.Error:
            return False  # it is frozen, or gone
        return True


def connected(parameters: Mapping[str, str], seconds: float) -> Connection:
    """Return a connection to the first host that gives one, within about so many seconds.

    The deadline that the parameters have is one for each address of each host: several that are
    silent would take several of it, so each gets no more than its share of what is left. Raises
    what psycopg raises; how long names take to be looked up is the machine's to say.
    """
    until = time.monotonic() + seconds
    most = timeout_from_conninfo({**parameters})
    failures: list[psycopg.Error] = []
    attempts = conninfo_attempts(parameters)
    for number, attempt in enumerate(attempts):
        left = until - time.monotonic()
        if failures and left < _LEAST_SECONDS:
            break
        share = max(int(left / (len(attempts) - number)), _LEAST_SECONDS)
        attempt["connect_timeout"] = min(most, share)
        try:
            return Connection.connect(
                **attempt,  # type: ignore[arg-type]
                autocommit=True,
                prepare_threshold=None,
                cursor_factory=psycopg.RawCursor,
            )
        except psycopg.Error as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    # As many lines as there are different reasons.
    why = "\n".join(dict.fromkeys(str(error).strip() for error in failures))
    raise type(failures[-1])(why, pgconn=failures[-1].pgconn)


def leaves_tls_open(sslmode: str, host: str) -> bool:
    """Tell whether somebody on the way to a host may have there be no TLS.

    host: the server's address, or "" for a socket of this machine. Whoever disables TLS has said
    that there is none.
    """
    return sslmode in {"allow", "prefer"} and bool(host) and not ip_address(host).is_loopback

"""The notice of a store in a PostgreSQL database: LISTEN, on a connection of its own.

A writer says NOTIFY after its commit, not within: PostgreSQL lets commits that notify through one
by one, with all that each waits for. Somebody who is killed between the two has told nobody; that
is found by asking now and then.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.postgres_link import Link, Session
from msglog.store.postgres_schema import channel
from msglog.store.store import StoreError

if TYPE_CHECKING:
    from msglog.postgres_link import Errors, Row

TOLD_SECONDS = 10.0
"""How often to ask, for what nobody has told."""


class PostgresNotice:
    """A Notice of what anybody commits to a repository, on any host."""

    def __init__(self, address: str, errors: Errors, number: int, identity: bytes) -> None:
        self._link = Link(Session(address), errors)
        self._number = number
        self._identity = identity
        self._told = 0
        self._listening: object = None
        self._state: list[Row] = []
        self._state = self._ask()

    @property
    def seconds(self) -> float:
        """Seldom: what matters is nearly always told."""
        return TOLD_SECONDS

    def fileno(self) -> int:
        """Return the connection's descriptor, or -1 where it was lost."""
        connection = self._link.session.connection
        return -1 if connection is None or connection.closed else connection.fileno()

    def changed(self) -> bool:
        """Tell whether the refs are others than when that was last asked."""
        before, self._state = self._state, self._ask()
        return before != self._state

    def _ask(self) -> list[Row]:
        """Return what the refs are; what is told meanwhile has them be asked for again."""
        while True:
            told = self._told
            found = self._link.select(
                "SELECT p.identity, r.name, r.version, r.root FROM repositories p"
                " LEFT JOIN refs r ON r.repository = p.number WHERE p.number = $1 ORDER BY r.name",
                self._number,
            )
            if not found or found[0][0] != self._identity:
                raise StoreError(f"the store in {self._link.place} is not there any more")
            connection = self._link.session.connection
            if connection is None or connection is not self._listening:
                # A new connection hears only what is told from now on.
                self._link.say(f"LISTEN {channel(self._number)}")
                connection = self._link.session.connection
                if connection is not None:
                    connection.add_notify_handler(self._hear)
                self._listening = connection
            elif told == self._told:
                return found

    def _hear(self, _: object) -> None:
        self._told += 1

    def close(self) -> None:
        """Close the connection."""
        self._listening = None
        self._link.close()

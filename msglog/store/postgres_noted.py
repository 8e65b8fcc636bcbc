"""The roots that are made while gc runs over a PostgreSQL database, noted by whoever makes them.

To read all roots takes seconds where there are many, and nobody may make one between gc's last look
and what it removes. So gc does not read them then. It registers, with all gates closed, and only
then reads all roots, with no gate closed. Whoever passes a gate later finds the registration, and
notes the roots that it makes in the same transaction. Before it removes anything, gc closes the
gates and takes what was noted.

Nothing is missed, since a lock orders the two. Who passed a gate before the registration was done
by then, and their roots were among those that were read. All others have noted theirs, and when
all gates are closed nobody is between a note and its commit. No clock and no sequence is asked.
A root that moves to another table, when it is given up, was one before.

A registration that is gone, because somebody took it for that of a process that was killed, or
because the database has lost it in a failure, is noticed by the next look: see `NotNotedError`.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.objectid import ObjectId
from msglog.postgres_link import Blobs, fresh_number
from msglog.timestamp import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.postgres_link import Attempt, Link, Value

ABANDONED = DAY
"""After so long a registration is taken for that of a process that was killed."""

_CLOSE_GATES = "SELECT number FROM gates WHERE repository = $1 ORDER BY number FOR UPDATE"

_NOTE = """
INSERT INTO noted (repository, run, root)
SELECT $1::integer, collecting.run, one.root
FROM collecting, unnest($2::bytea[]) AS one (root) WHERE collecting.repository = $1"""

_ABANDON = "DELETE FROM collecting WHERE repository = $1 AND time < $2"
_FORGET = """
DELETE FROM noted WHERE repository = $1
AND run NOT IN (SELECT run FROM collecting WHERE repository = $1)"""
_REGISTER = """
INSERT INTO collecting (repository, run, time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"""
_IS_REGISTERED = "SELECT 1 FROM collecting WHERE repository = $1 AND run = $2"
_SEE = "SELECT root FROM noted WHERE repository = $1 AND run = $2"
_TAKE = "DELETE FROM noted WHERE repository = $1 AND run = $2 RETURNING root"
_END = """
WITH ended AS (DELETE FROM collecting WHERE repository = $1 AND run = $2)
DELETE FROM noted WHERE repository = $1 AND run = $2"""


class NotNotedError(Exception):
    """Roots were made that may not have been noted: all are to be read again."""


def note(number: int, roots: Iterable[ObjectId]) -> tuple[str, tuple[Value, ...]]:
    """Return what whoever has passed a gate says of the roots that they make.

    number: of the repository. While no gc runs it does nothing.
    """
    return _NOTE, (number, Blobs(roots))


class Noted:
    """What is noted for one run of gc over a repository of this number."""

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self._number = number
        self._run = 0

    def begin(self, now: int) -> None:
        """Have roots noted that are made from now on; all others can be read afterwards."""
        self._run = fresh_number()

        def tidy(_: Attempt) -> None:
            self._link.take_time()
            self._link.execute(_ABANDON, self._number, now - ABANDONED)
            self._link.execute(_FORGET, self._number)

        def register(_: Attempt) -> None:
            self._link.select(_CLOSE_GATES, self._number)
            self._link.execute(_REGISTER, self._number, self._run, now)

        self._link.run(tidy)
        self._link.run(register)

    def see(self) -> list[ObjectId]:
        """Return what was noted so far, beside others who note."""
        return [ObjectId(root) for (root,) in self._link.select(_SEE, self._number, self._run)]

    def take(self) -> list[ObjectId]:
        """Close all gates until the transaction under way ends, and take what was noted.

        What was taken is noted again if the transaction is undone. Raises NotNotedError.
        """
        run = (self._number, self._run)
        # In this order: who removes a registration removes what was noted for it as well, and is
        # waited for by the second.
        statements = ((_CLOSE_GATES, run[:1]), (_TAKE, run), (_IS_REGISTERED, run))
        _, taken, registered = self._link.all(statements)
        if registered.fetchone() is None:
            raise NotNotedError
        return [ObjectId(root) for (root,) in taken.fetchall()]

    def end(self) -> None:
        """Have nothing noted any more; where the database cannot be told, the next run tells it."""
        if self._run:
            self._link.try_to_say(_END, self._number, self._run)

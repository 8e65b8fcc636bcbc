"""What garbage collection keeps, and what it says that it did."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.timestamp import DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

StepsDone: TypeAlias = "Callable[[int, int], None]"
"""Is told how many steps of how many are done, now and then."""

Beat: TypeAlias = "Callable[[], None]"
"""Is told now and then that something gets on, of which nobody knows how much there is."""

BytesDone: TypeAlias = "Callable[[int, int | None], None]"
"""Is told how many bytes of how many are done, now and then; None: nobody knows how many."""

REMEMBERED = 90 * DAY
"""How long past values of refs, and agreed roots, are remembered, in microseconds; as git does."""

REFLOG_LIMIT = 256
"""How many past values of one ref are remembered, however young: each may hold five nodes."""

DEFAULT_GRACE = 14 * DAY
"""As in git."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept although no ref reaches it; times in microseconds.

    now: since 1970 UTC. grace: how long roots that were given up, and objects that were staged,
    are kept for sessions that may still use them. remembered, reflog_limit: past values of a ref
    are given up when they are older, or more. Agreed roots are given up when they are older,
    but for the last one of a whole log that is here or at a remote.
    """

    now: int
    grace: int = DEFAULT_GRACE
    remembered: int = REMEMBERED
    reflog_limit: int = REFLOG_LIMIT

    @property
    def before(self) -> int:
        """The time before which what is not used any more may go."""
        return self.now - self.grace


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed, or would be; roots: past values of refs and agreed roots given up."""

    messages: int = 0
    nodes: int = 0
    roots: int = 0
    receipts: int = 0


@dataclass(frozen=True, slots=True)
class Condensed:
    """What came of saving space: how many messages were compressed, and the bytes of the store."""

    messages: int
    before: int
    after: int

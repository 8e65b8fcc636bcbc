"""What becomes of a watch whose connection fails: it is tried again, ever more rarely, or ends."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import NotAuthorisedError
from plumbing.session import NotMsglogError
from plumbing.transport.channel import NotLetInError
from porcelain.schedule import delay_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.errors import MsglogError

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0
"""Between two tries to reach a remote again: from the first on, twice as long each time."""

_CHANCE_BYTES = 4


class Reconnection:
    """What is known of a remote that is watched over one session after another.

    What may pass by itself is waited for once the remote was reached; any other error is raised.
    random: returns so many random bytes.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._answers = 0
        self._reached = False
        self._removed: NotAuthorisedError | None = None
        self._failures = 0

    def answered(self) -> None:
        """Take note of an answer in the session that is open."""
        self._answers += 1
        self._reached = True
        self._removed = None
        if self._answers > 1:  # a server that falls over each time is tried ever more rarely
            self._failures = 0

    def seconds_after(self, error: MsglogError) -> float:
        """Return when to try again after an error that has ended the session; 0: at once.

        Raises the error if there is no hope.
        """
        answers, self._answers = self._answers, 0
        if isinstance(error, NotAuthorisedError) and answers:
            self._removed = error
            return 0  # rights may have changed for the better: a new session has the last word
        if isinstance(error, NotLetInError) and self._removed is not None:
            raise self._removed
        # A host that restarts may let us in and have nothing to say yet, or know no keys yet.
        passing = error.temporary or isinstance(error, NotMsglogError | NotLetInError)
        if not passing or not self._reached:
            raise error
        self._failures += 1
        chance = int.from_bytes(self._random(_CHANCE_BYTES)) / (1 << 8 * _CHANCE_BYTES)
        return delay_after(
            self._failures, chance, first=FIRST_DELAY_SECONDS, longest=LONGEST_DELAY_SECONDS
        )

"""How much of an id is needed to tell it from all others of a repository."""

from __future__ import annotations

from bisect import bisect_left

from msglog.annotation import TYPE_CHECKING
from msglog.errors import MsglogError
from msglog.key import key_object_id

if TYPE_CHECKING:
    from msglog.key import Key
    from msglog.repository import Repository
    from msglog.store.store import Store

SHORTEST = 4
"""Fewer digits are not taken for an id."""

_NEAR = 64
_UNKNOWN_LIMIT = 10_000


class UniquePrefixes:
    """Finds the shortest beginnings of ids that nothing else here begins with.

    Only reads. What the look-up by id does not know yet is held in memory, up to 10,000 ids; if
    there are more, all that is told is the rule of thumb, until a command such as `show` has used
    the look-up.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._length = repository.abbreviation_length()
        try:
            unknown = repository.not_looked_up(_UNKNOWN_LIMIT)
        except MsglogError:  # damage, of which whoever reads messages is told
            unknown = None
        self.known = unknown is not None
        self._unknown = sorted(key_object_id(key).hex() for key in unknown or ())

    def length(self, digits: str, repository: Repository | None = None) -> int:
        """Return how many of an id's digits are needed; repository: it, if it was opened anew."""
        if not self.known:
            return self._length
        try:
            near, common = _near((repository or self._repository).store, digits)
        except MsglogError:  # as above
            self.known = False
            return self._length
        others = [key_object_id(key).hex() for key in near]
        place = bisect_left(self._unknown, digits)
        others += self._unknown[max(place - 1, 0) : place + 2]
        for other in others:
            if other != digits:
                common = max(common, _common(digits, other))
        return common + 1


def _near(store: Store, digits: str) -> tuple[list[Key], int]:
    """Return keys with ids that begin alike, and how many digits are too few to ask for them.

    So many digits are shared with some other id; or they are fewer than are taken for an id.
    """
    first = SHORTEST
    while len(near := store.look_up(digits[:first], _NEAR)) == _NEAR and first < len(digits):
        first += 1
    return near, first - 1


def _common(one: str, other: str) -> int:
    for place, (first, second) in enumerate(zip(one, other, strict=True)):
        if first != second:
            return place
    return len(one)

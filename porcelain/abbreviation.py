"""How much of an id is needed to tell it from all others of a repository."""

from __future__ import annotations

from bisect import bisect_left

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_object_id

if TYPE_CHECKING:
    from msglog.repository import Repository

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
        unknown = repository.not_looked_up(_UNKNOWN_LIMIT)
        self.known = unknown is not None
        self._unknown = sorted(key_object_id(key).hex() for key in unknown or ())

    def length(self, digits: str, repository: Repository | None = None) -> int:
        """Return how many of an id's digits are needed; repository: it, if it was opened anew."""
        if not self.known:
            return self._length
        store = (repository or self._repository).store
        first = SHORTEST
        while len(near := store.look_up(digits[:first], _NEAR)) == _NEAR and first < len(digits):
            first += 1
        common = first - 1  # at least, if it was not enough to ask for fewer
        others = [key_object_id(key).hex() for key in near]
        place = bisect_left(self._unknown, digits)
        others += self._unknown[max(place - 1, 0) : place + 2]
        for other in others:
            if other != digits:
                common = max(common, _common(digits, other))
        return common + 1


def _common(one: str, other: str) -> int:
    for place, (first, second) in enumerate(zip(one, other, strict=True)):
        if first != second:
            return place
    return len(one)

"""The roots that a session has named: a bounded memory of what its client may refer to."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from msglog.key import Key
    from msglog.objectid import ObjectId

ROOTS_LIMIT = 16
"""How many roots of one part of a log are remembered: the newest."""

PLACES_LIMIT = 1 << 17
"""How many logs and parts of logs are remembered: twice as many as a list may name."""


class KnownRoots:
    """Roots by log and view, of which those are forgotten that were named longest ago.

    A session may go on for as long as its client asks for something, and each request may bring a
    new root; a client refers to those of its last few requests.
    """

    def __init__(self, places: int = PLACES_LIMIT, roots: int = ROOTS_LIMIT) -> None:
        self._places = places
        self._roots = roots
        self._known: dict[tuple[str, Key], tuple[ObjectId, ...]] = {}

    def __len__(self) -> int:
        """Return how many roots are remembered."""
        return sum(map(len, self._known.values()))

    def add(self, log: str, view: Key, root: ObjectId) -> None:
        """Remember a root of the part of a log from view on."""
        place = log, view
        before = self._known.pop(place, ())
        others = [one for one in before if one != root]
        self._known[place] = (*others, root)[-self._roots :]
        if len(self._known) > self._places:
            del self._known[next(iter(self._known))]

    def has(self, log: str, view: Key, root: ObjectId) -> bool:
        """Tell whether a root was named, and not too long ago."""
        return root in self._known.get((log, view), ())

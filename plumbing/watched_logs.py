"""Which logs somebody watches: by their names, by patterns, or all of them."""

from __future__ import annotations

from msglog.account.access import WILDCARD, matches
from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class WatchedLogs:
    """The logs that some patterns match, or all where there are none.

    expected: those that are meant by their names have to be there.
    """

    def __init__(self, patterns: Sequence[str] = (), *, expected: bool = True) -> None:
        self.patterns = tuple(patterns)
        self._expected = expected
        self._names = frozenset([one for one in self.patterns if WILDCARD not in one])
        self._wild = tuple([one for one in self.patterns if WILDCARD in one])

    @property
    def names(self) -> frozenset[str]:
        """The logs that are meant by their names, so that they have to be there."""
        return self._names if self._expected else frozenset()

    @property
    def may_grow(self) -> bool:
        """Whether logs are meant that are not there yet."""
        return bool(self._wild) or not self.patterns or not self._expected

    def has(self, log: str) -> bool:
        """Tell whether a log is meant."""
        if not self.patterns or log in self._names:
            return True
        return any(matches(pattern, log) for pattern in self._wild)

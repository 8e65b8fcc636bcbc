"""Questions to one log: which of its messages, asked anew each time they are gone through."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.choice import Choice, Criteria, last_key_at, pattern
from msglog.clock import bound_of
from msglog.dataclass import dataclass, replace
from msglog.entry import read_entry
from msglog.errors import UsageError
from msglog.key import first_key_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from msglog.entry import Entry
    from msglog.message import MetaValue
    from msglog.shared_repository import SharedRepository

_EVERYTHING = Criteria()


class LimitError(UsageError):
    """A limit is not a number of messages."""


@dataclass(frozen=True, slots=True)
class Query:
    """Messages of one log, newest first unless it is said otherwise.

    Every method returns a new query and leaves this one as it is. Nothing is read until it is gone
    through: then some messages at a time, so that memory is bounded however long the log is, and of
    the log as it was when that began. Whoever goes through it again asks again.
    """

    _shared: SharedRepository
    name: str
    _criteria: Criteria = _EVERYTHING

    def since(self, when: datetime | str) -> Query:
        """Return those of that time or later: a datetime, or a text as `--since` takes it."""
        first = first_key_at(bound_of(when))
        return self._with(replace(self._criteria, first=max(self._criteria.first, first)))

    def until(self, when: datetime | str) -> Query:
        """Return those of that time or earlier: a datetime, or a text as `--until` takes it."""
        last = last_key_at(bound_of(when, last=True))
        return self._with(replace(self._criteria, last=min(self._criteria.last, last)))

    def received_since(self, when: datetime | str) -> Query:
        """Return those that came here from elsewhere at that time or later."""
        received = bound_of(when)
        if self._criteria.received is not None:
            received = max(received, self._criteria.received)
        return self._with(replace(self._criteria, received=received))

    def author(self, expression: str, *, ignore_case: bool = False) -> Query:
        """Return those in whose author a regular expression matches: one of several must."""
        authors = (*self._criteria.authors, pattern(expression, fold=ignore_case))
        return self._with(replace(self._criteria, authors=authors))

    def grep(self, expression: str, *, ignore_case: bool = False) -> Query:
        """Return those in whose text a regular expression matches: one of several must."""
        bodies = (*self._criteria.bodies, pattern(expression, fold=ignore_case))
        return self._with(replace(self._criteria, bodies=bodies))

    def tag(self, *tags: str) -> Query:
        """Return those that have all of these tags."""
        return self._with(replace(self._criteria, tags=self._criteria.tags | set(tags)))

    def meta(self, name: str, value: MetaValue | None = None) -> Query:
        """Return those that have this name in meta, and this value unless it is None.

        7 is 7.0, and neither is True or the text "7".
        """
        return self._with(replace(self._criteria, meta=(*self._criteria.meta, (name, value))))

    def limit(self, count: int) -> Query:
        """Return the newest so many of them, in the same order; raises LimitError below 0."""
        if count < 0:
            raise LimitError(f"{count} is not a number of messages")
        if self._criteria.limit is not None:
            count = min(count, self._criteria.limit)
        return self._with(replace(self._criteria, limit=count))

    def reverse(self) -> Query:
        """Return the same in the other order: the oldest first, if it was the newest."""
        return self._with(replace(self._criteria, reverse=not self._criteria.reverse))

    def _with(self, criteria: Criteria) -> Query:
        return replace(self, _criteria=criteria)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the messages.

        Raises UnknownLogError if there is no such log, StoreError and its kin, and ForkedError in
        a process that was forked after the first of them was read.
        """
        shared = self._shared
        process = shared.process
        with shared.using(process) as repository:
            root = repository.log(self.name).root
            parts = Choice(repository, root, self._criteria).parts()
        while True:
            with shared.using(process):
                keys, objects = next(parts, ([], []))
            if not keys:
                return
            for key, data in zip(keys, objects, strict=True):
                yield read_entry(key, data, self.name)

    def count(self) -> int:
        """Return how many there are, without reading more than is needed to know it."""
        with self._shared.using() as repository:
            log = repository.log(self.name)
            if self._criteria == _EVERYTHING:
                return log.count
            return Choice(repository, log.root, self._criteria).count()

    def first(self) -> Entry | None:
        """Return the first of them, or None."""
        return next(iter(self), None)

    @property
    def root(self) -> str:
        """The id of the whole log's index as it is now: where two are equal, so are the logs."""
        with self._shared.using() as repository:
            return repository.log(self.name).root.hex()

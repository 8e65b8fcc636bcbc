"""Questions to one log: which of its messages, asked anew each time they are gone through."""

from __future__ import annotations

from msglog import argument
from msglog.annotation import TYPE_CHECKING
from msglog.choice import Choice, Criteria, last_key_at, pattern
from msglog.clock import bound_of
from msglog.dataclass import dataclass, replace
from msglog.entry import read_entry
from msglog.key import first_key_at
from msglog.revision import find_revision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from msglog.entry import Entry
    from msglog.message import MetaValue
    from msglog.repository import Repository
    from msglog.revision import Revision
    from msglog.shared_repository import SharedRepository

_EVERYTHING = Criteria()


@dataclass(frozen=True, slots=True)
class Query:
    """Messages of one log, newest first unless it is said otherwise.

    name: as it was asked for, which may be `origin/main` or `A..B`; see `msglog.revision`.

    Every method returns a new query and leaves this one as it is. Nothing is read until it is gone
    through: then some messages at a time, so that memory is bounded however long the log is, and of
    the log as it was when that began. Whoever goes through it again asks again.
    """

    _shared: SharedRepository
    name: str
    _criteria: Criteria = _EVERYTHING

    def since(self, when: date | str) -> Query:
        """Return those of that time or later: a datetime, a date, or a text as for `--since`."""
        first = first_key_at(bound_of(when))
        return self._with(replace(self._criteria, first=max(self._criteria.first, first)))

    def until(self, when: date | str) -> Query:
        """Return those of that time or earlier: a datetime, a date, or a text as for `--until`."""
        last = last_key_at(bound_of(when, last=True))
        return self._with(replace(self._criteria, last=min(self._criteria.last, last)))

    def received_since(self, when: date | str) -> Query:
        """Return those that came here from elsewhere at that time or later."""
        received = bound_of(when)
        if self._criteria.received is not None:
            received = max(received, self._criteria.received)
        return self._with(replace(self._criteria, received=received))

    def author(self, expression: str, *, ignore_case: bool = False) -> Query:
        """Return those in whose author a regular expression matches: one of several must."""
        authors = (
            *self._criteria.authors,
            pattern(argument.text(expression, "a pattern"), fold=ignore_case),
        )
        return self._with(replace(self._criteria, authors=authors))

    def grep(self, expression: str, *, ignore_case: bool = False) -> Query:
        """Return those in whose text a regular expression matches: one of several must."""
        bodies = (
            *self._criteria.bodies,
            pattern(argument.text(expression, "a pattern"), fold=ignore_case),
        )
        return self._with(replace(self._criteria, bodies=bodies))

    def tag(self, *tags: str) -> Query:
        """Return those that have all of these tags."""
        wanted = self._criteria.tags.union(argument.texts(tags, "the tags"))
        return self._with(replace(self._criteria, tags=wanted))

    def meta(self, name: str, value: MetaValue | None = None) -> Query:
        """Return those that have this name in meta, and this value unless it is None.

        7 is 7.0, and neither is True or the text "7".
        """
        wanted = (argument.text(name, "a name of meta"), value)
        return self._with(replace(self._criteria, meta=(*self._criteria.meta, wanted)))

    def limit(self, count: int) -> Query:
        """Return the newest so many of them, in the same order; raises ArgumentError below 0."""
        count = argument.whole_number(count, "a limit")
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
        opening = shared.opening
        with shared.using(opening) as repository:
            revision = find_revision(repository, self.name)
            parts = self._choice(repository, revision).parts()
        while True:
            with shared.using(opening):
                keys, objects = next(parts, ([], []))
            if not keys:
                return
            for key, data in zip(keys, objects, strict=True):
                yield read_entry(key, data, revision.log)

    def count(self) -> int:
        """Return how many there are, without reading more than is needed to know it."""
        with self._shared.using() as repository:
            revision = find_revision(repository, self.name)
            if self._criteria == _EVERYTHING:
                return revision.count(repository)
            return self._choice(repository, revision).count()

    def _choice(self, repository: Repository, revision: Revision) -> Choice:
        return Choice(repository, revision.root, self._criteria, base=revision.base)

    def first(self) -> Entry | None:
        """Return the first of them, or None."""
        return next(iter(self), None)

    @property
    def root(self) -> str:
        """The id of the whole log's index as it is now: where two are equal, so are the logs."""
        with self._shared.using() as repository:
            return find_revision(repository, self.name).root.hex()

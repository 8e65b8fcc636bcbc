"""Choosing messages of a log: by time, by how they came here, by author, text and tags."""

from __future__ import annotations

from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY, LAST_KEY, Key, first_key_at, key_object_id
from msglog.message import Foreign, decode_object
from msglog.message_scan import scan

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from msglog.message import MetaValue
    from msglog.objectid import ObjectId
    from msglog.repository import Repository

_RECEIPTS_AT_ONCE = 256

PIECE = 512
"""How many messages a piece of a log has, at most."""

Part: TypeAlias = "tuple[list[Key], list[bytes]]"
"""Some messages: their keys, and in the same order their bytes."""


class PatternError(UsageError):
    """A pattern is not a regular expression."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which messages are meant, and in which order.

    first, last: the keys between which they are, both included. received: they came from elsewhere
    at that time or later, in microseconds since 1970 UTC. authors, bodies: one of several patterns
    must match. tags: all must be there. limit: only the newest so many. reverse: oldest first.
    meta: names that all must be there, each with its value unless that is None.
    """

    first: Key = FIRST_KEY
    last: Key = LAST_KEY
    received: int | None = None
    authors: tuple[re.Pattern[str], ...] = ()
    bodies: tuple[re.Pattern[str], ...] = ()
    tags: frozenset[str] = frozenset()
    limit: int | None = None
    reverse: bool = False
    meta: tuple[tuple[str, MetaValue | None], ...] = ()

    @property
    def filtered(self) -> bool:
        """Whether messages have to be read to know which are meant."""
        return bool(self.authors or self.bodies or self.tags or self.meta)

    def matches(self, data: bytes) -> bool:
        """Tell whether a message is one of these, if its time is."""
        plain = scan(data)
        if plain is not None:
            if self.meta:
                return False  # an ordinary message has none
            _, _, _, author, body, tags, _ = plain
        else:
            message = decode_object(data)
            if isinstance(message, Foreign):
                return False
            if not all(_has(message.meta, name, value) for name, value in self.meta):
                return False
            author, body, tags = message.author, message.body, message.tags
        return (
            self.tags.issubset(tags)
            and _any_matches(self.authors, author)
            and _any_matches(self.bodies, body)
        )


class Choice:
    """The messages of an index that are meant. Memory is bounded, however many they are.

    base: the root of an index whose messages are not.
    """

    def __init__(
        self,
        repository: Repository,
        root: ObjectId,
        criteria: Criteria,
        *,
        base: ObjectId = EMPTY_ROOT,
    ) -> None:
        self._repository = repository
        self._root = root
        self._base = base
        self._criteria = criteria

    def pieces(self) -> Iterator[list[ObjectId]]:
        """Yield all that is to be gone through in pieces of some hundred messages.

        Of criteria without a limit and without `received`, and of a choice without a base.
        """
        criteria = self._criteria
        if criteria.first > criteria.last:
            return iter(())
        return self._repository.divide(
            self._root,
            size=PIECE,
            first=criteria.first,
            last=criteria.last,
            reverse=not criteria.reverse,
        )

    def parts_of(self, piece: list[ObjectId], done: int) -> Iterator[tuple[int, Part]]:
        """Yield the messages of a piece but the first: how many were gone through, and which."""
        criteria = self._criteria
        keys = self._repository.keys_below(
            piece, first=criteria.first, last=criteria.last, reverse=not criteria.reverse
        )
        for part in self._repository.parts(islice(keys, done, None), at_first=PIECE):
            yield len(part[0]), self._those_that_match(part) if criteria.filtered else part

    def parts(self) -> Iterator[Part]:
        """Yield the messages, newest first or with `reverse` oldest first, some at a time."""
        criteria = self._criteria
        if criteria.limit is None:
            return self._matching(self._keys(newest_first=not criteria.reverse))
        newest = self._newest(criteria.limit)
        if not criteria.reverse:
            return newest
        # The newest N, oldest first: only their keys are held.
        if criteria.filtered:
            keys = [key for part, _ in newest for key in part]
        else:
            keys = list(islice(self._keys(newest_first=True), criteria.limit))
        return self._repository.parts(reversed(keys))

    def count(self) -> int:
        """Return how many there are, without reading more than is needed to know it."""
        criteria = self._criteria
        keys = self._keys(newest_first=True)
        if criteria.filtered:
            keys = (key for part, _ in self._matching(keys) for key in part)
        return sum(1 for _ in islice(keys, criteria.limit))

    def _newest(self, limit: int) -> Iterator[Part]:
        keys = self._keys(newest_first=True)
        if self._criteria.filtered:
            return _first_of(self._matching(keys), limit)
        return self._repository.parts(islice(keys, limit))

    def _matching(self, keys: Iterator[Key]) -> Iterator[Part]:
        parts = self._repository.parts(keys)
        if not self._criteria.filtered:
            return parts
        return filter(all, map(self._those_that_match, parts))

    def _those_that_match(self, part: Part) -> Part:
        matches = self._criteria.matches
        found = [both for both in zip(*part, strict=True) if matches(both[1])]
        return [key for key, _ in found], [data for _, data in found]

    def _keys(self, *, newest_first: bool) -> Iterator[Key]:
        criteria = self._criteria
        if criteria.first > criteria.last:
            return iter(())
        first, last = criteria.first, criteria.last
        if self._base == EMPTY_ROOT:
            keys = self._repository.keys(self._root, first=first, last=last, reverse=newest_first)
        else:
            beyond = self._repository.difference(self._base, self._root, reverse=newest_first)
            keys = (key for key in beyond if first <= key <= last)
        return keys if criteria.received is None else self._received_of(keys, criteria.received)

    def _received_of(self, keys: Iterator[Key], since: int) -> Iterator[Key]:
        batch: list[Key] = []
        for key in keys:
            batch.append(key)
            if len(batch) >= _RECEIPTS_AT_ONCE:
                yield from self._received_in(batch, since)
                batch = []
        yield from self._received_in(batch, since)

    def _received_in(self, batch: list[Key], since: int) -> list[Key]:
        receipts = self._repository.store.receipts(batch)
        return [key for key in batch if key in receipts and receipts[key].time >= since]


def last_key_at(time: int) -> Key:
    """Return the largest key whose time is at most time; times past int64 are clamped."""
    return Key(first_key_at(time)[: -len(key_object_id(LAST_KEY))] + key_object_id(LAST_KEY))


def pattern(text: str, *, fold: bool) -> re.Pattern[str]:
    """Return a compiled pattern; fold: without regard to case. Raises PatternError."""
    import re  # noqa: PLC0415 - few lists are filtered, and all of them start

    try:
        return re.compile(text, re.MULTILINE | (re.IGNORECASE if fold else re.NOFLAG))
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{text[:80]!r} is not a regular expression", why=str(error)) from error


def _first_of(parts: Iterator[Part], limit: int) -> Iterator[Part]:
    while limit > 0:
        keys, objects = next(parts, ([], []))
        if not keys:
            return
        yield keys[:limit], objects[:limit]
        limit -= len(keys)


def _has(meta: Mapping[str, MetaValue], name: str, value: MetaValue | None) -> bool:
    """Tell whether a name is there, with a value unless it is None: 7 is 7.0, and True is not 1."""
    if value is None or name not in meta:
        return name in meta
    found = meta[name]
    return found == value and isinstance(found, bool) == isinstance(value, bool)


def _any_matches(patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    return not patterns or any(pattern.search(text) for pattern in patterns)

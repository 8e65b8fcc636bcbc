"""What was shown of a log that lies elsewhere, so that it can be gone on with after a cut."""

from __future__ import annotations

from bisect import bisect_left

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.store import Ref

SINCE_LIMIT = 1024
"""How many messages may come after an anchor before there is to be another."""

_MARK_BYTES = 24
"""How much of a key is kept of a message that was shown: its time and half of its id."""


class LostTrackError(IntegrityError):
    """What was shown of a log last is not known any more where it comes from."""

    def __init__(self, log: str, why: str) -> None:
        super().__init__(
            f"cannot go on with {log}",
            why=why,
            hint="Begin anew; with --pull, what you have is compared with what is there.",
        )


class ShownLog:
    """One log: all that its root has was shown, and maybe some of what comes next.

    The server knows the root of a log as long as it remembers the log's changes. An anchor is an
    older root that it keeps for us, since we have acknowledged it: what came after it is known by
    marks, so that going on from there shows nothing twice.
    """

    def __init__(self, ref: Ref) -> None:
        self.ref = ref
        self._anchor: Ref | None = None
        self._hoped_for: Ref | None = None
        self._since = Marks()
        self._cut = Marks()
        self._known = Marks()
        self._passed = Marks()

    @property
    def wants_anchor(self) -> bool:
        """Whether what comes next is worth an acknowledgement."""
        if self._anchor is None:
            return self.ref.root != EMPTY_ROOT
        return len(self._since) >= SINCE_LIMIT

    def starts(self) -> dict[ObjectId, Ref]:
        """Return the roots to go on from, best first; none for a log of which nothing was shown."""
        both = (self.ref, self._anchor)
        return {ref.root: ref for ref in both if ref is not None and ref.root != EMPTY_ROOT}

    def begin(self, start: Ref) -> None:
        """Begin, or begin again, to show what comes after one of the starts."""
        self._cut = self._cut.joined(self._passed)
        self._passed = Marks()
        self._known = self._cut if start == self.ref else self._cut.joined(self._since)

    def unshown(self, messages: dict[Key, bytes]) -> dict[Key, bytes]:
        """Return those of some messages that were not shown."""
        if not self._known:
            return messages
        return {key: data for key, data in messages.items() if not self._known.has(key)}

    def pass_by(self, keys: Iterable[Key]) -> None:
        """Take note that these, which ascend and come after those before, are shown now."""
        self._passed.extend(keys)

    def complete(self, ref: Ref) -> None:
        """Take note that all that a root has is shown now."""
        self.ref = ref
        if self._anchor is not None:
            self._since = self._since.joined(self._passed)
        self._cut, self._known, self._passed = Marks(), Marks(), Marks()

    def hope(self) -> None:
        """Take note that the root was acknowledged: who knows whether that arrives."""
        self._hoped_for = self.ref

    def confirm(self) -> None:
        """Take note that what was acknowledged has arrived: the server said something later."""
        if self._hoped_for is not None:
            self._anchor, self._since = self._hoped_for, Marks()
            self._hoped_for = None

    def give_up_hope(self) -> None:
        """Take note that the connection is another one."""
        self._hoped_for = None


class Marks:
    """The beginnings of keys that ascend, one after the other in one piece of memory."""

    def __init__(self, joined: bytearray | None = None) -> None:
        self._joined = bytearray() if joined is None else joined

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._joined) // _MARK_BYTES

    def __getitem__(self, index: int) -> bytes:
        """Return one, by its place."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return bytes(self._joined[index * _MARK_BYTES : (index + 1) * _MARK_BYTES])

    def __iter__(self) -> Iterator[bytes]:
        """Yield all, in order."""
        return map(self.__getitem__, range(len(self)))

    def extend(self, keys: Iterable[Key]) -> None:
        """Add those of keys that come after all these."""
        for key in keys:
            self._joined += key[:_MARK_BYTES]

    def has(self, key: Key) -> bool:
        """Tell whether the mark of a key is here."""
        mark = key[:_MARK_BYTES]
        at = bisect_left(self, mark)
        return at < len(self) and self[at] == mark

    def joined(self, other: Marks) -> Marks:
        """Return what is here or in another, each once."""
        if not self or not other:
            return self or other
        joined = bytearray()
        mine, theirs = iter(self), iter(other)
        one, two = next(mine, None), next(theirs, None)
        while one is not None or two is not None:
            if two is None or (one is not None and one <= two):
                assert one is not None
                joined += one
                two = next(theirs, None) if one == two else two
                one = next(mine, None)
            else:
                joined += two
                two = next(theirs, None)
        return Marks(joined)

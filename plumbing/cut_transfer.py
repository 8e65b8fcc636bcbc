"""A transfer that may be cut and begun again: which of its messages were shown already."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.key import Key

_MARK_BYTES = 24
"""How much of a key is kept of a message that was shown: its time and half of its id."""


class CutTransfer:
    """Which messages of a transfer were shown, in case that it is cut and begun again.

    The next one has the same base, and maybe more messages anywhere between these.
    """

    def __init__(self) -> None:
        self._earlier = _Marks()
        self._now = _Marks()

    def begin(self) -> None:
        """Begin the transfer, or begin it again."""
        self._earlier = self._now.followed_by(self._earlier)
        self._now = _Marks()

    def unshown(self, messages: dict[Key, bytes]) -> dict[Key, bytes]:
        """Return those of a batch that were not shown."""
        if not self._earlier:
            return messages
        return {key: data for key, data in messages.items() if not self._earlier.has(key)}

    def pass_by(self, keys: Iterable[Key]) -> None:
        """Take note that all of a batch is shown now."""
        self._now.extend(keys)


class _Marks:
    """The beginnings of keys that ascend, one after the other in one piece of memory."""

    def __init__(self, joined: bytes | bytearray = b"") -> None:
        self._joined = bytearray(joined)

    def __len__(self) -> int:
        return len(self._joined) // _MARK_BYTES

    def __getitem__(self, index: int) -> bytes:
        return bytes(self._joined[index * _MARK_BYTES : (index + 1) * _MARK_BYTES])

    def extend(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._joined += key[:_MARK_BYTES]

    def has(self, key: Key) -> bool:
        mark = key[:_MARK_BYTES]
        at = bisect_left(self, mark)
        return at < len(self) and self[at] == mark

    def followed_by(self, other: _Marks) -> _Marks:
        """Return these, and those of others that come after the last of these."""
        start = bisect_right(other, self[len(self) - 1]) if self else 0
        return _Marks(self._joined + other._joined[start * _MARK_BYTES :])

"""Range-based set reconciliation, simulated in memory: what it would cost to find the same differences.

After negentropy: two sorted sets of items are compared by fingerprints of ranges; a range that differs is
cut into `BRANCHING` parts, or listed by its ids where it has few items. Only bytes and round trips are
counted; nothing travels. Written from its description, not from its code.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate, pairwise

from msglog.key import KEY_BYTES, TIME_BYTES, Key

BRANCHING = 16
FINGERPRINT_BYTES = 16
ID_BYTES = 32
LISTED = 2 * BRANCHING
"""A range of fewer items is listed by its ids rather than cut."""

MODE_BYTES = 1
VERSION_BYTES = 1
BEGINNING = bytes(KEY_BYTES)
END = b"\xff" * KEY_BYTES + b"\0"
"""Above every key."""


class Holder:
    """One side: its items in order, with sums by which a range's fingerprint takes no walk."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = sorted(keys)
        ids = (int.from_bytes(key[TIME_BYTES:], "big") for key in self.keys)
        self._sums = [0, *accumulate(ids)]

    def span(self, low: bytes, high: bytes) -> tuple[int, int]:
        """Return where a range begins and ends among the items."""
        return bisect_left(self.keys, low), bisect_left(self.keys, high)

    def fingerprint(self, first: int, last: int) -> bytes:
        total = (self._sums[last] - self._sums[first]) % (1 << 8 * ID_BYTES)
        text = total.to_bytes(ID_BYTES, "big") + (last - first).to_bytes(8, "big")
        return sha256(text).digest()[:FINGERPRINT_BYTES]

    def bound(self, position: int) -> bytes:
        """Return the least text that separates the item at a position from the one before it."""
        if position >= len(self.keys):
            return END
        after = self.keys[position]
        before = self.keys[position - 1] if position else BEGINNING
        length = next(
            number for number in range(KEY_BYTES) if before[: number + 1] != after[: number + 1]
        )
        return after[: max(length + 1, TIME_BYTES)]


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a message: what is said of the items below `high` and not below the range before.

    What is said: nothing (both are equal here), a fingerprint, or ids.
    """

    low: bytes
    high: bytes
    fingerprint: bytes | None = None
    ids: tuple[Key, ...] | None = None

    @property
    def silent(self) -> bool:
        return self.fingerprint is None and self.ids is None


@dataclass(slots=True)
class Cost:
    """Bytes each way, from the client's side, and how often it waited for the other side."""

    sent: int = 0
    received: int = 0
    round_trips: int = 0
    lacking: set[Key] = field(default_factory=set)
    surplus: set[Key] = field(default_factory=set)

    @property
    def total(self) -> int:
        return self.sent + self.received


def reconcile(client: Holder, server: Holder) -> Cost:
    """Let the client learn what it lacks and what it has more than the server."""
    cost = Cost()
    asked = _describe(client, BEGINNING, END, cut=False)
    while not all(part.silent for part in asked):
        cost.sent += size(asked)
        cost.round_trips += 1
        answer = [said for part in asked for said in _answer(server, part)]
        cost.received += size(answer)
        asked = []
        for part in answer:
            if part.ids is None:
                asked += _answer(client, part)
                continue
            first, last = client.span(part.low, part.high)
            own = set(client.keys[first:last])
            cost.lacking |= set(part.ids) - own
            cost.surplus |= own - set(part.ids)
            asked.append(Range(part.low, part.high))
    return cost


def _answer(holder: Holder, part: Range) -> list[Range]:
    if part.silent:
        return [part]
    if part.ids is not None:
        first, last = holder.span(part.low, part.high)
        return [Range(part.low, part.high, ids=tuple(holder.keys[first:last]))]
    if holder.fingerprint(*holder.span(part.low, part.high)) == part.fingerprint:
        return [Range(part.low, part.high)]
    return _describe(holder, part.low, part.high, cut=True)


def _describe(holder: Holder, low: bytes, high: bytes, *, cut: bool) -> list[Range]:
    """Say what there is in a range: as a whole, or cut into parts where both know that it differs."""
    first, last = holder.span(low, high)
    count = last - first
    if count < LISTED:
        return [Range(low, high, ids=tuple(holder.keys[first:last]))]
    if not cut:
        return [Range(low, high, fingerprint=holder.fingerprint(first, last))]
    places = [first + count * number // BRANCHING for number in range(BRANCHING + 1)]
    bounds = [low, *(holder.bound(place) for place in places[1:-1]), high]
    return [
        Range(start, end, fingerprint=holder.fingerprint(begin, finish))
        for (start, end), (begin, finish) in zip(pairwise(bounds), pairwise(places), strict=True)
    ]


def size(ranges: Sequence[Range]) -> int:
    """Return the bytes of a message: silent ranges in a row are one, and none at its end."""
    total, time, high = VERSION_BYTES, 0, b""
    pending = False
    for part in ranges:
        if part.silent:
            pending, high = True, part.high
            continue
        if pending:
            spent, time = _bound_size(high, time)
            total += spent + MODE_BYTES
            pending = False
        spent, time = _bound_size(part.high, time)
        total += spent + MODE_BYTES
        if part.fingerprint is not None:
            total += FINGERPRINT_BYTES
        if part.ids is not None:
            total += varint_size(len(part.ids)) + ID_BYTES * len(part.ids)
    return total


def _bound_size(high: bytes, time: int) -> tuple[int, int]:
    """Return the bytes of an upper bound, whose time is told as a step from the one before it."""
    if high == END:
        return 2, time
    now = int.from_bytes(high[:TIME_BYTES], "big") - (1 << 63)
    return varint_size(max(now - time, 0) + 1) + 1 + len(high) - TIME_BYTES, now


def varint_size(number: int) -> int:
    """Return how many bytes a number takes, seven bits in each."""
    return max(1, -(-number.bit_length() // 7))

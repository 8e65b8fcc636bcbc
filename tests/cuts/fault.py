"""What may happen to one direction of a stream of bytes, at one position of it."""

from __future__ import annotations

from dataclasses import dataclass, field

UP, DOWN = "up", "down"
DIRECTIONS = (UP, DOWN)
"""From the client to the server, and back."""

CUTS = ("fin", "rst", "half", "stall")
"""Nothing of this direction arrives from the position on.

fin, rst: both directions end, in order or by a reset. half: this direction ends alone. stall: this
direction falls silent.
"""

CHANGES = ("flip", "drop", "duplicate", "reorder")
"""Other bytes arrive than were sent."""

HARMLESS = ("none", "delay", "throttle")
"""The same bytes arrive, later or in small pieces."""

KINDS = (*CUTS, *CHANGES, *HARMLESS)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that happens once.

    position: how many bytes pass before it. bit: which bit of the next byte is flipped.
    size: bytes of the piece that is dropped, doubled, swapped with the next, or sent byte by byte.
    """

    kind: str
    direction: str = UP
    position: int = 0
    bit: int = 0
    size: int = 1

    def __str__(self) -> str:
        return f"{self.kind}:{self.direction}:{self.position}:{self.bit}:{self.size}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Return what str() made a text of."""
        kind, direction, *numbers = text.split(":")
        if kind not in KINDS or direction not in DIRECTIONS:
            raise ValueError(text)
        return cls(kind, direction, *map(int, numbers))


@dataclass(slots=True)
class Stream:
    """One direction, to which a fault happens, or not.

    passed: bytes that went in, up to the end of the piece that a cut is in.
    reached: the fault's position was. cut: nothing goes through any more.
    """

    fault: Fault
    passed: int = 0
    reached: bool = False
    cut: bool = False
    _kept: bytes = field(default=b"")

    def pass_on(self, data: bytes) -> list[bytes]:
        """Return the pieces that come out for one that goes in."""
        if self.cut:
            return []
        fault, start = self.fault, self.passed
        self.passed += len(data)
        if self._kept:
            data, self._kept, start = self._kept + data, b"", start - len(self._kept)
        elif self.reached or fault.position >= self.passed:
            return [data]
        self.reached = True
        before, rest = data[: fault.position - start], data[fault.position - start :]
        return [piece for piece in (before, *self._change(rest)) if piece]

    def _change(self, rest: bytes) -> list[bytes]:
        fault = self.fault
        size = fault.size
        match fault.kind:
            case "fin" | "rst" | "half" | "stall":
                self.cut = True
                return []
            case "flip":
                return [bytes([rest[0] ^ 1 << fault.bit]) + rest[1:]]
            case "drop":
                return [rest[size:]]
            case "duplicate":
                return [rest[:size], rest]
            case "reorder" if len(rest) < 2:
                # There is nothing yet to swap it with.
                self._kept = rest
                return []
            case "reorder":
                size = min(size, len(rest) // 2)
                return [rest[size : 2 * size] + rest[:size], rest[2 * size :]]
            case "throttle":
                return [*(rest[at : at + 1] for at in range(len(rest[:size]))), rest[size:]]
            case _:
                return [rest]

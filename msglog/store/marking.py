"""Marking what roots reach, for garbage collection: the walk, over marks that a store keeps."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.index.node import LEAF_LIMIT, Leaf, load_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId

_AT_ONCE = 256


class Marks(Protocol):
    """What is marked so far, and the list of messages that may go."""

    def new(self, ids: list[ObjectId]) -> list[ObjectId]:
        """Return which of these nodes were not marked yet, and mark them."""

    def read(self, ids: Sequence[ObjectId], *, strict: bool) -> dict[ObjectId, bytes]:
        """Return the sound ones of these nodes; strict: raises where one is missing or damaged."""

    def relist(self, keys: Sequence[Key]) -> None:
        """Take keys off the list of what may go."""

    def lists_any(self) -> bool:
        """Tell whether there is anything on that list."""


def mark(roots: Sequence[ObjectId], marks: Marks, *, strict: bool) -> None:
    """Mark the nodes below roots, and take the keys there off the list of what may go.

    Leaves are told by their counts, and read only where there is something to take off.
    A node is marked before what is below it is: where this is ended by an error, the marks of it
    are to be undone or never used again, or what is below would pass for walked.
    """
    stack = list(roots)
    while stack:
        batch = marks.new(stack[-_AT_ONCE:])
        del stack[-_AT_ONCE:]
        leaves: list[ObjectId] = []
        for data in marks.read(batch, strict=strict).values():
            node = load_node(data)
            if isinstance(node, Leaf):
                marks.relist(node.keys)
                continue
            for _, child, count in node.children:
                (leaves if count <= LEAF_LIMIT else stack).append(child)
        if leaves:
            _mark_leaves(marks.new(leaves), marks, strict=strict)


def _mark_leaves(leaves: Sequence[ObjectId], marks: Marks, *, strict: bool) -> None:
    if not marks.lists_any():
        return
    for start in range(0, len(leaves), _AT_ONCE):
        for data in marks.read(leaves[start : start + _AT_ONCE], strict=strict).values():
            node = load_node(data)
            if isinstance(node, Leaf):
                marks.relist(node.keys)

"""Reading many nodes at a time: a walk costs one store call a frontier, not one a node."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_NODE, EMPTY_ROOT, load_node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.index.node import Node, NodeReader
    from msglog.objectid import ObjectId

FRONTIER_LIMIT = 64
"""How many nodes a walk asks for at once, which bounds what it holds."""


class Frontier:
    """Nodes that a walk has asked for and not yet visited."""

    __slots__ = ("_read", "_waiting")

    def __init__(self, read: NodeReader) -> None:
        self._read = read
        self._waiting: dict[ObjectId, Node] = {}

    def take(self, oid: ObjectId, ahead: Iterable[ObjectId] = ()) -> Node:
        """Return a node; if it has to be read, read with it those that will be wanted next."""
        node = self._waiting.pop(oid, None)
        if node is not None:
            return node
        wanted = {oid: None}
        for other in ahead:
            if other not in self._waiting:
                wanted[other] = None
            if len(wanted) >= FRONTIER_LIMIT:
                break
        nodes = read_nodes(self._read, list(wanted))
        node = nodes.pop(oid)
        self._waiting.update(nodes)
        return node


def read_nodes(read: NodeReader, ids: list[ObjectId]) -> dict[ObjectId, Node]:
    """Return the nodes of these ids; the empty root is everywhere and is never asked for."""
    stored = [oid for oid in ids if oid != EMPTY_ROOT]
    found = read(stored) if stored else {}
    nodes = {oid: load_node(found[oid]) for oid in stored}
    if len(stored) != len(ids):
        nodes[EMPTY_ROOT] = load_node(EMPTY_NODE)
    return nodes


def read_node(read: NodeReader, oid: ObjectId) -> Node:
    """Return one node."""
    return read_nodes(read, [oid])[oid]

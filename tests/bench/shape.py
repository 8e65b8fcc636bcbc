"""The shape of an index: how deep it is, how many nodes it has, and how large the largest is."""

from dataclasses import dataclass

from msglog.index.node import Inner, NodeReader, load_node
from msglog.objectid import ObjectId


@dataclass(frozen=True, slots=True)
class Shape:
    """depth: nodes from the root to the farthest leaf, both counted. size: bytes of all nodes."""

    depth: int
    nodes: int
    size: int
    largest: int


def shape(read: NodeReader, root: ObjectId) -> Shape:
    """Visit every node of an index, one level after the other."""
    depth, nodes, size, largest = 0, 0, 0, 0
    level = [root]
    while level:
        depth += 1
        found = read(level)
        sizes = [len(found[oid]) for oid in level]
        nodes, size, largest = nodes + len(level), size + sum(sizes), max(largest, *sizes)
        below: list[ObjectId] = []
        for oid in level:
            node = load_node(found[oid])
            if isinstance(node, Inner):
                below.extend(child[1] for child in node.children)
        level = below
    return Shape(depth, nodes, size, largest)

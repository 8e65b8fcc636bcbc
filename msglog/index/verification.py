"""Checking a whole index: every node canonical, in its place, and counted right."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.index.node import (
    EMPTY_ROOT,
    LEAF_LIMIT,
    Inner,
    NodeError,
    decode_node,
    nibble,
    pack_prefix,
    shares_prefix,
)
from msglog.objectid import object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from typing import TypeAlias

    from msglog.key import Key
    from msglog.objectid import ObjectId


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an index: the node, and what is wrong in words."""

    node: ObjectId
    why: str


Trail: TypeAlias = "tuple[ObjectId, Trail | None]"
"""A node, and the trail of the one above it: how a walk came there from its root."""


def verify(
    find: Callable[[Sequence[ObjectId]], dict[ObjectId, bytes]],
    root: ObjectId,
    *,
    leaf_limit: int = LEAF_LIMIT,
) -> Iterator[Fault | tuple[Key, ...]]:
    """Walk an index from its root; yield the keys of each sound leaf, and each fault found.

    find returns raw bytes without checking them, and leaves out what is missing. What is below a
    faulty node cannot be judged and is not visited.
    """
    for _, found in examine(find, root, leaf_limit=leaf_limit):
        assert not isinstance(found, int)  # nothing is known
        yield found


def examine(
    find: Callable[[Sequence[ObjectId]], dict[ObjectId, bytes]],
    root: ObjectId,
    *,
    known: Container[ObjectId] = (),
    leaf_limit: int = LEAF_LIMIT,
) -> Iterator[tuple[Trail, Fault | tuple[Key, ...] | int]]:
    """Walk an index as `verify` does, and yield with each thing found the trail to its node.

    known: inner nodes below which all is sound. Such a node is read, since its place and its
    count are this index's affair, but nothing below it; its number of keys is yielded.
    """
    if root == EMPTY_ROOT:
        return
    stack: list[tuple[Trail, int, bytes, int | None]] = [((root, None), 0, b"", None)]
    while stack:
        level = [stack.pop() for _ in range(min(len(stack), 64))]
        found = find([trail[0] for trail, _, _, _ in level])
        for trail, depth, prefix, counted in level:
            oid = trail[0]
            data = found.get(oid)
            if data is None:
                yield trail, Fault(oid, "it is missing")
                continue
            if object_id(data) != oid:
                yield trail, Fault(oid, "its bytes have another SHA-256")
                continue
            try:
                node = decode_node(data, leaf_limit=leaf_limit)
            except NodeError as error:
                yield trail, Fault(oid, error.why)
                continue
            if not node.count:
                yield trail, Fault(oid, "it is empty, which only a root may be")
                continue
            sample = node.prefix if isinstance(node, Inner) else node.keys[0]
            if (isinstance(node, Inner) and node.depth < depth) or not shares_prefix(
                sample.ljust(1, b"\0"), prefix, depth
            ):
                yield trail, Fault(oid, "it is not in its place")
                continue
            if counted is not None and node.count != counted:
                why = f"it has {node.count} keys, and the node above counts {counted}"
                yield trail, Fault(oid, why)
            if isinstance(node, Inner):
                if oid in known:
                    yield trail, node.count
                    continue
                base = node.prefix.ljust(40, b"\0")
                for position, child, below in node.children:
                    path = _append(base, node.depth, position)
                    stack.append(((child, trail), node.depth + 1, path, below))
            elif not all(shares_prefix(key, prefix, depth) for key in node.keys):
                yield trail, Fault(oid, "it is not in its place")
            else:
                yield trail, node.keys


def _append(base: bytes, depth: int, position: int) -> bytes:
    key = bytearray(base)
    key[depth >> 1] |= position if depth & 1 else position << 4
    packed = pack_prefix(bytes(key), depth + 1)
    assert nibble(packed, depth) == position
    return packed

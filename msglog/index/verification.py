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
    from collections.abc import Callable, Iterator, Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an index: the node, and what is wrong in words."""

    node: ObjectId
    why: str


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
    if root == EMPTY_ROOT:
        return
    stack: list[tuple[ObjectId, int, bytes, int | None]] = [(root, 0, b"", None)]
    while stack:
        level = [stack.pop() for _ in range(min(len(stack), 64))]
        found = find([oid for oid, _, _, _ in level])
        for oid, depth, prefix, counted in level:
            data = found.get(oid)
            if data is None:
                yield Fault(oid, "it is missing")
                continue
            if object_id(data) != oid:
                yield Fault(oid, "its bytes have another SHA-256")
                continue
            try:
                node = decode_node(data, leaf_limit=leaf_limit)
            except NodeError as error:
                yield Fault(oid, error.why)
                continue
            if not node.count:
                yield Fault(oid, "it is empty, which only a root may be")
                continue
            sample = node.prefix if isinstance(node, Inner) else node.keys[0]
            if (isinstance(node, Inner) and node.depth < depth) or not shares_prefix(
                sample.ljust(1, b"\0"), prefix, depth
            ):
                yield Fault(oid, "it is not in its place")
                continue
            if counted is not None and node.count != counted:
                yield Fault(oid, f"it has {node.count} keys, and the node above counts {counted}")
            if isinstance(node, Inner):
                base = node.prefix.ljust(40, b"\0")
                for position, child, below in node.children:
                    path = _append(base, node.depth, position)
                    stack.append((child, node.depth + 1, path, below))
            elif not all(shares_prefix(key, prefix, depth) for key in node.keys):
                yield Fault(oid, "it is not in its place")
            else:
                yield node.keys


def _append(base: bytes, depth: int, position: int) -> bytes:
    key = bytearray(base)
    key[depth >> 1] |= position if depth & 1 else position << 4
    packed = pack_prefix(bytes(key), depth + 1)
    assert nibble(packed, depth) == position
    return packed

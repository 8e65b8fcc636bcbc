"""What can still be read of a damaged index: the keys surely in it, and where it has gaps."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT, Inner, NodeError, decode_node, pack_prefix, shares_prefix
from msglog.key import KEY_BYTES
from msglog.objectid import object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msglog.index.change import Path
    from msglog.key import Key
    from msglog.objectid import ObjectId

_AT_ONCE = 64


def salvage(
    find: Callable[[Sequence[ObjectId]], dict[ObjectId, bytes]],
    root: ObjectId,
    visited: set[ObjectId] | None = None,
) -> tuple[set[Key], list[Path]]:
    """Return the keys of all sound leaves below root, and the paths below which nothing is known.

    find returns raw bytes without checking them, and leaves out what is missing. visited: nodes
    that are passed over; those that are visited are added to them.
    """
    passed = set() if visited is None else visited
    keys: set[Key] = set()
    gaps: list[Path] = []
    stack: list[tuple[ObjectId, Path]] = [] if root == EMPTY_ROOT else [(root, (0, b""))]
    while stack:
        level = stack[-_AT_ONCE:]
        del stack[-_AT_ONCE:]
        level = [one for one in level if one[0] not in passed]
        passed.update([oid for oid, _ in level])
        found = find([oid for oid, _ in level])
        for oid, path in level:
            data = found.get(oid)
            depth, prefix = path
            if data is None or object_id(data) != oid:
                gaps.append(path)
                continue
            try:
                node = decode_node(data)
            except NodeError:
                gaps.append(path)
                continue
            if isinstance(node, Inner):
                base = bytearray(node.prefix.ljust(KEY_BYTES, b"\0"))
                for position, child, _ in node.children:
                    stack.append((child, _below(base, node.depth, position)))
            else:
                keys.update(key for key in node.keys if shares_prefix(key, prefix, depth))
    return keys, gaps


def is_below(key: Key, paths: Sequence[Path]) -> bool:
    """Tell whether a key lies below one of some paths."""
    return any(shares_prefix(key, prefix, depth) for depth, prefix in paths)


def _below(base: bytearray, depth: int, position: int) -> Path:
    key = bytearray(base)
    key[depth >> 1] |= position if depth & 1 else position << 4
    return depth + 1, pack_prefix(bytes(key), depth + 1)

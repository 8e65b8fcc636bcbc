"""Making indexes: `build`, `insert`, `merge`, `exclude`, `slice_from` and `splice`.

Each returns the canonical root of a set of keys with the nodes that had to be made; nodes that
exist already are shared. The shape of an index depends on its set of keys alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.index.node import (
    EMPTY_ROOT,
    LEAF_LIMIT,
    Inner,
    Leaf,
    common_nibbles,
    encode_inner,
    encode_leaf,
    first_below,
    last_below,
    load_node,
    nibble,
    pack_prefix,
    shares_prefix,
    split,
)
from msglog.index.reading import Frontier, read_nodes
from msglog.key import FIRST_KEY, KEY_NIBBLES
from msglog.objectid import object_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from msglog.index.node import (
        Child,
        Node,
        NodeReader,
    )
    from msglog.key import Key
    from msglog.objectid import ObjectId

Path: TypeAlias = "tuple[int, bytes]"
"""A number of nibbles and those nibbles packed: everything below them. A key is (80, key)."""


@dataclass(frozen=True, slots=True)
class Index:
    """A root, how many keys are below it, and the nodes made for it (none if it was there)."""

    root: ObjectId
    count: int
    nodes: dict[ObjectId, bytes]


_Subtree: TypeAlias = "tuple[ObjectId, int]"
_NOTHING: _Subtree = (EMPTY_ROOT, 0)


def build(keys: Sequence[Key], *, leaf_limit: int = LEAF_LIMIT) -> Index:
    """Return the index of keys, which must be sorted and unique."""
    maker = _Maker(_nothing_to_read, leaf_limit)
    return maker.index(maker.build(keys, 0, len(keys)))


def insert(
    read: NodeReader, root: ObjectId, keys: Sequence[Key], *, leaf_limit: int = LEAF_LIMIT
) -> Index:
    """Return the index of root's keys and these, which must be sorted and unique."""
    maker = _Maker(read, leaf_limit)
    maker.load_for(root, keys)
    return maker.index(maker.insert((root, -1), keys, 0, len(keys)))


def merge(
    read: NodeReader, first: ObjectId, second: ObjectId, *, leaf_limit: int = LEAF_LIMIT
) -> Index:
    """Return the index of the union of two indexes; equal subtrees are not visited."""
    maker = _Maker(read, leaf_limit)
    return maker.index(maker.merge((first, -1), (second, -1)))


def exclude(
    read: NodeReader, root: ObjectId, paths: Sequence[Path], *, leaf_limit: int = LEAF_LIMIT
) -> Index:
    """Return the index of root's keys that lie below none of paths."""
    maker = _Maker(read, leaf_limit)
    ordered = sorted({(pack_prefix(prefix, depth), depth) for depth, prefix in paths})
    return maker.index(maker.exclude((root, -1), [(depth, prefix) for prefix, depth in ordered]))


def slice_from(
    read: NodeReader, root: ObjectId, start: Key, *, leaf_limit: int = LEAF_LIMIT
) -> Index:
    """Return the index of root's keys from start on."""
    if start == FIRST_KEY:
        return Index(root, read_nodes(read, [root])[root].count, {})
    maker = _Maker(read, leaf_limit)
    return maker.index(maker.cut((root, -1), start, keep_low=False))


def splice(
    read: NodeReader,
    low: ObjectId,
    high: ObjectId,
    at: Key,
    *,
    leaf_limit: int = LEAF_LIMIT,
) -> Index:
    """Return the index of low's keys before `at` and high's keys from `at` on.

    The checkpoint of a transfer that runs in key order is such an index, so that a sender knows
    every checkpoint for a few nodes, without inserting what it sends.
    """
    maker = _Maker(read, leaf_limit)
    left = maker.cut((low, -1), at, keep_low=True)
    right = maker.cut((high, -1), at, keep_low=False)
    return maker.index(maker.merge(left, right))


def _nothing_to_read(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
    raise AssertionError(ids)


class _Maker:
    """One operation: what it has read, and what it has made."""

    def __init__(self, read: NodeReader, leaf_limit: int) -> None:
        self._read = read
        self._limit = leaf_limit
        self._known: dict[ObjectId, Node] = {}
        self._made: dict[ObjectId, bytes] = {}
        self._frontier = Frontier(read)

    def index(self, subtree: _Subtree) -> Index:
        """Return the finished index with those made nodes that it really reaches."""
        root, count = subtree
        nodes: dict[ObjectId, bytes] = {}
        stack = [root]
        while stack:
            oid = stack.pop()
            data = self._made.get(oid)
            if data is None or oid in nodes or oid == EMPTY_ROOT:
                continue
            nodes[oid] = data
            node = self._known.get(oid)
            if isinstance(node, Inner):
                stack.extend([child[1] for child in node.children])
        return Index(root, self._node(root).count if count < 0 else count, nodes)

    def load_for(self, root: ObjectId, keys: Sequence[Key]) -> None:
        """Read the nodes that inserting keys will visit, one call a level."""
        frontier = [(root, 0, len(keys))]
        while frontier:
            found = read_nodes(self._read, [oid for oid, _, _ in frontier])
            self._known.update(found)
            following = []
            for oid, low, high in frontier:
                node = found[oid]
                if isinstance(node, Inner):
                    children = {child[0]: child[1] for child in node.children}
                    inside = _range_below(keys, low, high, node)
                    for position, first, last in split(keys, *inside, node.depth):
                        if position in children:
                            following.append((children[position], first, last))
            frontier = following

    def build(self, keys: Sequence[Key], low: int, high: int) -> _Subtree:
        count = high - low
        if count <= self._limit:
            return self._leaf(keys[low:high])
        depth = common_nibbles(keys[low], keys[high - 1])
        children = [
            (position, *self.build(keys, first, last))
            for position, first, last in split(keys, low, high, depth)
        ]
        return self._inner(depth, keys[low], children)

    def insert(self, subtree: _Subtree, keys: Sequence[Key], low: int, high: int) -> _Subtree:
        if low == high:
            return subtree
        node = self._node(subtree[0])
        if isinstance(node, Leaf):
            present = set(node.keys)
            union = sorted(present.union(keys[low:high]))
            if len(union) == len(present):
                return (subtree[0], len(present))
            return self.build(union, 0, len(union))
        first, last = _range_below(keys, low, high, node)
        here: _Subtree = (subtree[0], node.count)
        if first != last:
            children = {child[0]: (child[1], child[2]) for child in node.children}
            for position, start, end in split(keys, first, last, node.depth):
                old = children.get(position)
                children[position] = (
                    self.build(keys, start, end)
                    if old is None
                    else self.insert(old, keys, start, end)
                )
            here = self._inner(
                node.depth, node.prefix, [(key, *children[key]) for key in sorted(children)]
            )
        if first == low and last == high:
            return here
        return self._beside(here, node, keys[low:first], keys[last:high])

    def _beside(
        self, here: _Subtree, node: Inner, before: Sequence[Key], after: Sequence[Key]
    ) -> _Subtree:
        """Put keys that lie outside an inner node's prefix beside it, under a new inner node."""
        prefix = _as_key(node.prefix)
        depth = node.depth
        if before:
            depth = min(depth, common_nibbles(before[0], prefix))
        if after:
            depth = min(depth, common_nibbles(after[-1], prefix))
        own = nibble(prefix, depth)
        children: dict[int, _Subtree] = {}
        inside: list[Key] = []
        for keys in (before, after):
            for position, start, end in split(keys, 0, len(keys), depth):
                if position == own:
                    inside += keys[start:end]
                else:
                    children[position] = self.build(keys, start, end)
        children[own] = self.insert(here, inside, 0, len(inside))
        return self._inner(depth, node.prefix, [(key, *children[key]) for key in sorted(children)])

    def merge(self, first: _Subtree, second: _Subtree) -> _Subtree:
        if first[0] == second[0] or second[0] == EMPTY_ROOT:
            return first
        if first[0] == EMPTY_ROOT:
            return second
        one, two = self._node(first[0]), self._node(second[0])
        if isinstance(two, Leaf):
            self._load_below(first[0], two.keys)
            return self.insert((first[0], one.count), two.keys, 0, len(two.keys))
        if isinstance(one, Leaf):
            self._load_below(second[0], one.keys)
            return self.insert((second[0], two.count), one.keys, 0, len(one.keys))
        depth = min(one.depth, two.depth, common_nibbles(_as_key(one.prefix), _as_key(two.prefix)))
        children: dict[int, _Subtree] = {}
        for oid, node in ((first[0], one), (second[0], two)):
            parts = (
                node.children
                if node.depth == depth
                else ((nibble(_as_key(node.prefix), depth), oid, node.count),)
            )
            for position, child, count in parts:
                old = children.get(position)
                children[position] = (
                    (child, count) if old is None else self.merge(old, (child, count))
                )
        return self._inner(depth, one.prefix, [(key, *children[key]) for key in sorted(children)])

    def exclude(self, subtree: _Subtree, paths: Sequence[Path]) -> _Subtree:
        """Remove what lies below paths, which must be sorted by their nibbles."""
        if not paths:
            return subtree
        node = self._node(subtree[0])
        if isinstance(node, Leaf):
            kept = [key for key in node.keys if not _is_below(key, paths)]
            return self._leaf(kept) if len(kept) != len(node.keys) else (subtree[0], len(kept))
        prefix = _as_key(node.prefix)
        if any(depth <= node.depth and shares_prefix(prefix, path, depth) for depth, path in paths):
            return _NOTHING
        below: dict[int, list[Path]] = {}
        for depth, path in paths:
            if depth > node.depth and shares_prefix(path, node.prefix, node.depth):
                below.setdefault(nibble(path, node.depth), []).append((depth, path))
        if not below:
            return (subtree[0], node.count)
        return self._join(
            node,
            [
                (position, *self.exclude((oid, count), below.get(position, ())))
                for position, oid, count in node.children
            ],
        )

    def cut(self, subtree: _Subtree, at: Key, *, keep_low: bool) -> _Subtree:
        """Keep the keys before `at`, or those from it on."""
        node = self._node(subtree[0])
        if isinstance(node, Leaf):
            kept = [key for key in node.keys if (key < at) == keep_low]
            return self._leaf(kept) if len(kept) != len(node.keys) else (subtree[0], len(kept))
        bound = pack_prefix(at, node.depth)
        if node.prefix != bound:
            return (subtree[0], node.count) if (node.prefix < bound) == keep_low else _NOTHING
        boundary = nibble(at, node.depth)
        children: list[Child] = []
        for position, oid, count in node.children:
            if position == boundary:
                children.append((position, *self.cut((oid, count), at, keep_low=keep_low)))
            elif (position < boundary) == keep_low:
                children.append((position, oid, count))
        return self._join(node, children)

    def _join(self, node: Inner, children: Sequence[Child]) -> _Subtree:
        """Return the canonical subtree of what is left of an inner node's children."""
        kept = [child for child in children if child[2]]
        total = sum(child[2] for child in kept)
        if total <= self._limit:
            keys: list[Key] = []
            for _, oid, _ in kept:
                self._collect(oid, keys)
            return self._leaf(keys)
        if len(kept) == 1:
            return (kept[0][1], kept[0][2])
        return self._inner(node.depth, node.prefix, kept)

    def _collect(self, oid: ObjectId, keys: list[Key]) -> None:
        node = self._node(oid)
        if isinstance(node, Leaf):
            keys.extend(node.keys)
        else:
            for _, child, _ in node.children:
                self._collect(child, keys)

    def _load_below(self, root: ObjectId, keys: Sequence[Key]) -> None:
        """Read what inserting keys below root will visit, unless this operation made it."""
        if root not in self._made:
            self.load_for(root, keys)

    def _node(self, oid: ObjectId) -> Node:
        node = self._known.get(oid)
        if node is None:
            made = self._made.get(oid)
            node = self._frontier.take(oid) if made is None else load_node(made)
            self._known[oid] = node
        return node

    def _leaf(self, keys: Sequence[Key]) -> _Subtree:
        if not keys:
            return _NOTHING
        data = encode_leaf(keys)
        oid = object_id(data)
        self._made[oid] = data
        return (oid, len(keys))

    def _inner(self, depth: int, key: bytes, children: Sequence[Child]) -> _Subtree:
        data = encode_inner(depth, pack_prefix(key, depth), children)
        oid = object_id(data)
        if oid not in self._known:
            self._made[oid] = data
            self._known[oid] = Inner(depth, pack_prefix(key, depth), tuple(children))
        return (oid, sum(child[2] for child in children))


def _as_key(prefix: bytes) -> bytes:
    return prefix.ljust(KEY_NIBBLES // 2, b"\0")


def _range_below(keys: Sequence[Key], low: int, high: int, node: Inner) -> tuple[int, int]:
    """Return which of the sorted keys[low:high] share an inner node's prefix."""
    if low == high:
        return low, low
    if shares_prefix(keys[low], node.prefix, node.depth) and shares_prefix(
        keys[high - 1], node.prefix, node.depth
    ):
        return low, high
    start = bisect_left(keys, first_below(node.prefix, node.depth), low, high)
    return start, bisect_right(keys, last_below(node.prefix, node.depth), start, high)


def _is_below(key: Key, paths: Sequence[Path]) -> bool:
    return any(shares_prefix(key, prefix, depth) for depth, prefix in paths)

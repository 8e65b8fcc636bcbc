"""Reading indexes in key order, with bounded memory: `count`, `iterate`, `difference`."""

from __future__ import annotations

from itertools import chain

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import (
    EMPTY_ROOT,
    Inner,
    Leaf,
    common_nibbles,
    first_below,
    last_below,
    nibble,
    shares_prefix,
    split,
)
from msglog.index.reading import FRONTIER_LIMIT, Frontier, read_node
from msglog.key import FIRST_KEY, KEY_BYTES, LAST_KEY, Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from msglog.index.node import (
        Child,
        NodeReader,
    )
    from msglog.objectid import ObjectId

_Keys: TypeAlias = "tuple[Key, ...]"
_Side: TypeAlias = "ObjectId | _Keys"
"""One side of a comparison: a subtree by its id, or keys that were listed already."""


def count(read: NodeReader, root: ObjectId) -> int:
    """Return how many keys an index has."""
    return read_node(read, root).count


def iterate(
    read: NodeReader,
    root: ObjectId,
    *,
    first: Key = FIRST_KEY,
    last: Key = LAST_KEY,
    reverse: bool = False,
) -> Iterator[Key]:
    """Yield the keys of an index from first to last, both included, in order or in reverse."""
    return iterate_below(read, [root], first=first, last=last, reverse=reverse)


def iterate_below(
    read: NodeReader,
    subtrees: Sequence[ObjectId],
    *,
    first: Key = FIRST_KEY,
    last: Key = LAST_KEY,
    reverse: bool = False,
) -> Iterator[Key]:
    """Yield the keys of subtrees as `iterate` does, one subtree after the other as they come."""
    return chain.from_iterable(_leaves(read, subtrees, first, last, reverse=reverse))


def _leaves(
    read: NodeReader, subtrees: Sequence[ObjectId], first: Key, last: Key, *, reverse: bool
) -> Iterator[Iterable[Key]]:
    """Yield the keys of one leaf after the other."""
    whole = first == FIRST_KEY and last == LAST_KEY
    frontier = Frontier(read)
    stack = [oid for oid in reversed(subtrees) if oid != EMPTY_ROOT]
    while stack:
        oid = stack.pop()
        node = frontier.take(oid, reversed(stack[-FRONTIER_LIMIT:]))
        if isinstance(node, Leaf):
            keys = node.keys
            if keys[0] < first or keys[-1] > last:
                keys = tuple([key for key in keys if first <= key <= last])
            yield reversed(keys) if reverse else keys
            continue
        children = node.children if whole else _within(node, first, last)
        stack += [child[1] for child in (children if reverse else reversed(children))]


def divide(
    read: NodeReader,
    root: ObjectId,
    *,
    size: int,
    first: Key = FIRST_KEY,
    last: Key = LAST_KEY,
    reverse: bool = False,
) -> Iterator[list[ObjectId]]:
    """Yield the subtrees of an index as lists of them that have some size keys together, or less.

    One after the other `iterate_below` gives the keys that `iterate` gives for the same bounds.
    Only nodes of more than size keys are read.
    """
    frontier = Frontier(read)
    stack = [(root, size + 1)]
    together: list[ObjectId] = []
    number = 0
    while stack:
        oid, count = stack.pop()
        if count > size:
            ahead = [other for other, more in stack[-FRONTIER_LIMIT:] if more > size]
            node = frontier.take(oid, reversed(ahead))
            if isinstance(node, Inner):
                children = _within(node, first, last)
                ordered = children if reverse else reversed(children)
                stack += [(child[1], child[2]) for child in ordered]
                continue
            count = node.count
        if together and number + count > size:
            yield together
            together, number = [], 0
        together.append(oid)
        number += count
    if together:
        yield together


def _within(node: Inner, first: Key, last: Key) -> Sequence[Child]:
    """Return the children of an inner node that may have keys from first to last."""
    if last_below(node.prefix, node.depth) < first or first_below(node.prefix, node.depth) > last:
        return ()
    base = node.prefix.ljust(KEY_BYTES, b"\0")
    children = []
    for child in node.children:
        start = _with_nibble(base, node.depth, child[0])
        if last_below(start, node.depth + 1) >= first and start <= last:
            children.append(child)
    return children


def difference(
    read: NodeReader, base: ObjectId, target: ObjectId, *, reverse: bool = False
) -> Iterator[Key]:
    """Yield the keys in target that are not in base, in order or in reverse.

    Equal subtrees are not visited.
    """
    if target in (base, EMPTY_ROOT):
        return
    if base == EMPTY_ROOT:
        yield from iterate(read, target, reverse=reverse)
        return
    onto_stack = iter if reverse else reversed
    frontier = Frontier(read)
    stack: list[tuple[_Side, _Side]] = [(base, target)]
    while stack:
        have, want = stack.pop()
        if want in (have, ()):
            continue
        if isinstance(want, bytes):
            node = frontier.take(want, _ids_ahead(stack))
            if isinstance(node, Leaf):
                stack.append((have, node.keys))
                continue
            stack.extend(onto_stack(_against_inner(frontier, stack, have, node)))
            continue
        if isinstance(have, bytes):
            other = frontier.take(have, _ids_ahead(stack))
            if isinstance(other, Inner):
                stack.extend(onto_stack(_keys_against_inner(other, want)))
                continue
            have = other.keys
        present = frozenset(have)
        missing = [key for key in want if key not in present]
        yield from reversed(missing) if reverse else missing


def _ids_ahead(stack: list[tuple[_Side, _Side]]) -> Iterator[ObjectId]:
    for have, want in reversed(stack[-FRONTIER_LIMIT:]):
        if have != want:
            if isinstance(want, bytes):
                yield want
            if isinstance(have, bytes):
                yield have


def _against_inner(
    frontier: Frontier, stack: list[tuple[_Side, _Side]], have: _Side, want: Inner
) -> list[tuple[_Side, _Side]]:
    """Pair the children of an inner node of the target with what the base has below them."""
    wanted = want.prefix.ljust(KEY_BYTES, b"\0")
    if isinstance(have, bytes):
        node = frontier.take(have, _ids_ahead(stack))
        if isinstance(node, Leaf):
            have = node.keys
        else:
            held = node.prefix.ljust(KEY_BYTES, b"\0")
            shared = min(node.depth, want.depth, common_nibbles(held, wanted))
            if shared == node.depth == want.depth:
                children = {child[0]: child[1] for child in node.children}
                return [(children.get(position, ()), oid) for position, oid, _ in want.children]
            if shared == want.depth:
                below = nibble(held, shared)
                return [
                    (have if position == below else (), oid) for position, oid, _ in want.children
                ]
            if shared == node.depth:
                below = nibble(wanted, shared)
                there = [oid for position, oid, _ in node.children if position == below]
                have = there[0] if there else ()
                return _against_inner(frontier, stack, have, want)
            return [((), oid) for _, oid, _ in want.children]
    groups: dict[int, _Keys] = {}
    inside = [key for key in have if shares_prefix(key, want.prefix, want.depth)]
    for position, low, high in split(inside, 0, len(inside), want.depth):
        groups[position] = tuple(inside[low:high])
    return [(groups.get(position, ()), oid) for position, oid, _ in want.children]


def _keys_against_inner(have: Inner, want: _Keys) -> list[tuple[_Side, _Side]]:
    """Pair keys of the target with the children of the base's inner node that could hold them."""
    children = {child[0]: child[1] for child in have.children}
    pairs: list[tuple[_Side, _Side]] = []
    outside: list[Key] = []
    inside: list[Key] = []
    for key in want:
        (inside if shares_prefix(key, have.prefix, have.depth) else outside).append(key)
    for position, low, high in split(inside, 0, len(inside), have.depth):
        pairs.append((children.get(position, ()), tuple(inside[low:high])))
    before = tuple([key for key in outside if key < have.prefix])
    after = tuple([key for key in outside if key >= have.prefix])
    return [((), before), *pairs, ((), after)]


def _with_nibble(base: bytes, position: int, value: int) -> Key:
    """Return base, whose nibbles from position on are zero, with one nibble set."""
    byte = position >> 1
    shifted = value if position & 1 else value << 4
    return Key(base[:byte] + bytes((base[byte] | shifted,)) + base[byte + 1 :])

"""Index nodes: leaves of up to 64 keys and 16-way inner nodes, to the byte.

A leaf is `[0, n, prefix, suffixes]`, an inner node `[1, n, prefix, children]`: n is the number of
nibbles that all keys below share, prefix those nibbles packed high first. See docs/format.md.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from struct import iter_unpack

from msglog.annotation import TYPE_CHECKING, cast
from msglog.dataclass import dataclass
from msglog.encoding import EncodingError, decode, head
from msglog.errors import IntegrityError
from msglog.key import KEY_BYTES, KEY_NIBBLES, Key
from msglog.objectid import DIGEST_BYTES, ObjectId, object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias


LEAF_LIMIT = 64
"""A set of keys is a leaf if and only if it has at most this many."""

NODE_BYTES_LIMIT = 4096

Child: TypeAlias = "tuple[int, ObjectId, int]"
"""Nibble, id, and number of keys of a subtree; the id and the number alone decide equality."""

NodeReader: TypeAlias = "Callable[[Sequence[ObjectId]], Mapping[ObjectId, bytes]]"
"""Returns the bytes of all the nodes asked for, already checked against their ids, or raises."""

_LEAF, _INNER = 0, 1
_BYTES, _ARRAY, _ONE_BYTE = 0x40, 0x80, 24
_LEAF_HEAD, _INNER_HEAD = b"\x84\x00", b"\x84\x01"
_CHILD_HEADS = [bytes((0x83, position, 0x58, DIGEST_BYTES)) for position in range(16)]
_BITS = 8 * KEY_BYTES


EMPTY_NODE = b"\x84\x00\x00\x40\x40"
"""`[0, 0, h'', h'']`: the leaf of no keys, which is only a root."""


class NodeError(IntegrityError):
    """Bytes are not a canonical index node."""

    def __init__(self, why: str) -> None:
        super().__init__("not an index node", why=why)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node that lists its keys, sorted; no keys only for the root of an empty log."""

    keys: tuple[Key, ...]

    @property
    def count(self) -> int:
        """How many keys there are."""
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Inner:
    """A node that splits its keys on their nibble number `depth`; prefix is absolute."""

    depth: int
    prefix: bytes
    children: tuple[Child, ...]

    @property
    def count(self) -> int:
        """How many keys there are below."""
        return sum(child[2] for child in self.children)


Node: TypeAlias = "Leaf | Inner"


def nibble(key: bytes, position: int) -> int:
    """Return nibble number position of key, counting from the high half of byte 0."""
    byte = key[position >> 1]
    return byte & 15 if position & 1 else byte >> 4


def common_nibbles(first: bytes, second: bytes) -> int:
    """Return how many leading nibbles two keys share, 0 to 80."""
    difference = int.from_bytes(first, "big") ^ int.from_bytes(second, "big")
    return (_BITS - difference.bit_length()) >> 2


def pack_prefix(key: bytes, depth: int) -> bytes:
    """Return the first depth nibbles of key, packed, a zero nibble as padding."""
    if depth & 1:
        return key[: depth >> 1] + bytes((key[depth >> 1] & 0xF0,))
    return key[: depth >> 1]


def shares_prefix(key: bytes, prefix: bytes, depth: int) -> bool:
    """Tell whether the first depth nibbles of key are those packed in prefix."""
    return pack_prefix(key, depth) == prefix


def first_below(prefix: bytes, depth: int) -> Key:
    """Return the smallest key whose first depth nibbles are those of prefix."""
    return Key(pack_prefix(prefix, depth).ljust(KEY_BYTES, b"\0"))


def last_below(prefix: bytes, depth: int) -> Key:
    """Return the largest key whose first depth nibbles are those of prefix."""
    packed = bytearray(pack_prefix(prefix, depth))
    if depth & 1:
        packed[-1] |= 0x0F
    return Key(bytes(packed).ljust(KEY_BYTES, b"\xff"))


def split(keys: Sequence[Key], low: int, high: int, depth: int) -> list[tuple[int, int, int]]:
    """Group sorted keys[low:high], which share depth nibbles, by the next: (nibble, low, high)."""
    groups = []
    while low < high:
        key = keys[low]
        end = bisect_right(keys, last_below(key, depth + 1), low, high)
        groups.append((nibble(key, depth), low, end))
        low = end
    return groups


def encode_leaf(keys: Sequence[Key]) -> bytes:
    """Return the bytes of the leaf of these sorted, unique keys."""
    if not keys:
        return EMPTY_NODE
    depth = common_nibbles(keys[0], keys[-1])
    start = depth >> 1
    suffixes = b"".join([key[start:] for key in keys])
    prefix = pack_prefix(keys[0], depth)
    beginning = _LEAF_HEAD + head(0, depth) + head(_BYTES, len(prefix)) + prefix
    return beginning + head(_BYTES, len(suffixes)) + suffixes


def encode_inner(depth: int, prefix: bytes, children: Sequence[Child]) -> bytes:
    """Return the bytes of an inner node; the children must be in the order of their nibbles."""
    parts = [_INNER_HEAD, head(0, depth), head(_BYTES, len(prefix)), prefix]
    parts.append(head(_ARRAY, len(children)))
    for position, oid, count in children:
        parts += (_CHILD_HEADS[position], oid, head(0, count))
    return b"".join(parts)


def load_node(data: bytes) -> Node:
    """Return a node that was computed here and whose digest has been checked.

    Its form is taken for granted: see `decode_node` for bytes from anywhere else.
    """
    depth, position = data[2], 3
    if depth == _ONE_BYTE:
        depth, position = data[3], 4
    start = position + _head_bytes(data[position])
    position = start + ((depth + 1) >> 1)
    prefix = data[start:position]
    if data[1] == _LEAF:
        return Leaf(_leaf_keys(depth, prefix, data[position + _head_bytes(data[position]) :]))
    children: list[Child] = []
    size = len(data)
    position += 1
    while position < size:
        number, start = data[position + 1], position + 4
        position = start + DIGEST_BYTES
        oid = ObjectId(data[start:position])
        count = data[position]
        position += 1
        if count >= _ONE_BYTE:
            end = position + (1 << (count - _ONE_BYTE))
            count, position = int.from_bytes(data[position:end], "big"), end
        children.append((number, oid, count))
    return Inner(depth, prefix, tuple(children))


def _head_bytes(initial: int) -> int:
    """Return how many bytes the head of a byte string has that begins with initial."""
    argument = initial & 31
    return 1 if argument < _ONE_BYTE else 1 + (1 << (argument - _ONE_BYTE))


def _leaf_keys(depth: int, prefix: bytes, suffixes: bytes) -> tuple[Key, ...]:
    start = depth >> 1
    width = KEY_BYTES - start
    first = prefix[:start]
    if not width:
        return (Key(first),)
    # One cast of all: Key() is a call, and a walk makes hundreds of thousands of them.
    keys = [first + suffix for (suffix,) in iter_unpack(f"{width}s", suffixes)]
    return cast("tuple[Key, ...]", tuple(keys))


def decode_node(data: bytes, *, leaf_limit: int = LEAF_LIMIT) -> Node:
    """Return the node that data are, if they are canonical; raises NodeError otherwise.

    Whether the counts of an inner node are true can only be told from the nodes below it.
    """
    if len(data) > NODE_BYTES_LIMIT:
        raise NodeError(f"it is over {NODE_BYTES_LIMIT} bytes")
    try:
        value = decode(data)
    except EncodingError as error:
        raise NodeError(error.why) from error
    match value:
        case [kind, int(depth), bytes(prefix), rest] if (
            type(kind) is int and type(depth) is int and 0 <= depth <= KEY_NIBBLES
        ):
            pass
        case _:
            raise NodeError("it is not [kind, depth, prefix, content]")
    if len(prefix) != (depth + 1) >> 1 or pack_prefix(prefix, depth) != prefix:
        raise NodeError("its prefix does not fit its depth")
    node: Node
    if kind == _LEAF and isinstance(rest, bytes):
        node = _decode_leaf(depth, prefix, rest, leaf_limit)
        again = encode_leaf(node.keys)
    elif kind == _INNER and isinstance(rest, list):
        node = _decode_inner(depth, prefix, rest, leaf_limit)
        again = encode_inner(depth, prefix, node.children)
    else:
        raise NodeError("it is neither a leaf nor an inner node")
    if again != data:
        raise NodeError("it is not in canonical form")
    return node


def _decode_leaf(depth: int, prefix: bytes, suffixes: bytes, leaf_limit: int) -> Leaf:
    width = KEY_BYTES - (depth >> 1)
    if width and len(suffixes) % width:
        raise NodeError("its suffixes are not of one length")
    if not suffixes and width:
        return Leaf(())  # canonical only as [0, 0, h'', h''], which re-encoding tells
    keys = _leaf_keys(depth, prefix, suffixes)
    if len(keys) > leaf_limit:
        raise NodeError(f"it is a leaf of more than {leaf_limit} keys")
    if any(first >= second for first, second in pairwise(keys)):
        raise NodeError("its keys are not in ascending order")
    return Leaf(keys)


def _decode_inner(depth: int, prefix: bytes, rest: Sequence[object], leaf_limit: int) -> Inner:
    if depth >= KEY_NIBBLES or not 2 <= len(rest) <= 16:
        raise NodeError("it is not an inner node of 2 to 16 children")
    children: list[Child] = []
    for entry in rest:
        match entry:
            case [int(position), bytes(oid), int(count)] if (
                type(position) is int
                and type(count) is int
                and 0 <= position <= 15
                and len(oid) == DIGEST_BYTES
                and count >= 1
            ):
                children.append((position, ObjectId(oid), count))
            case _:
                raise NodeError("a child is not [nibble, id, count]")
    if any(first[0] >= second[0] for first, second in pairwise(children)):
        raise NodeError("its children are not in ascending order")
    node = Inner(depth, prefix, tuple(children))
    if node.count <= leaf_limit:
        raise NodeError("it is an inner node of so few keys that they make a leaf")
    return node


EMPTY_ROOT = object_id(EMPTY_NODE)
"""The root of the empty log, which every side always holds."""

"""Index nodes as they travel: digests of children, or beginnings of keys, cut to a width."""

from __future__ import annotations

from itertools import pairwise

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.encoding import EncodingError, decode, encode
from msglog.errors import IntegrityError
from msglog.index.node import (
    LEAF_LIMIT,
    common_nibbles,
    last_below,
    pack_prefix,
    shares_prefix,
)
from msglog.key import KEY_BYTES, KEY_NIBBLES, TIME_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.encoding import Value
    from msglog.index.change import Path
    from msglog.index.node import (
        Child,
        Inner,
        Leaf,
    )
    from msglog.key import Key

KNOWN_BYTES = 4
"""How much of each of its own children's digests a client sends along with a path."""

_LEAF, _INNER = 0, 1
_WIDTHS = (16, 32)


class DescentError(IntegrityError):
    """The peer's nodes contradict each other or the path that was asked for."""

    def __init__(self, why: str) -> None:
        super().__init__("the peer sent a false index node", why=why)


@dataclass(frozen=True, slots=True)
class Abbreviated:
    """A node as it was sent.

    present: a bit for each nibble that the node has a child for. children: those of them that are
    described, (nibble, beginning of the digest, count). keys: of a leaf, their first key_bytes.
    """

    depth: int
    prefix: bytes
    present: int = 0
    children: tuple[tuple[int, bytes, int], ...] = ()
    keys: tuple[bytes, ...] = ()
    key_bytes: int = 0

    def is_below(self, path: Path) -> bool:
        """Tell whether all that the node has lies below a path."""
        return self.depth >= path[0] and shares_prefix(self.prefix, path[1], path[0])

    def begins_before(self, first: Key) -> bool:
        """Tell whether the node surely has a key smaller than first: its own smallest is cut."""
        if self.keys:
            return self.keys[0] < first[: self.key_bytes]
        lowest = (self.present & -self.present).bit_length() - 1
        depth, prefix = child_path(self.depth, self.prefix, lowest)
        return last_below(prefix, depth) < first


def abbreviate_leaf(leaf: Leaf, width: int, path_depth: int) -> bytes:
    """Return a leaf with its keys cut after width bytes of the id, if that tells them apart.

    path_depth: of the path that was asked for, which the answer must not fall short of.
    """
    size = TIME_BYTES + width
    depth = common_nibbles(leaf.keys[0], leaf.keys[-1])
    if path_depth > 2 * size or any(
        first[:size] == second[:size] for first, second in pairwise(leaf.keys)
    ):
        size = KEY_BYTES
    depth = min(depth, 2 * size)
    start = depth >> 1
    suffixes = b"".join([key[start:size] for key in leaf.keys])
    return encode([_LEAF, depth, pack_prefix(leaf.keys[0], depth), size, suffixes])


def abbreviate_inner(node: Inner, children: Sequence[Child], width: int) -> bytes:
    """Return an inner node that describes these of its children and names the others."""
    present = sum(1 << position for position, _, _ in node.children)
    cut: list[Value] = [[position, oid[:width], count] for position, oid, count in children]
    return encode([_INNER, node.depth, node.prefix, present, cut])


def child_path(depth: int, prefix: bytes, position: int) -> Path:
    """Return the path of one child of the inner node at depth and prefix."""
    packed = bytearray(prefix.ljust((depth + 2) >> 1, b"\0"))
    packed[depth >> 1] |= position if depth & 1 else position << 4
    return depth + 1, bytes(packed)


def decode_abbreviated(data: bytes) -> Abbreviated:
    """Return a node that a peer sent; raises DescentError if it cannot be one."""
    try:
        value = decode(data)
    except EncodingError as error:
        raise DescentError(error.why) from error
    if not _is_free_of_truth(value):
        raise DescentError("it has true or false in it")
    match value:
        case [0, int(depth), bytes(prefix), int(size), bytes(suffixes)]:
            _check_prefix(depth, prefix, KEY_NIBBLES)
            return _decode_leaf(depth, prefix, size, suffixes)
        case [1, int(depth), bytes(prefix), int(present), [*entries]]:
            _check_prefix(depth, prefix, KEY_NIBBLES - 1)
            return _decode_inner(depth, prefix, present, entries)
        case _:
            raise DescentError("it is neither a leaf nor an inner node")


def _is_free_of_truth(value: Value) -> bool:
    """Tell whether a value has no booleans, which Python takes for 0 and 1."""
    if isinstance(value, list):
        return all(map(_is_free_of_truth, value))
    return not isinstance(value, bool)


def _check_prefix(depth: int, prefix: bytes, limit: int) -> None:
    if (
        not 0 <= depth <= limit
        or len(prefix) != (depth + 1) >> 1
        or pack_prefix(prefix, depth) != prefix
    ):
        raise DescentError("its prefix does not fit its depth")


def _decode_leaf(depth: int, prefix: bytes, size: int, suffixes: bytes) -> Abbreviated:
    if size not in [TIME_BYTES + width for width in _WIDTHS] or depth > 2 * size:
        raise DescentError("its keys are cut at a wrong place")
    start = depth >> 1
    width = size - start
    if width:
        if not suffixes or len(suffixes) % width or len(suffixes) // width > LEAF_LIMIT:
            raise DescentError("its keys are not of one length")
        keys = tuple(
            [prefix[:start] + suffixes[at : at + width] for at in range(0, len(suffixes), width)]
        )
    elif suffixes:
        raise DescentError("it has a key too many")
    else:
        keys = (prefix,)
    if any(not shares_prefix(key, prefix, depth) for key in keys):
        raise DescentError("a key is not below its prefix")
    if any(first >= second for first, second in pairwise(keys)):
        raise DescentError("its keys are not in ascending order")
    return Abbreviated(depth, prefix, keys=keys, key_bytes=size)


def _decode_inner(depth: int, prefix: bytes, present: int, entries: Sequence[Value]) -> Abbreviated:
    if not 0 < present < 1 << 16:
        raise DescentError("it has no children")
    children: list[tuple[int, bytes, int]] = []
    for entry in entries:
        match entry:
            case [int(position), bytes(digest), int(count)] if (
                0 <= position <= 15
                and len(digest) in _WIDTHS
                and count >= 1
                and present >> position & 1
                and (not children or children[-1][0] < position)
            ):
                children.append((position, digest, count))
            case _:
                raise DescentError("a child is not [nibble, digest, count]")
    return Abbreviated(depth, prefix, present=present, children=tuple(children))

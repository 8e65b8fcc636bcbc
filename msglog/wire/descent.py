"""Finding out what two logs without a common root do not share, by descending the peer's index.

The peer's nodes are hints for navigation: nothing of them is stored, and what they claim is proved
or refuted by the roots of the transfer that follows.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.change import build
from msglog.index.node import (
    EMPTY_ROOT,
    Inner,
    Leaf,
    nibble,
    pack_prefix,
    shares_prefix,
)
from msglog.index.reading import read_node
from msglog.index.walk import iterate
from msglog.key import FIRST_KEY, KEY_BYTES, KEY_NIBBLES
from msglog.wire.abbreviated import (
    KNOWN_BYTES,
    DescentError,
    abbreviate_inner,
    abbreviate_leaf,
    child_path,
    decode_abbreviated,
)
from msglog.wire.events import PATH_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from msglog.index.change import Path
    from msglog.index.node import (
        Node,
        NodeReader,
    )
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.wire.abbreviated import (
        Abbreviated,
    )

SHORT_WIDTH = 16
FULL_WIDTH = 32

_ABSENT = bytes(KNOWN_BYTES)
_WANTS_LIMIT = 4 * PATH_LIMIT
_Side: TypeAlias = "ObjectId | tuple[Key, ...]"
"""What one has below a path: a subtree by its id, or keys."""


def describe(
    read: NodeReader, root: ObjectId, path: Path, known: bytes, width: int
) -> Iterator[bytes]:
    """Yield the node at a path and, where the client says what it knows, the children that differ.

    known: for each of the 16 children the first 4 bytes of the client's digest, or zeros; or b"".
    Children whose digests begin so are left out. Yields nothing if there is nothing below path.
    """
    side = below(read, root, path)
    if _is_nothing(side):
        return
    node: Node = read_node(read, side) if isinstance(side, bytes) else Leaf(side)
    if isinstance(node, Leaf):
        yield abbreviate_leaf(node, width, path[0])
        return
    claims = {
        position: known[KNOWN_BYTES * position :][:KNOWN_BYTES] for position, _, _ in node.children
    }
    differing = [
        child
        for child in node.children
        if not known
        or claims[child[0]] == _ABSENT  # which an id can be ground to begin with
        or not child[1].startswith(claims[child[0]])
    ]
    yield abbreviate_inner(node, differing, width)
    for position, oid, _ in differing:
        if known and claims[position] != _ABSENT:
            child = read_node(read, oid)
            if isinstance(child, Leaf):
                yield abbreviate_leaf(child, width, node.depth + 1)
            else:
                yield abbreviate_inner(child, child.children, width)


class Descent:
    """Compares a local index with a peer's, level by level.

    Ask for `requests()`, give the answers to `receive`, until there are no more requests. Then
    `wants` are the paths of the peer's index below which it has what we lack, `surplus` the paths
    of our own below which we have what it lacks. first: of the view that both are slices of.
    """

    def __init__(
        self, read: NodeReader, root: ObjectId, width: int, *, first: Key = FIRST_KEY
    ) -> None:
        self.wants: list[Path] = []
        self.surplus: list[Path] = []
        self.rounds = 0
        self._read = read
        self._width = width
        self._first = first
        self._pending: list[tuple[Path, _Side]] = [((0, b""), root)]
        self._asked: list[tuple[Path, _Side]] = []

    def requests(self) -> list[tuple[Path, bytes]]:
        """Return the paths to ask for next, and what to say that we know; empty at the end."""
        self._asked, self._pending = self._pending[:PATH_LIMIT], self._pending[PATH_LIMIT:]
        self.rounds += bool(self._asked)
        return [(path, self._known(side)) for path, side in self._asked]

    def receive(self, nodes: Iterable[bytes]) -> None:
        """Take the answers to the last requests, in their order, one at a time.

        Raises DescentError.
        """
        answers = map(decode_abbreviated, nodes)
        answer = next(answers, None)
        for path, side in self._asked:
            main: Abbreviated | None = None
            children: dict[int, Abbreviated] = {}
            while answer is not None and answer.is_below(path):
                if main is None:
                    main = answer
                elif answer.is_below((main.depth, main.prefix)) and answer.depth > main.depth:
                    children[nibble(answer.prefix, main.depth)] = answer
                else:
                    raise DescentError("it was not asked for")
                if self._first != FIRST_KEY and answer.begins_before(self._first):
                    raise DescentError("it has keys from before the view")
                answer = next(answers, None)
            if main is None:
                self.surplus.extend(_paths(self._read, side))
            else:
                self._compare(main, side, children)
            if len(self.wants) > _WANTS_LIMIT:
                self.wants = coarsen(self.wants, PATH_LIMIT)
        if answer is not None:
            raise DescentError("it was not asked for")

    def _known(self, side: _Side) -> bytes:
        """Return what to send along with a path; nothing on the careful second try."""
        if self._width == FULL_WIDTH or not isinstance(side, bytes):
            return b""
        node = read_node(self._read, side)
        if isinstance(node, Leaf):
            return b""
        digests = {position: oid[:KNOWN_BYTES] for position, oid, _ in node.children}
        return b"".join([digests.get(position, _ABSENT) for position in range(16)])

    def _compare(self, answer: Abbreviated, side: _Side, children: dict[int, Abbreviated]) -> None:
        path = (answer.depth, answer.prefix)
        self.surplus.extend(_remainder(self._read, side, path))
        side = below(self._read, side, path)
        if answer.keys:
            self._compare_keys(answer, side)
            return
        told = {position: digest for position, digest, _ in answer.children}
        for position in range(16):
            child = child_path(answer.depth, answer.prefix, position)
            own = below(self._read, side, child)
            digest = told.get(position)
            if not answer.present >> position & 1:
                self.surplus.extend(_paths(self._read, own))
            elif digest is None:
                if _is_nothing(own):
                    raise DescentError("it leaves out a child that we do not have")
            elif _is_nothing(own):
                self.wants.append(child)
            elif _digest(own).startswith(digest):
                continue
            elif position in children:
                self._compare(children[position], own, {})
            else:
                self._pending.append((child, own))

    def _compare_keys(self, answer: Abbreviated, side: _Side) -> None:
        own = side if isinstance(side, tuple) else iterate(self._read, side)
        theirs = set(answer.keys)
        for key in own:
            beginning = key[: answer.key_bytes]
            if beginning in theirs:
                theirs.discard(beginning)
            else:
                self.surplus.append((KEY_NIBBLES, key))
        self.wants.extend([(2 * answer.key_bytes, key) for key in sorted(theirs)])


def coarsen(paths: Sequence[Path], limit: int) -> list[Path]:
    """Return at most limit paths that cover these, in order, none below another."""
    covering = _cover(paths, KEY_NIBBLES)
    low, high = 0, KEY_NIBBLES  # paths cut to `low` nibbles are few enough, to `high` too many
    if len(covering) <= limit:
        return covering
    while high - low > 1:
        middle = (low + high) // 2
        if len(_cover(paths, middle)) <= limit:
            low = middle
        else:
            high = middle
    return _cover(paths, low)


def _cover(paths: Sequence[Path], longest: int) -> list[Path]:
    """Return these paths, cut to a length, without those that lie below another."""
    cut = {(pack_prefix(key, min(depth, longest)), min(depth, longest)) for depth, key in paths}
    covering: list[Path] = []
    for prefix, depth in sorted(cut):
        key = prefix.ljust(KEY_BYTES, b"\0")
        if covering and covering[-1][0] <= depth and shares_prefix(key, *covering[-1][::-1]):
            continue
        covering.append((depth, prefix))
    return covering


def below(read: NodeReader, side: _Side, path: Path) -> _Side:
    """Return that part of a side which lies below a path."""
    depth, prefix = path
    while isinstance(side, bytes):
        if side == EMPTY_ROOT:
            return ()
        node = read_node(read, side)
        if isinstance(node, Leaf):
            if all(shares_prefix(key, prefix, depth) for key in node.keys):
                return side
            side = node.keys
        elif node.depth >= depth:
            return side if shares_prefix(node.prefix, prefix, depth) else ()
        elif not shares_prefix(prefix, node.prefix, node.depth):
            return ()
        else:
            wanted = nibble(prefix, node.depth)
            side = next((oid for position, oid, _ in node.children if position == wanted), ())
    return tuple([key for key in side if shares_prefix(key, prefix, depth)])


def _remainder(read: NodeReader, side: _Side, path: Path) -> list[Path]:
    """Return the paths of that part of a side which does not lie below a path."""
    depth, prefix = path
    if isinstance(side, bytes):
        if side == EMPTY_ROOT:
            return []
        node = read_node(read, side)
        if isinstance(node, Inner):
            if node.depth >= depth and shares_prefix(node.prefix, prefix, depth):
                return []
            if node.depth >= depth or not shares_prefix(prefix, node.prefix, node.depth):
                return [(node.depth, node.prefix)]
            wanted = nibble(prefix, node.depth)
            paths: list[Path] = []
            for position, oid, _ in node.children:
                if position == wanted:
                    paths.extend(_remainder(read, oid, path))
                else:
                    paths.append(child_path(node.depth, node.prefix, position))
            return paths
        side = node.keys
    return [(KEY_NIBBLES, key) for key in side if not shares_prefix(key, prefix, depth)]


def _paths(read: NodeReader, side: _Side) -> list[Path]:
    """Return the paths of a whole side."""
    if isinstance(side, bytes):
        if side == EMPTY_ROOT:
            return []
        node = read_node(read, side)
        if isinstance(node, Inner):
            return [(node.depth, node.prefix)]
        side = node.keys
    return [(KEY_NIBBLES, key) for key in side]


def _is_nothing(side: _Side) -> bool:
    return side in ((), EMPTY_ROOT)


def _digest(side: _Side) -> ObjectId:
    return side if isinstance(side, bytes) else build(side).root

"""The newest messages of a log of a remote, without what comes before them."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.wire.abbreviated import DescentError, child_path, decode_abbreviated
from msglog.wire.descent import SHORT_WIDTH, coarsen
from msglog.wire.events import (
    PATH_LIMIT,
    End,
    Fetch,
    GetNodes,
    NodeData,
    Transfer,
)
from plumbing.news import ForgedNewsError, received

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.index.change import Path
    from msglog.key import Key
    from msglog.wire.abbreviated import Abbreviated
    from msglog.wire.events import Acknowledged, AdvertisedRef
    from plumbing.session import Session


def newest_messages(
    session: Session, ref: AdvertisedRef, number: int
) -> Iterator[tuple[dict[Key, bytes], Acknowledged]]:
    """Yield the newest messages of a log, oldest first, as it was told in this session.

    With each part, what would acknowledge it: the last one comes to the root of the log. The index
    is descended along its end, one question for each level.
    """
    wanted = min(number, ref.count)
    if not wanted or ref.root == EMPTY_ROOT:
        return
    paths = _newest_paths(session, ref, wanted)
    session.send(Fetch(ref.log, root=ref.root, wants=tuple(coarsen(paths, PATH_LIMIT))))
    head = session.expect(Transfer)
    if head.log != ref.log or head.root != ref.root:
        raise ForgedNewsError("the remote answers for another log")
    yield from received(session, wanted)


def _newest_paths(session: Session, ref: AdvertisedRef, wanted: int) -> list[Path]:
    """Return the paths below which the newest so many messages lie, and nothing else."""
    paths: list[Path] = []
    path: Path | None = (0, b"")
    while wanted and path is not None:
        node, path = _ask(session, ref, path), None
        if node.keys:
            keys = node.keys[-wanted:]
            wanted -= len(keys)
            paths += [(2 * node.key_bytes, key) for key in keys]
        for position, _, count in reversed(node.children):
            child = child_path(node.depth, node.prefix, position)
            if count > wanted:
                path = child if wanted else None
                break
            wanted -= count
            paths.append(child)
    if wanted:
        raise DescentError("it has fewer messages than was said")
    return paths


def _ask(session: Session, ref: AdvertisedRef, path: Path) -> Abbreviated:
    """Return the topmost node below a path, with all of its children."""
    session.send(GetNodes(ref.log, ref.root, SHORT_WIDTH, ((path, b""),)))
    answers: list[bytes] = []
    while isinstance(event := session.expect(NodeData, End), NodeData):
        answers.append(event.data)
    if len(answers) != 1:
        raise DescentError("one node was asked for")
    node = decode_abbreviated(answers[0])
    if not node.is_below(path):
        raise DescentError("it was not asked for")
    return node

"""Finding a base with a remote that knows none of the roots that we offered."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.index.change import exclude
from msglog.objectid import DIGEST_BYTES, ObjectId
from msglog.repository import overlay
from msglog.store.store import Ref
from msglog.wire.abbreviated import DescentError
from msglog.wire.descent import FULL_WIDTH, SHORT_WIDTH, Descent, coarsen
from msglog.wire.events import PATH_LIMIT, Base, End, Fetch, GetNodes, NodeData, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.index.change import Path
    from msglog.key import Key
    from plumbing.session import Session
    from plumbing.tracking import Tracking


_UNKNOWN_ROOT = ObjectId(bytes(DIGEST_BYTES))
"""A root that nobody holds: who offers it is told what there is, and sent nothing."""


@dataclass(frozen=True, slots=True)
class CommonGround:
    """What a descent has found.

    wants: paths of the remote's index below which it has what we lack, coarse enough to be sent.
    base: what both hold, without anything below wants. common: what both hold. made: nodes of
    these that are not stored. rounds: how many requests it took.
    """

    wants: tuple[Path, ...]
    base: ObjectId
    common: ObjectId
    common_count: int
    made: dict[ObjectId, bytes]
    rounds: int


def find_common_ground(
    session: Session,
    tracking: Tracking,
    held: ObjectId,
    made: dict[ObjectId, bytes],
    root: ObjectId,
    *,
    careful: bool = False,
) -> CommonGround:
    """Descend the remote's index of root and compare it with what we hold.

    careful: ask for whole digests, for when short ones have misled us.
    """
    read = overlay(tracking.repository.store.read_nodes, made)
    width = FULL_WIDTH if careful else SHORT_WIDTH
    walk = Descent(read, held, width, first=tracking.view)
    while requests := walk.requests():
        session.send(GetNodes(tracking.log, root, width, tuple(requests), tracking.view))
        walk.receive(_answers(session))
    common = exclude(read, held, walk.surplus)
    wants = coarsen(walk.wants, PATH_LIMIT)
    known = {**made, **common.nodes}
    base = exclude(overlay(tracking.repository.store.read_nodes, known), common.root, wants)
    known.update(base.nodes)
    return CommonGround(tuple(wants), base.root, common.root, common.count, known, walk.rounds)


def ask_for_view(session: Session, log: str, view: Key) -> Ref:
    """Return what the remote has of a view; its root can be referred to from then on."""
    session.send(Fetch(log, (_UNKNOWN_ROOT,), view))
    answer = session.expect(Transfer, Base)
    if answer.log != log or answer.root is None or answer.count is None:
        raise DescentError("it does not say its root")
    if isinstance(answer, Transfer):
        session.expect(End)  # there is nothing
    return Ref(answer.root, answer.count)


def _answers(session: Session) -> Iterator[bytes]:
    while isinstance(event := session.expect(NodeData, End), NodeData):
        yield event.data

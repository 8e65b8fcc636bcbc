"""Fetching: taking what a remote's log has and ours lacks into our store."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.errors import IntegrityError
from msglog.index.change import insert
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import count, difference
from msglog.key import FIRST_KEY
from msglog.refname import log_ref
from msglog.repository import Insertion, overlay
from msglog.store.store import Agreement, Receipt, Ref
from msglog.wire import batch
from msglog.wire.events import Acknowledged, Base, Batch, End, Fetch, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.index.node import NodeReader
    from msglog.objectid import ObjectId
    from plumbing.session import Session
    from plumbing.tracking import Tracking


SENT_AGAIN_LIMIT = 1024
"""How many messages that we have may travel once more rather than that a descent is made."""


class ForgedTransferError(IntegrityError):
    """What the remote sent does not come to what it said."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of fetching one log.

    messages: how many came. root, count: the remote's log, of which we now hold everything.
    lost: how many messages the remote once had and has no more. local: our own log afterwards.
    fetched_before: how many of the remote's messages a pull put into it that had come earlier.
    """

    log: str
    messages: int
    root: ObjectId
    count: int
    lost: int
    local: Ref
    fetched_before: int = 0


@dataclass(slots=True)
class _Intake:
    """A transfer that is being received: the chain of checkpoints, from the base on."""

    root: ObjectId
    messages: int = 0
    made: dict[ObjectId, bytes] = field(default_factory=dict)


class Fetcher:
    """Fetches one log in a session.

    pull: put the messages into our log of the same name too, not only into the tracking ref.
    early: the request was sent already, and known is what the remote was known to hold before it
    was made: what others of us learn of the remote later, its answer need not have.
    progress: called with the messages received so far and those expected.
    """

    def __init__(
        self,
        session: Session,
        tracking: Tracking,
        *,
        pull: bool,
        early: Fetch | None = None,
        known: Ref | None = None,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._session = session
        self._tracking = tracking
        self._repository = tracking.repository
        self._store = tracking.repository.store
        self._pull = pull
        self._request = early
        self._progress = progress
        self._known = tracking.known() if known is None else known
        self._intake: _Intake | None = None
        self._answer: Transfer | Base | None = None

    def take_answer(self) -> None:
        """Take the answer to the request, and the messages where both sides have a common root.

        Requests that were sent ahead are answered one after the other: all the answers are to be
        taken before `run` has anything more to ask.
        """
        if self._request is None:
            self._request = fetch_request(self._tracking)
            self._session.send(self._request)
        answer = self._session.expect(Transfer, Base)
        self._check_place(answer)
        if isinstance(answer, Transfer):
            if answer.base != EMPTY_ROOT and answer.base not in self._request.have:
                raise ForgedTransferError("the remote chose a base that it was not offered")
            self._intake = _Intake(answer.base)
            self._receive(self._intake, answer)
        elif answer.root is None or answer.base is not None:
            raise ForgedTransferError("the remote answered a fetch without its root")
        self._answer = answer

    def run(self) -> Fetched:
        """Fetch, and return what became of it."""
        tracking = self._tracking
        if self._answer is None:
            self.take_answer()
        if isinstance(self._answer, Base):
            self._offer_further()
        known, intake, answer = self._known, self._intake, self._answer
        if isinstance(answer, Base):
            intake, ref = self._fetch_without_base(answer)
        else:
            assert answer is not None
            assert intake is not None
            ref = Ref(answer.root, count(self._reader(intake), answer.root))
        self._conclude(ref, intake)
        lost = 0
        if known.root not in (EMPTY_ROOT, ref.root):
            meant = tracking.meant(known)
            read = overlay(self._reader(intake), meant.nodes)
            lost = sum(1 for _ in difference(read, ref.root, meant.root))
        local = tracking.local()
        before = 0
        if self._pull:
            merged = self._repository.merge_into(
                tracking.log, ref.root, time=tracking.clock(), reason=self._reason
            )
            if merged.root != local.root:
                read = self._store.read_nodes
                before = sum(1 for _ in difference(read, local.root, ref.root))
            local = Ref(merged.root, merged.count)
        return Fetched(tracking.log, intake.messages, ref.root, ref.count, lost, local, before)

    @property
    def _reason(self) -> str:
        verb = "pull" if self._pull else "fetch"
        return f"{verb} from {self._tracking.remote.name or 'a remote'}"

    def _reader(self, intake: _Intake) -> NodeReader:
        return overlay(self._store.read_nodes, intake.made)

    def _offer_further(self) -> None:
        """Offer the roots that the request left out, if any are worth it, and take the answer.

        From a root that is far behind what we have, all that would travel once more: after a
        connection that ended before our acknowledgements arrived, say. A descent finds out better.
        """
        tracking = self._tracking
        assert self._request is not None
        offered = self._request.have
        reached = max(map(self._count_of, offered), default=0)
        further = tuple(
            [
                root
                for root in tracking.have_further(offered)
                if reached - self._count_of(root) <= SENT_AGAIN_LIMIT
            ]
        )
        if further:
            self._request = Fetch(tracking.log, further, tracking.view)
            self._session.send(self._request)
            self.take_answer()

    def _count_of(self, root: ObjectId) -> int:
        """Return how many messages a root of ours has; 0 where its nodes are gone."""
        try:
            return count(self._store.read_nodes, root)
        except IntegrityError:
            return 0

    def _fetch_without_base(self, answer: Base) -> tuple[_Intake, Ref]:
        """Fetch when the remote holds none of the roots that we offered."""
        from plumbing.navigation import find_common_ground  # noqa: PLC0415 - seldom needed

        assert answer.root is not None
        for careful in (False, True):
            held, made = self._tracking.held()
            ground = find_common_ground(
                self._session, self._tracking, held, made, answer.root, careful=careful
            )
            if not ground.wants:
                if ground.common != answer.root:
                    continue
                intake = _Intake(ground.common, made=dict(ground.made))
                return intake, Ref(ground.common, ground.common_count)
            request = Fetch(self._tracking.log, (), self._tracking.view, answer.root, ground.wants)
            self._session.send(request)
            head = self._session.expect(Transfer)
            self._check_place(head)
            if head.root != answer.root:
                raise ForgedTransferError("the remote sends another log than it said")
            if head.base != ground.base and not careful:
                self._skip(head)
                continue
            if head.base != ground.base:
                break
            intake = _Intake(ground.base, made=dict(ground.made))
            self._receive(intake, head)
            return intake, Ref(head.root, count(self._reader(intake), head.root))
        raise ForgedTransferError("the remote's index contradicts its messages")

    def _check_place(self, answer: Transfer | Base) -> None:
        if answer.log != self._tracking.log:
            raise ForgedTransferError("the remote answers for another log")
        if isinstance(answer, Transfer) and answer.view != self._tracking.view:
            raise ForgedTransferError("the remote answers for another view")

    def _skip(self, head: Transfer) -> None:
        """Read past a transfer whose base short digests got wrong; nothing of it is used."""
        messages = 0
        while isinstance(part := self._session.expect(Batch, End), Batch):
            messages += part.messages
            self._check_amount(head, messages)

    def _check_amount(self, head: Transfer, messages: int) -> None:
        """Raise when more comes than there is: what a remote sends has the end that it said."""
        if head.count is None or messages > head.count:
            raise ForgedTransferError("the remote sends more messages than it said")

    def _receive(self, intake: _Intake, head: Transfer) -> None:
        """Take the batches of a transfer, each durable before it is acknowledged."""
        tracking = self._tracking
        there = count(self._reader(intake), head.base)
        expected = max((head.count or 0) - there, 0)
        while isinstance(part := self._session.expect(Batch, End), Batch):
            messages = batch.unpack(part.content, part.messages)
            keys = list(messages)
            if keys[0] < tracking.view:
                raise ForgedTransferError("the remote sent a message from before the view")
            index = insert(self._reader(intake), intake.root, keys)
            there += len(keys)
            self._check_amount(head, there)
            if index.count != there:
                raise ForgedTransferError("the remote sent a message that the base has already")
            if index.root != part.root:
                raise ForgedTransferError(
                    f"batch {part.number} does not come to the root that the remote said",
                    why="a message is missing, or one too many",
                )
            now = tracking.clock()
            insertions = []
            if self._pull:
                computed = (intake.root, index)
                insertions.append(Insertion(log_ref(tracking.log), keys, computed))
            point = {}
            if part.root == head.root and tracking.ref and tracking.view == FIRST_KEY:
                point[tracking.ref] = Ref(index.root, index.count)
            self._repository.commit(
                insertions,
                time=now,
                reason=self._reason,
                messages=messages,
                nodes={**intake.made, **index.nodes},
                receipt=Receipt(tracking.remote.name, now, tracking.log),
                agreed=[Agreement(tracking.remote.peer, tracking.log, tracking.view, index.root)],
                point=point,
            )
            intake.made.clear()
            intake.root = index.root
            intake.messages += len(keys)
            self._session.send(Acknowledged(part.number, index.root))
            self._progress(intake.messages, expected)
        if intake.root != head.root:
            raise ForgedTransferError("the remote's messages do not come to the root that it said")

    def _conclude(self, ref: Ref, intake: _Intake) -> None:
        """Remember that we hold all that the remote has, where that is news."""
        tracking = self._tracking
        agreed = self._store.agreed(tracking.remote.peer, tracking.log, tracking.view)
        point: dict[str, Ref] = {}
        made = intake.made
        if tracking.ref:
            seen = tracking.settled(self._reader(intake), ref)
            if self._store.ref(tracking.ref) != Ref(seen.root, seen.count):
                point[tracking.ref] = Ref(seen.root, seen.count)
                made = {**made, **seen.nodes}
        news = [] if ref.root in (*agreed, EMPTY_ROOT) else [ref.root]
        if point or news:
            self._repository.commit(
                [],
                time=tracking.clock(),
                reason=self._reason,
                nodes=made,
                agreed=[
                    Agreement(tracking.remote.peer, tracking.log, tracking.view, root)
                    for root in news
                ],
                point=point,
            )


def fetch_request(tracking: Tracking) -> Fetch:
    """Return the request with which fetching a log begins."""
    return Fetch(tracking.log, tracking.have_first(), tracking.view)

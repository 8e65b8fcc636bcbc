"""Pushing: sending what our log has and a remote's lacks."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import chain

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError, MsglogError
from msglog.index.change import insert, merge
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import count, difference
from msglog.repository import overlay
from msglog.store.store import HeldBack, MissingObjectError, Refusal
from msglog.wire.events import Acknowledged, Base, Batch, Done, End, Push, Refused, Transfer
from plumbing.outgoing import cut_batches
from plumbing.tracking import NOTHING_KNOWN
from plumbing.transport.channel import ChannelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msglog.index.change import Index
    from msglog.objectid import ObjectId
    from msglog.store.store import Ref
    from plumbing.outgoing import OutgoingBatch
    from plumbing.session import Session
    from plumbing.tracking import Tracking

WINDOW = 4
"""How many batches may be under way without an acknowledgement."""

FEW_OLDER = 16
"""How many messages from before a view are sent rather than looked for in the remote's index."""


class FalseAcknowledgementError(IntegrityError):
    """The remote acknowledged something else than we sent."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of pushing one log.

    messages: how many the remote took. refused: which it refused. root, count: the remote's log
    afterwards, where we may know. lost: how many messages it once had and had no more.
    """

    log: str
    messages: int
    refused: tuple[Refusal, ...]
    root: ObjectId | None
    count: int | None
    lost: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be sent: from a base to a target, with the first batch read already.

    made: nodes that are not stored yet.
    """

    base: ObjectId
    target: Index
    made: dict[ObjectId, bytes]
    first: OutgoingBatch | None
    rest: Iterator[OutgoingBatch]


class Pusher:
    """Pushes one log in a session.

    What we have from before the view is not of it: it is pushed after it, on its own.
    early: the request was sent already, and after it early_older for what is older, if at all;
    known is what the remote was known to hold before they were made.
    """

    def __init__(
        self,
        session: Session,
        tracking: Tracking,
        *,
        early: Push | None = None,
        early_older: Push | None = None,
        known: Ref | None = None,
    ) -> None:
        self._session = session
        self._tracking = tracking
        self._repository = tracking.repository
        self._known = tracking.known() if known is None else known
        self._request = early
        self._older = None if early_older is None else self._pusher_of_older(early_older)
        self._answer: Base | None = None
        self._progress: Callable[[int, int], None] = _ignore
        self._pending: deque[tuple[int, OutgoingBatch]] = deque()
        self._refused: list[Refusal] = []
        self._all_refused: list[Refusal] = []
        self._accepted_root = EMPTY_ROOT
        self._accepted = 0
        self._acknowledged = 0
        self._made: dict[ObjectId, bytes] = {}
        self._draft: _Draft | None = None
        self._meanwhile: Callable[[], None] = _nothing

    def take_answer(self) -> Base:
        """Take the answer to the request: where the push is to start from.

        Requests that were sent ahead are answered one after the other: all the answers are to be
        taken before `run` has anything more to say.
        """
        if self._request is None:
            self._ask()
        try:
            answer = self._take_own_answer()
        except MsglogError:
            if self._older is not None and not self._session.failed:
                with suppress(MsglogError):  # it is answered all the same, and no better
                    self._older.take_answer()
            raise
        if self._older is not None:
            self._older.take_answer()
        return answer

    def _ask(self) -> None:
        self._request, older = push_requests(self._tracking)
        self._session.send(self._request)
        if older is not None:
            self._session.send(older)
            self._older = self._pusher_of_older(older)

    def _pusher_of_older(self, request: Push | None = None) -> Pusher:
        return Pusher(self._session, self._tracking.older(), early=request, known=NOTHING_KNOWN)

    def _take_own_answer(self) -> Base:
        assert self._request is not None
        answer = self._session.expect(Base)
        if answer.log != self._tracking.log:
            raise FalseAcknowledgementError("the remote answers for another log")
        if answer.base is not None and answer.base not in self._request.have:
            raise FalseAcknowledgementError("the remote chose a base that it was not offered")
        self._answer = answer
        return answer

    def prepare(self) -> None:
        """Read the first batch ahead, if the answer was taken and says where to start from.

        What goes wrong with that goes wrong in `run` once more.
        """
        answer = self._answer
        if answer is None or (answer.base is None and answer.root is not None and answer.count):
            return
        try:
            local = self._tracking.part()
            self._draft = self._draft_from(answer.base or EMPTY_ROOT, dict(local.nodes), local)
        except MsglogError:
            self._draft = None

    def _draft_from(self, base: ObjectId, made: dict[ObjectId, bytes], local: Index) -> _Draft:
        read = overlay(self._repository.store.read_nodes, made)
        target = merge(read, base, local.root)
        made.update(target.nodes)
        batches = cut_batches(self._repository, base, target.root, overlaid=made)
        return _Draft(base, target, made, next(batches, None), batches)

    def run(
        self,
        progress: Callable[[int, int], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Pushed:
        """Push, and return what became of it.

        progress: called with the messages acknowledged so far and those to be sent. meanwhile:
        called when all is sent, before the last acknowledgements are waited for.
        """
        tracking = self._tracking
        self._progress = progress or _ignore
        self._meanwhile = meanwhile or _nothing
        answer = self._answer or self.take_answer()
        local = tracking.part()
        if answer.base is None and local.count and answer.count != 0:
            answer = self._offer_further() or answer
        lost = self._lost_by(answer)
        few = tracking.before is not None and local.count <= FEW_OLDER
        if lost is None or (answer.base is None and answer.count and local.count and not few):
            assert answer.root is not None
            done, lost = self._push_without_base(local, answer.root)
        else:
            done = self._push_from(answer.base or EMPTY_ROOT, dict(local.nodes), local)
        root = answer.root if done is None else done.root
        number = answer.count if done is None else done.count
        accepted, refused = self._accepted, tuple(self._all_refused)
        if self._older is None and tracking.has_older():
            self._older = self._pusher_of_older()
        if self._older is not None:
            before = self._older.run(progress)
            accepted, refused = accepted + before.messages, refused + before.refused
        return Pushed(tracking.log, accepted, refused, root, number, lost)

    def _offer_further(self) -> Base | None:
        """Offer the roots that the request left out; None if there are none."""
        tracking = self._tracking
        assert self._request is not None
        further = tracking.have_further(self._request.have)
        if not further:
            return None
        self._request = Push(tracking.log, further, tracking.view)
        self._session.send(self._request)
        return self._take_own_answer()

    def _lost_by(self, answer: Base) -> int | None:
        """Return how much the remote was known to hold and has no more; None if that is open."""
        known = self._tracking.meant(self._known)
        if answer.root is None or not known.count:
            return 0
        read = overlay(self._repository.store.read_nodes, known.nodes)
        for root in (answer.base, answer.root):
            try:
                missing = (
                    None if root is None else sum(1 for _ in difference(read, root, known.root))
                )
            except MissingObjectError:
                continue  # it is none that we hold
            if missing is not None and (root == answer.root or not missing):
                return missing
        return None

    def _push_without_base(self, local: Index, root: ObjectId) -> tuple[Done | None, int]:
        """Push when the remote holds none of the roots that we offered, or lost messages."""
        from plumbing.navigation import find_common_ground  # noqa: PLC0415 - seldom needed

        tracking = self._tracking
        read = self._repository.store.read_nodes
        known = tracking.meant(self._known)
        made = {**local.nodes, **known.nodes}
        held = merge(overlay(read, made), local.root, known.root)
        made.update(held.nodes)
        for careful in (False, True):
            ground = find_common_ground(
                self._session, tracking, held.root, dict(made), root, careful=careful
            )
            self._session.send(
                Push(tracking.log, (), tracking.view, root=root, without=ground.wants)
            )
            if self._session.expect(Base).base != ground.base:
                continue
            everything = merge(overlay(read, ground.made), known.root, ground.common)
            lost = everything.count - ground.common_count
            return self._push_from(ground.base, {**made, **ground.made}, local), lost
        raise FalseAcknowledgementError("the remote's index contradicts itself")

    def _push_from(self, base: ObjectId, made: dict[ObjectId, bytes], local: Index) -> Done | None:
        """Send what our log has beyond a base; None if that is nothing."""
        tracking = self._tracking
        draft, self._draft = self._draft, None
        if draft is None or draft.base != base:  # another base was found since
            draft = self._draft_from(base, made, local)
        target, self._made = draft.target, draft.made
        read = overlay(self._repository.store.read_nodes, self._made)
        self._accepted_root = base
        if target.root == base:
            if not tracking.has_agreed(base):
                tracking.agree(base, reason=self._reason, nodes=self._made)
            done = self._push_empty_log() if base == EMPTY_ROOT else None
            tracking.learn(base, reason=self._reason)
            return done
        total = target.count - count(read, base)
        head = Transfer(
            tracking.log,
            base,
            target.root,
            view=tracking.view,
        )
        self._session.send(head)
        try:
            done = self._send_batches(draft, total)
        except ChannelError:
            self._remember_pending()
            raise
        tracking.learn(self._accepted_root, reason=self._reason)
        return done

    def _push_empty_log(self) -> Done | None:
        """Have the remote make a log of ours that is empty, if it was never seen there."""
        tracking, answer = self._tracking, self._answer
        if tracking.before is not None or not tracking.is_new_and_empty() or answer is None:
            return None
        if answer.root not in (None, EMPTY_ROOT):
            return None
        self._session.send(Transfer(tracking.log, EMPTY_ROOT, EMPTY_ROOT, view=tracking.view))
        self._session.send(End())
        return self._take_done()

    def _take_done(self) -> Done:
        done = self._session.expect(Done)
        if done.log != self._tracking.log:
            raise FalseAcknowledgementError("the remote answers for another log")
        return done

    def _send_batches(self, draft: _Draft, total: int) -> Done:
        for part in chain([draft.first] if draft.first else [], draft.rest):
            number = self._session.next_batch()
            batch = Batch(number, len(part.keys), part.index.root, part.content)
            self._pending.append((number, part))
            self._session.send(batch)
            if len(self._pending) > WINDOW:
                self._await_acknowledgement(total)
        self._session.send(End())
        self._meanwhile()
        while self._pending:
            self._await_acknowledgement(total)
        return self._take_done()

    def _remember_pending(self) -> None:
        """Remember what the remote may have made durable before the connection broke.

        Offered as a base next time, such a root is taken if the remote has it and passed over if
        not, so that what arrived is not sent again.
        """
        if not self._all_refused:
            for _, part in self._pending:
                nodes = {**self._made, **part.index.nodes}
                self._tracking.agree(part.index.root, reason=self._reason, nodes=nodes)

    @property
    def _reason(self) -> str:
        return f"push to {self._tracking.remote.name or 'a remote'}"

    def _await_acknowledgement(self, total: int) -> None:
        """Take the answer to the oldest batch under way, and remember durably what it says."""
        while isinstance(event := self._session.expect(Refused, Acknowledged), Refused):
            self._refused.append(Refusal(event.key, event.code, event.why))
        number, part = self._pending.popleft()
        refused, self._refused = self._refused, []
        turned_down = {refusal.key for refusal in refused}
        if not turned_down.issubset(part.keys):
            raise FalseAcknowledgementError("the remote refused a message that was not sent")
        accepted = [key for key in part.keys if key not in turned_down]
        self._all_refused.extend(refused)
        index = part.index
        if self._all_refused:
            read = overlay(self._repository.store.read_nodes, self._made)
            index = insert(read, self._accepted_root, accepted)
        if event.number != number or event.root != index.root:
            raise FalseAcknowledgementError(
                f"the remote did not acknowledge batch {number} as it was sent"
            )
        self._made.update(index.nodes)
        tracking = self._tracking
        held = self._repository.store.held_back(tracking.remote.peer, tracking.log)
        changes = []
        if refused or held:
            changes.append(
                HeldBack(tracking.remote.peer, tracking.log, tuple(refused), tuple(accepted))
            )
        tracking.agree(index.root, reason=self._reason, nodes=dict(self._made), held_back=changes)
        self._made.clear()  # all of it is stored now
        self._accepted_root = index.root
        self._accepted += len(accepted)
        self._acknowledged += len(part.keys)
        self._progress(self._acknowledged, total)


def _nothing() -> None:
    """Do nothing meanwhile."""


def _ignore(_done: int, _total: int) -> None:
    """Report progress to nobody."""


def push_request(tracking: Tracking) -> Push:
    """Return the request with which pushing a log begins."""
    return Push(tracking.log, tracking.have_first(), tracking.view)


def push_requests(tracking: Tracking) -> tuple[Push, Push | None]:
    """Return the requests with which pushing a log begins: a second one for what is older."""
    older = push_request(tracking.older()) if tracking.has_older() else None
    return push_request(tracking), older

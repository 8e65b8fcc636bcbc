"""Watching logs of a remote: what is new in them comes as others push it, each message once.

Over one session after another: what was shown of each log is remembered by its root, which the
server takes as the base of what comes next. Memory is bounded by a batch, for each log a name, some
roots and the marks of `plumbing.shown_log`, and those of a transfer under way.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY
from msglog.store.store import Ref
from msglog.wire.events import HAVE_LIMIT, AdvertisedRef, Base, Fetch, Gone, Transfer
from plumbing.news import (
    Arrived,
    ForgedNewsError,
    NothingLeftError,
    Vanished,
    ask,
    check_can_watch,
    received,
)
from plumbing.session import UnknownRemoteLogError
from plumbing.shown_log import LostTrackError, ShownLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.wire.events import Acknowledged
    from plumbing.news import News
    from plumbing.session import Session
    from plumbing.watched_logs import WatchedLogs

_NOTHING = Ref(EMPTY_ROOT, 0)


class RemoteWatch:
    """The watched logs of a remote; nothing is stored.

    Each message is what its id says; whether a log is complete is found out by who stores it.
    newest: how many of the newest messages of each log to begin with.
    """

    def __init__(self, logs: WatchedLogs, *, newest: int = 0) -> None:
        self._logs = logs
        self._newest = newest
        self._shown: dict[str, ShownLog] = {}
        self._has_begun = False
        self._identity = b""
        self._is_new = True

    def begin(self, session: Session) -> None:
        """Go on over a new session; raises CannotWatchError, or LostTrackError."""
        check_can_watch(session)
        identity = session.greeting.repository
        if self._identity and identity != self._identity:
            raise LostTrackError("watching", "the remote is another repository than before")
        self._identity, self._is_new = identity, True
        for shown in self._shown.values():
            shown.give_up_hope()

    def news(self, session: Session) -> Iterator[News]:
        """Wait for one answer of the server, and yield what is new: after a while maybe nothing.

        What was yielded counts as shown once the next is asked for.
        """
        told = ask(session, self._logs)
        for shown in self._shown.values():
            shown.confirm()
        refs = [one for one in told if isinstance(one, AdvertisedRef)]
        gone = [one.log for one in told if isinstance(one, Gone)]
        if self._is_new:
            listed = {ref.log for ref in refs}
            gone += [log for log in self._shown if log not in listed]
            self._is_new = False
        if not self._has_begun:
            yield from self._begin(session, refs)
            return
        left = {log: self._shown.pop(log).ref for log in gone if log in self._shown}
        for log in left:
            yield Vanished(log)
        for ref in refs:
            shown = self._shown.setdefault(ref.log, ShownLog(_NOTHING))
            if shown.ref.root != ref.root:
                yield from self._catch_up(session, ref.log, shown, left)
        if not self._shown and not self._logs.may_grow:
            raise NothingLeftError("nothing is left to watch")
        if not told:
            self._anchor_one(session)

    def _begin(self, session: Session, refs: Sequence[AdvertisedRef]) -> Iterator[News]:
        listed = {ref.log for ref in refs}
        for name in sorted(self._logs.names - listed):
            session.send(Fetch(name))  # whose answer says why we are not told of it
            session.expect(Transfer, Base)
            raise UnknownRemoteLogError(f"the remote has no log {name!r}", hint=session.see_logs())
        self._shown = {ref.log: ShownLog(Ref(ref.root, ref.count)) for ref in refs}
        self._has_begun = True
        if self._newest:
            for ref in refs:
                for found, _ in _newest(session, ref, self._newest):
                    yield Arrived(ref.log, list(found), list(found.values()))

    def _anchor_one(self, session: Session) -> None:
        """Have the server keep the root of one more log for us, now that there is nothing to show.

        What can be acknowledged is a message: the newest one travels for that.
        """
        lacking = (log for log, shown in self._shown.items() if shown.wants_anchor)
        log = next(lacking, None)
        if log is None:
            return
        shown = self._shown[log]
        ref = AdvertisedRef(log, shown.ref.root, shown.ref.count)
        for _, acknowledged in _newest(session, ref, 1):
            session.send(acknowledged)
            shown.hope()

    def _catch_up(
        self, session: Session, log: str, shown: ShownLog, left: dict[str, Ref]
    ) -> Iterator[News]:
        """Fetch what a log has and was not shown; left: what its name may have been before."""
        starts = shown.starts()
        is_new = not starts
        if is_new:
            former = [ref for ref in left.values() if ref.root != EMPTY_ROOT]
            starts = {ref.root: ref for ref in former[:HAVE_LIMIT]}
        try:
            head = _transfer(session, log, tuple(starts))
            if head is None and is_new:
                head = _transfer(session, log, ())
        except UnknownRemoteLogError:
            return  # it was deleted just now, which we are told next
        if head is None or (head.base == EMPTY_ROOT and not is_new):
            why = "the remote does not know any more what was shown: restored, or made anew"
            raise LostTrackError(log, why)
        start = starts.get(head.base, _NOTHING)
        if start.root != head.base:
            raise ForgedNewsError("the remote chose a base that it was not offered")
        if head.count is None or head.count < start.count:
            raise ForgedNewsError("the remote says that a log has fewer messages than it had")
        if is_new:
            shown.ref = start
        shown.begin(start)
        acknowledged = None
        for found, acknowledged in received(session, head.count - start.count):  # noqa: B007
            new = shown.unshown(found)
            if new:
                yield Arrived(log, list(new), list(new.values()))
            shown.pass_by(found)
        shown.complete(Ref(head.root, head.count))
        if acknowledged is not None and shown.wants_anchor:
            session.send(acknowledged)
            shown.hope()


def _newest(
    session: Session, ref: AdvertisedRef, number: int
) -> Iterator[tuple[dict[Key, bytes], Acknowledged]]:
    """Yield the newest messages of a log; nothing of one that was deleted just now."""
    from plumbing.newest import newest_messages  # noqa: PLC0415 - once for each log

    try:
        yield from newest_messages(session, ref, number)
    except UnknownRemoteLogError:
        return  # which we are told next


def _transfer(session: Session, log: str, have: tuple[ObjectId, ...]) -> Transfer | None:
    """Ask for what a log has beyond one of these roots; None if the server knows none of them."""
    session.send(Fetch(log, have))
    head = session.expect(Transfer, Base)
    if head.log != log or (isinstance(head, Transfer) and head.view != FIRST_KEY):
        raise ForgedNewsError("the remote answers for another log")
    return head if isinstance(head, Transfer) else None

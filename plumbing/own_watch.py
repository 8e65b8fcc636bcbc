"""Watching logs of our own repository, into which a remote's may be taken meanwhile."""

from __future__ import annotations

from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.index.node import EMPTY_ROOT
from msglog.refname import log_ref
from msglog.repository import UnknownLogError
from msglog.store.store import Ref
from msglog.wire.events import AdvertisedRef, Gone
from plumbing.news import Arrived, NothingLeftError, Vanished, ask, check_can_watch
from plumbing.session import UnknownRemoteLogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from plumbing.news import News
    from plumbing.session import Session
    from plumbing.watched_logs import WatchedLogs


class OwnWatch:
    """The watched logs of a repository of ours, which others of our processes change.

    wanted: tells whether a log is watched. may_grow: whether more such logs may come.
    """

    def __init__(
        self,
        repository: Repository,
        wanted: Callable[[str], bool],
        *,
        newest: int = 0,
        may_grow: bool = True,
    ) -> None:
        self._repository = repository
        self._wanted = wanted
        self._may_grow = may_grow
        self._newest = newest
        self._shown: dict[str, ObjectId] | None = None
        self._left: dict[str, ObjectId] = {}

    def forget(self, log: str) -> None:
        """Watch a log no more, without a word; should it be watched again, that goes on."""
        if self._shown is not None and log in self._shown:
            self._left[log] = self._shown.pop(log)

    def known(self, log: str) -> ObjectId:
        """Return what is not new in a log, should it be watched from now on.

        That is what was shown of it before it was forgotten, or else what there is of it now; until
        it is watched that stays the same, whatever comes into it.
        """
        if log not in self._left:
            ref = self._repository.store.ref(log_ref(log))
            self._left[log] = EMPTY_ROOT if ref is None else ref.root
        return self._left[log]

    def resume(self, log: str, root: ObjectId) -> None:
        """Watch a log of which all that a root has is not new."""
        self._left.pop(log, None)
        if self._shown is not None:
            self._shown.setdefault(log, root)

    def news(self) -> Iterator[News]:
        """Yield what is new since the last time; at first, only the newest that were asked for."""
        now = {
            log.name: Ref(log.root, log.count)
            for log in self._repository.logs()
            if self._wanted(log.name)
        }
        if self._shown is None:
            self._shown = {log: ref.root for log, ref in now.items()}
            for log, ref in now.items():
                yield from self._latest(log, ref)
            return
        left = {log: root for log, root in self._shown.items() if log not in now}
        for log in left:
            del self._shown[log]
            yield Vanished(log)
        for log, ref in now.items():
            shown = self._shown.get(log) or self._former(log, left)
            keys = self._repository.difference(shown, ref.root)
            yield from self._read(log, keys)
            self._shown[log] = ref.root
        if not now and not self._may_grow:
            raise NothingLeftError("nothing is left to watch")

    def _former(self, log: str, left: dict[str, ObjectId]) -> ObjectId:
        """Return what was shown of a log under another name, or nothing for one that is new."""
        store = self._repository.store
        known = (root for root in left.values() if store.in_reflog(log_ref(log), root))
        return next((root for root in known if root != EMPTY_ROOT), EMPTY_ROOT)

    def _latest(self, log: str, ref: Ref) -> Iterator[News]:
        if self._newest:
            keys = list(islice(self._repository.keys(ref.root, reverse=True), self._newest))
            yield from self._read(log, reversed(keys))

    def _read(self, log: str, keys: Iterator[Key]) -> Iterator[News]:
        for some, objects in self._repository.parts(keys):
            yield Arrived(log, some, objects)


def own_watch(repository: Repository, logs: WatchedLogs, *, newest: int = 0) -> OwnWatch:
    """Return the watch of our own logs; raises UnknownLogError for a name that there is not."""
    there = {log.name for log in repository.logs()}
    for name in sorted(logs.names - there):
        raise UnknownLogError(name, sorted(there))
    return OwnWatch(repository, logs.has, newest=newest, may_grow=logs.may_grow)


class PulledWatch:
    """The watched logs of a remote, taken into ours as `pull` does it, and shown from there.

    fetch: takes a log of the remote into ours, and returns what root it has there; it is told how
    many messages the remote says that the log has.
    """

    def __init__(
        self,
        logs: WatchedLogs,
        repository: Repository,
        fetch: Callable[[Session, str, int | None], ObjectId],
        *,
        newest: int = 0,
    ) -> None:
        self._logs = logs
        self._repository = repository
        self._fetch = fetch
        self._there: dict[str, ObjectId] = {}
        self._is_new = True
        self._has_begun = False
        self._own = OwnWatch(repository, self._there.__contains__, newest=newest)

    def begin(self, session: Session) -> None:
        """Go on over a new session; raises CannotWatchError."""
        check_can_watch(session)
        self._is_new = True

    def news(self, session: Session) -> Iterator[News]:
        """Wait for one answer of the server, take what it has, and yield what is new here."""
        told = ask(session, self._logs)
        refs = [one for one in told if isinstance(one, AdvertisedRef)]
        gone = [one.log for one in told if isinstance(one, Gone)]
        listed = {ref.log for ref in refs}
        if self._is_new:
            gone += [log for log in self._there if log not in listed]
        wanted = [ref.log for ref in refs if self._there.get(ref.log) != ref.root]
        if not self._has_begun:
            wanted += sorted(self._logs.names - listed)  # the remote says why it does not tell
        counts = {ref.log: ref.count for ref in refs}
        left = [self._there[log] for log in gone if log in self._there]
        for log in wanted:
            if self._has_begun and log not in self._there:
                self._take_another(session, log, counts.get(log), left)
            else:
                self._take(session, log, counts.get(log))
        self._is_new, self._has_begun = False, True
        yield from self._own.news()
        for log in gone:
            if self._there.pop(log, None) is not None:
                self._own.forget(log)
                yield Vanished(log)
        if not self._there and not self._logs.may_grow:
            raise NothingLeftError("nothing is left to watch")

    def _take_another(
        self, session: Session, log: str, count: int | None, left: Sequence[ObjectId]
    ) -> None:
        """Take a log that is there now; left: what those had that are gone, maybe by a new name."""
        known = self._own.known(log)
        self._take(session, log, count)
        root = self._there.get(log)
        if root is None:
            return
        if known == EMPTY_ROOT:
            known = next((old for old in left if self._has_all(root, old)), EMPTY_ROOT)
        self._own.resume(log, known)

    def _has_all(self, root: ObjectId, old: ObjectId) -> bool:
        return next(self._repository.difference(root, old), None) is None

    def _take(self, session: Session, log: str, count: int | None) -> None:
        try:
            self._there[log] = self._fetch(session, log, count)
        except UnknownRemoteLogError:
            if not self._has_begun and log in self._logs.names:
                raise
            # Otherwise it was deleted just now, which we are told next.

"""A client that watches logs: what a server has told it of them, and how the server waits for more.

Imported in sessions alone in which somebody watches.
"""

from __future__ import annotations

import select
import time

from msglog.account.role import Capability
from msglog.annotation import TYPE_CHECKING
from msglog.wire.events import AdvertisedRef, Gone
from plumbing.service import WATCH_SECONDS
from plumbing.watched_logs import WatchedLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msglog.objectid import ObjectId
    from msglog.repository import Log, Repository
    from plumbing.permissions import Permissions
    from plumbing.service import Service
    from plumbing.transport.pipe import PipeChannel


class Lookout:
    """What one session has told its client of the logs that it watches.

    Memory: a name and a root for each of them. is_waiting: whether the client waits for an answer.
    deadline: when it is to have one, in seconds of the clock of who attends; None until then.
    """

    def __init__(self, repository: Repository, permissions: Permissions) -> None:
        self._repository = repository
        self._permissions = permissions
        self._logs = WatchedLogs()
        self._told: dict[str, ObjectId] | None = None
        self.notice = repository.store.notice()
        self.is_waiting = False
        self.deadline: float | None = None

    def begin(self, patterns: Sequence[str]) -> list[AdvertisedRef | Gone] | None:
        """Return what the client does not know of the logs that it asks for; None: it waits.

        For other logs than before that is all of them, even if there are none.
        """
        if tuple(patterns) != self._logs.patterns:
            self._logs, self._told = WatchedLogs(patterns), None
        self.deadline = None
        return self._news(at_last=self._told is None)

    def look(self, *, at_last: bool) -> list[AdvertisedRef | Gone] | None:
        """Return what the client that waits is to be told now; None: it goes on waiting.

        at_last: it is told even that there is nothing. Raises NotAuthorisedError and StoreError.
        """
        self.is_waiting = False
        self._permissions.check()
        if not self.notice.changed() and not at_last:
            self.is_waiting = True
            return None
        return self._news(at_last=at_last)

    def _news(self, *, at_last: bool) -> list[AdvertisedRef | Gone] | None:
        before, now = self._told or {}, self._readable()
        news: dict[str, AdvertisedRef | Gone] = {
            name: Gone(name) for name in before if name not in now
        }
        for name, log in now.items():
            if before.get(name) != log.root:
                news[name] = AdvertisedRef(name, log.root, log.count)
        self._told = {name: log.root for name, log in now.items()}
        self.is_waiting = not news and not at_last
        return None if self.is_waiting else [news[name] for name in sorted(news)]

    def _readable(self) -> dict[str, Log]:
        """Return those of the logs that are watched which the client may list and fetch."""
        may = self._permissions.may
        return {
            log.name: log
            for log in self._repository.logs()
            if self._logs.has(log.name)
            and may(Capability.LIST, log.name)
            and may(Capability.FETCH, log.name)
        }

    def close(self) -> None:
        """Free what it waits with."""
        self.notice.close()


def attend(
    service: Service, channel: PipeChannel | None, clock: Callable[[], float] = time.monotonic
) -> bool:
    """Wait for a client that watches, until it says something or it is time to look again.

    Return whether the client has said something; otherwise the service's `output` is to be asked.
    Who always says a little has an answer in time all the same, and no more patience after it.
    channel: None where the client can say nothing meanwhile. clock: in seconds.
    """
    lookout = service.lookout
    if lookout is None:
        raise AssertionError
    notice = lookout.notice
    if lookout.deadline is None:
        lookout.deadline = clock() + WATCH_SECONDS
    seconds = max(min(lookout.deadline - clock(), notice.seconds), 0)
    said = False
    if channel is None:
        _wait(notice.fileno(), seconds)
    else:
        said = channel.wait_for_peer(seconds, notice.fileno())
    is_late = clock() >= lookout.deadline
    if is_late or not said:
        service.look(at_last=is_late)
    return said


def _wait(descriptor: int, seconds: float) -> None:
    poller = select.poll()
    if descriptor >= 0:
        poller.register(descriptor, select.POLLIN)
    poller.poll(seconds * 1000)

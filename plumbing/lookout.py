"""A client that watches logs: what a server has told it of them, and how the server waits for more.

Imported in sessions alone in which somebody watches.
"""

from __future__ import annotations

import select
import time

from msglog.annotation import TYPE_CHECKING
from msglog.wire.events import AdvertisedRef, Gone
from plumbing.service import WATCH_SECONDS
from plumbing.watched_logs import WatchedLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from msglog.objectid import ObjectId
    from msglog.repository import Log
    from msglog.store.notice import Notice
    from plumbing.service import Service
    from plumbing.transport.pipe import PipeChannel


class Lookout:
    """What one session has told its client of the logs that it watches.

    Memory: a name and a root for each of them.
    notice: made before the logs are first looked at; it is closed with this.
    """

    def __init__(self, patterns: tuple[str, ...], notice: Notice) -> None:
        self.patterns = patterns
        self.notice = notice
        self.deadline: float | None = None
        self._logs = WatchedLogs(patterns)
        self._told: dict[str, ObjectId] | None = None

    def news(self, logs: Iterable[Log]) -> list[AdvertisedRef | Gone] | None:
        """Return what the client is to be told now, by name, and take it for told.

        logs: all that the client may read. None where it knows all; the first time there is always
        an answer.
        """
        now = {one.name: one for one in logs if self._logs.has(one.name)}
        first, before = self._told is None, self._told or {}
        news: dict[str, AdvertisedRef | Gone] = {
            name: Gone(name) for name in before if name not in now
        }
        for name, log in now.items():
            if before.get(name) != log.root:
                news[name] = AdvertisedRef(name, log.root, log.count)
        self._told = {name: log.root for name, log in now.items()}
        return [news[name] for name in sorted(news)] if news or first else None

    def close(self) -> None:
        """Free what it waits with."""
        self.notice.close()


def attend(
    service: Service, channel: PipeChannel | None, clock: Callable[[], float] = time.monotonic
) -> bool:
    """Wait for a client that watches, until it says something or it is time to look again.

    Return whether the client has said something; otherwise the service's `output` is to be asked.
    channel: None where the client can say nothing meanwhile. clock: in seconds.
    """
    lookout = service.lookout
    if lookout is None:
        raise AssertionError
    notice = lookout.notice
    if lookout.deadline is None:
        lookout.deadline = clock() + WATCH_SECONDS
    seconds = max(min(lookout.deadline - clock(), notice.seconds), 0)
    if channel is None:
        _wait(notice.fileno(), seconds)
    elif channel.wait_for_peer(seconds, notice.fileno()):
        return True
    service.look(at_last=clock() >= lookout.deadline)
    return False


def _wait(descriptor: int, seconds: float) -> None:
    poller = select.poll()
    if descriptor >= 0:
        poller.register(descriptor, select.POLLIN)
    poller.poll(seconds * 1000)

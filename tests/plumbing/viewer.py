"""Somebody who watches a server in memory, over connections that can be cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msglog.account.role import Role
from msglog.message import object_key
from plumbing.fetching import Fetcher
from plumbing.news import Vanished
from plumbing.own_watch import PulledWatch
from plumbing.transport.channel import Channel, ChannelError
from plumbing.watched_logs import WatchedLogs
from plumbing.watching import RemoteWatch
from tests.plumbing.peers import Client, Server, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.key import Key
    from msglog.objectid import ObjectId
    from plumbing.news import News
    from plumbing.service import Service
    from plumbing.session import Session


@dataclass
class Scissors:
    """A way to a server that is cut after so many bytes, for each of its channels."""

    server: Server
    after: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.wrap = self.wrap

    def wrap(self, inner: Channel) -> Channel:
        return Cut(inner, self.after.pop(0)) if self.after else inner


@dataclass
class Cut:
    """A channel of which only so many bytes arrive."""

    inner: Channel
    left: int

    def send(self, data: bytes) -> None:
        self.inner.send(data)

    def receive(self) -> bytes:
        if self.left <= 0:
            raise ChannelError("the connection was cut")
        data = self.inner.receive()[: self.left]
        self.left -= len(data)
        return data

    def close(self) -> None:
        self.inner.close()

    def diagnosis(self) -> str:
        return ""


class Viewer:
    """Somebody who watches, and comes back when the connection is cut."""

    def __init__(self, server: Server, *patterns: str, newest: int = 0, pull: bool = False) -> None:
        self.server = server
        self.client = Client(9, server, Role.WRITE)
        self.session: Session | None = None
        self.shown: dict[str, list[Key]] = {}
        self.vanished: list[str] = []
        self.events: list[Callable[[], object]] = []
        self.connections = 0
        server.idle = self.idle
        logs = WatchedLogs(patterns)
        self.watch: RemoteWatch | PulledWatch = RemoteWatch(logs, newest=newest)
        if pull:
            repository = self.client.repository
            self.watch = PulledWatch(logs, repository, self.fetch, newest=newest)

    def fetch(self, session: Session, log: str, _count: int | None) -> ObjectId:
        return Fetcher(session, self.client.tracking(log), pull=True).run().root

    def idle(self, service: Service) -> None:
        """What happens while the server waits: the next event, or else the end of the wait."""
        if self.events:
            self.events.pop(0)()
            service.look()
        else:
            service.look(at_last=True)

    def look(self) -> list[News]:
        """Take one answer; what is cut is begun again."""
        seen: list[News] = []
        while True:
            try:
                if self.session is None:
                    self.session = self.client.session()
                    self.connections += 1
                    self.watch.begin(self.session)
                for news in self.watch.news(self.session):
                    seen.append(news)
                    if isinstance(news, Vanished):
                        self.vanished.append(news.log)
                    else:
                        self.shown.setdefault(news.log, []).extend(news.keys)
            except ChannelError:
                assert self.session is None or self.connections < 1000
                self.close()
                continue
            return seen

    def look_until_quiet(self) -> None:
        while self.look() or self.events:
            pass

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
        self.session = None


def numbers(viewer: Viewer, log: str = "main") -> list[int]:
    """Which of the messages made by `message` were shown, in their order."""
    known = {object_key(message(number)): number for number in range(200)}
    return [known[key] for key in viewer.shown.get(log, [])]

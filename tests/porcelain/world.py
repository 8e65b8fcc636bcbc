"""A server in memory, the way to it, and a clock that goes on by being waited for."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from msglog.dataclass import replace
from msglog.repository import Repository
from plumbing.context import Context
from plumbing.receive_pack import IDLE_SECONDS
from plumbing.session import Session
from plumbing.transport.channel import Channel, ChannelError, NotLetInError
from porcelain import sync
from tests.plumbing.peers import Rights, Server, add, message


class Enough(BaseException):
    """The test has seen as many rounds as it wanted."""


@dataclass
class Line:
    """A channel that a server ends after its patience, or that somebody cuts."""

    inner: Channel
    world: "World"
    opened: float
    broken: bool = False

    def _check(self) -> None:
        late = self.world.now - self.opened > IDLE_SECONDS
        if self.broken or late or self.world.down:
            raise ChannelError("the connection was lost")

    def send(self, data: bytes) -> None:
        self._check()
        self.world.sent.append(len(data))
        self.inner.send(data)

    def receive(self) -> bytes:
        self._check()
        return self.inner.receive()

    def close(self) -> None:
        self.world.open_lines -= 1
        self.inner.close()

    def diagnosis(self) -> str:
        return ""


@dataclass
class World:
    """A server, the way to it, and time. then: what happens in the wait after each round."""

    server: Server
    rights: Rights
    context: Context
    folder: Path
    then: dict[int, Callable[[], object]] = field(default_factory=dict)
    now: float = 1000.0
    waits: list[float] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    down: bool = False
    shut: bool = False
    tries: int = 0
    open_lines: int = 0
    rounds: int = 0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.waits.append(seconds)
        self.now += seconds
        self.rounds += 1
        self.then.get(self.rounds, lambda: None)()
        if self.rounds >= max(self.then, default=1) + 1:
            raise Enough

    def open_session(
        self, _target: Any, _context: Any, _config: Any, early: Any, **_: Any
    ) -> Session:
        self.tries += 1
        if self.down:
            raise ChannelError("cannot connect to host port 22", why="Connection refused")
        if self.shut:
            raise NotLetInError("the host does not let us in")
        connect = self.server.connect(self.rights)

        def wrapped(words: Sequence[str]) -> Channel:
            line = Line(connect(words), self, self.now)
            self.open_lines += 1
            self.lines.append(line)
            return line

        return Session(wrapped, early())

    def run(self, *logs: str, every: str = "30s", **changes: Any) -> int:
        """Run until something ends it; return the status, or -1 when the test has seen enough."""
        arguments = Namespace(remote="origin", logs=list(logs), dry_run=False, every=every)
        try:
            return sync.run(arguments, replace(self.context, **changes))
        except Enough:
            return -1

    def add_here(self, number: int) -> None:
        """Add a message as another process does."""
        repository = Repository.open(self.folder / ".msglog")
        add(repository, message(number))
        repository.close()

    def add_there(self, number: int) -> None:
        add(self.server.repository, message(number))

    @property
    def out(self) -> list[str]:
        assert isinstance(self.context.stdout, BytesIO)
        return self.context.stdout.getvalue().decode().splitlines()

    @property
    def said(self) -> list[str]:
        assert isinstance(self.context.stderr, BytesIO)
        return self.context.stderr.getvalue().decode().splitlines()

    def forget_output(self) -> None:
        assert isinstance(self.context.stdout, BytesIO)
        self.context.stdout.truncate(0)
        self.context.stdout.seek(0)

"""The same below SSH, in memory: what a broken peer might say, at every byte and every bit.

SSH's own check covers the link; it covers no peer whose memory or program is at fault.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msglog.errors import MsglogError
from msglog.key import Key
from msglog.repository import Repository
from plumbing.transport.channel import Channel, ChannelError, SilenceError
from tests.cuts.fault import CHANGES, DIRECTIONS, DOWN, UP, Fault, Stream
from tests.cuts.proxy import NOTHING
from tests.cuts.rig import agreed
from tests.cuts.trial import Result, Trial
from tests.hostile.liars import check_whole
from tests.plumbing.peers import Client, Server, add, backup, keys, message

COMMANDS = ("push", "pull", "descent-push", "descent-pull")
"""With an agreed root, and where both sides have to compare their indexes first."""

UNKNOWN_ROOT = "to read a root that was not advertised"
PIECE_BYTES = 3
STATUSES = {4, 5}
ASKED = {2, 3, 4, 5}
"""A request of which a bit was flipped may be an honest one, of another log."""


@dataclass
class FaultChannel:
    """A channel in memory to one of whose directions something happens.

    crashes: what the server raised, which a real one would have died of.
    """

    inner: Channel
    fault: Fault
    streams: dict[str, Stream] = field(init=False)
    crashes: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.streams = {
            way: Stream(self.fault if self.fault.direction == way else NOTHING)
            for way in DIRECTIONS
        }

    @property
    def cut(self) -> bool:
        return self.streams[self.fault.direction].cut

    def send(self, data: bytes) -> None:
        if self.cut and self.fault.kind in ("fin", "rst"):
            raise ChannelError("the connection was lost")
        for piece in self.streams[UP].pass_on(data):
            try:
                self.inner.send(piece)
            except Exception as error:
                self.crashes.append(error)
                raise ChannelError("the server has died") from error

    def receive(self) -> bytes:
        while True:
            if self.cut and self.fault.direction == UP and self.fault.kind in ("fin", "rst"):
                raise ChannelError("the connection was lost")
            try:
                data = self.inner.receive()
            except Exception as error:
                self.crashes.append(error)
                raise ChannelError("the server has died") from error
            if not data:
                # Both sides wait for each other.
                raise SilenceError(1.0)
            if passed := b"".join(self.streams[DOWN].pass_on(data)):
                return passed
            if self.cut and self.fault.kind == "half":
                return b""
            if self.cut and self.fault.kind in ("fin", "rst"):
                raise ChannelError("the connection was lost")

    def close(self) -> None:
        self.inner.close()

    def diagnosis(self) -> str:
        return ""


@dataclass
class Sites:
    """Both sides before a command."""

    server: Server
    client: Client

    def again(self) -> Sites:
        """Return the same once more, to be changed."""
        server = Server()
        server.repository = Repository(backup(self.server.repository), Path("memory"))
        client = Client(2, server)
        client.repository = Repository(backup(self.client.repository), Path("memory"))
        return Sites(server, client)


def make_sites(command: str) -> Sites:
    server = Server()
    client = Client(2, server)
    if command.startswith("descent-"):
        add(server.repository, *map(message, range(10)))
        client.add(*map(message, range(5, 12)))
        return Sites(server, client)
    client.add(*map(message, range(2)))
    client.push()
    # In the order of time neither side's are the first or the last.
    client.add(*map(message, (2, 4, 6)))
    add(server.repository, *map(message, (3, 5, 7)))
    return Sites(server, client)


_SITES: dict[str, Sites] = {}


def sites(command: str) -> Sites:
    """Return both sides of a command, made once."""
    if command not in _SITES:
        _SITES[command] = make_sites(command)
    return _SITES[command].again()


def attempt(trial: Trial) -> Result:
    """Run a command in memory, look at both sides, and run it again without a fault."""
    here = sites(trial.command)
    server, client = here.server, here.client
    mine, theirs = keys(client.repository), keys(server.repository)
    channels: list[FaultChannel] = []

    def wrap(channel: Channel) -> Channel:
        channels.append(FaultChannel(channel, trial.fault))
        return channels[-1]

    server.wrap = wrap
    way = trial.command.rpartition("-")[2]
    outcome, problems = "completed", []
    try:
        getattr(client, way)()
    except MsglogError as error:
        outcome = f"status {error.exit_status}"
        if error.exit_status not in STATUSES and not _is_honest(error, trial.fault):
            problems.append(f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        outcome = type(error).__name__
        problems.append(f"the client: {type(error).__name__}: {error}")
    for channel in channels:
        problems += [f"the server: {type(one).__name__}: {one}" for one in channel.crashes]
        if not channel.streams[trial.fault.direction].reached:
            outcome += " before"
    server.wrap = lambda channel: channel
    try:
        problems += _wrong(here, mine, theirs, way if outcome.startswith("completed") else "")
        getattr(client, way)()
        problems += [f"again: {one}" for one in _wrong(here, mine, theirs, way)]
    except Exception as error:  # noqa: BLE001 - as above
        problems.append(f"again: {type(error).__name__}: {error}")
    return Result(outcome, problems)


def _is_honest(error: MsglogError, fault: Fault) -> bool:
    """Tell whether a server may say no: to a request that was changed, or after its answer was.

    The client then asks for a root whose id was damaged on the way.
    """
    if fault.kind not in CHANGES:
        return False
    return error.exit_status in ASKED if fault.direction == UP else UNKNOWN_ROOT in error.why


def _wrong(here: Sites, mine: set[Key], theirs: set[Key], completed: str) -> list[str]:
    ours, server = here.client.repository, here.server.repository
    for repository in (ours, server):
        check_whole(repository)
    now_mine, now_theirs = keys(ours), keys(server)
    everything = mine | theirs
    found = []
    if not mine <= now_mine <= everything:
        found.append("the client's messages")
    if not theirs <= now_theirs <= everything:
        found.append("the server's messages")
    tracking = here.client.tracking()
    taken = agreed(ours, tracking.remote.peer)
    told_them = agreed(server, f"user:{here.client.rights.user}")
    if not set(ours.keys(tracking.known().root)) <= now_theirs:
        found.append("the client was told of messages that the server has not")
    if not told_them <= now_mine | taken:
        found.append("the server was told of messages that the client has not")
    if completed == "push" and not mine <= now_theirs:
        found.append("it ended well and is not complete")
    if completed == "pull" and not theirs <= now_mine:
        found.append("it ended well and is not complete")
    return found


def size(command: str, direction: str) -> int:
    """Return how many bytes a direction of an undisturbed session has."""
    here = sites(command)
    channels: list[FaultChannel] = []

    def wrap(channel: Channel) -> Channel:
        channels.append(FaultChannel(channel, NOTHING))
        return channels[-1]

    here.server.wrap = wrap
    getattr(here.client, command.rpartition("-")[2])()
    return sum(channel.streams[direction].passed for channel in channels)


def every_byte(seed: int) -> Iterator[Trial]:
    """Yield all cuts and all flips of all bits, and each other change once a byte; shuffled."""
    trials = []
    for command in COMMANDS:
        for way in DIRECTIONS:
            for position in range(size(command, way)):
                trials += [
                    Trial("wire", command, Fault(kind, way, position))
                    for kind in ("fin", "half", "stall", "reorder")
                ]
                for kind in ("drop", "duplicate"):
                    piece = 1 + (position + seed) % PIECE_BYTES
                    trials.append(Trial("wire", command, Fault(kind, way, position, 0, piece)))
                trials += [
                    Trial("wire", command, Fault("flip", way, position, bit)) for bit in range(8)
                ]
    random.Random(seed).shuffle(trials)
    yield from trials

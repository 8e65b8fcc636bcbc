"""The measuring itself: all programs in turn, A B A B, row after row."""

import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msglog.index.change import build
from tests.bench import protocol_costs, rows
from tests.bench.command import Commands, timed
from tests.bench.corpus import Vocabulary, body, entries
from tests.bench.git import Git
from tests.bench.machine import busy_seconds
from tests.bench.msglog import Msglog, empty_script
from tests.bench.peak import watch
from tests.bench.peer import Peer
from tests.bench.result import Result
from tests.bench.reuse import open_master
from tests.bench.site import COUNTED, CURVE, DEFAULT, FAR, REUSED, WATCHED, Site

SMALL, BULK = 15, 5
"""Turns of what takes a moment, and of what goes through a whole history."""

BULK_SECONDS = 90.0
"""What goes through a whole history is not repeated beyond this, for one row and size."""

OTHERS_BULK = 1
"""Turns of the latter for programs that no target is about: they take most of the time."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Stand:
    """The programs with a history of one size. origin: the place that holds it, once pushed."""

    size: int
    folder: Path
    peers: dict[str, Peer]
    origin: str = ""
    places: int = 0

    def taking(self, turn: int) -> dict[str, Peer]:
        """Return who takes part in a turn, from 0, through the whole history."""
        always = (rows.BASELINE, rows.OURS)
        return {
            name: peer for name, peer in self.peers.items() if turn < OTHERS_BULK or name in always
        }

    def fresh_place(self) -> str:
        self.places += 1
        place = f"place{self.places}"
        for peer in self.peers.values():
            peer.make_server(place)
        return place


@dataclass(slots=True)
class Campaign:
    """Measures the selected rows into a result. selected: groups of rows; turns: instead of the usual numbers."""

    site: Site
    words: Vocabulary
    seed: int
    selected: Sequence[str]
    result: Result
    say: Say
    turns: int | None = None
    _stands: list[Stand] = field(default_factory=list)
    _chance: random.Random = field(default_factory=lambda: random.Random(0))

    def measure(self, size: int, peers: Sequence[type[Peer]]) -> None:
        """Make histories of one size and measure every row of it."""
        folder = self.site.folder / str(size)
        stand = Stand(size, folder, {})
        for kind in peers:
            self.say(f"{size:,}: fills {kind.name}")
            peer = kind(self.site, folder / kind.name)
            peer.fill(entries(self.words, size, self.seed))
            stand.peers[kind.name] = peer
        self._bulk(stand)
        self._stands.append(stand)
        for name, act in (
            ("pull", self._pull),
            ("give", self._give),
            ("far", self._far),
            ("reuse", self._reuse),
            ("add", self._add),
            ("list", self._list),
            ("wire", self._wire),
            ("space", self._space),
            ("protocol", self._protocol),
        ):
            if name in self.selected:
                act(stand)

    def measure_growth(self) -> None:
        """Push one message into the logs of every size in turn."""
        if "growth" not in self.selected or len(self._stands) < 2:
            return
        self.say("growth: push of 1 into every size in turn")
        for turn in range(-1, self.turns or SMALL):
            for stand in self._stands:
                for name, peer in stand.peers.items():
                    timed(peer.add(self._text()))
                    seconds = timed(peer.push(DEFAULT))
                    if turn >= 0:
                        self.result.append(rows.GROWTH, name, stand.size, "s", seconds)

    def _bulk(self, stand: Stand) -> None:
        turns = self.turns or bulk_turns(stand.size)
        pushes = turns if "initial" in self.selected else 1
        for turn in self._affordable(pushes):
            place = stand.fresh_place()
            stand.origin = stand.origin or place  # the first one, which everybody has
            taking = stand.taking(turn)
            pushing = {name: peer.push_all(DEFAULT, place) for name, peer in taking.items()}
            if "initial" in self.selected:
                self._alternate(stand, rows.INITIAL, 1, pushing, warm=False, busy=rows.INITIAL_BUSY)
            else:
                for commands in pushing.values():
                    timed(commands)
        if "memory" in self.selected:
            self._memory(stand)
        for peer in stand.peers.values():
            peer.connect(stand.origin)
        if "clone" in self.selected:
            for turn in self._affordable(turns):
                taking = stand.taking(turn)
                into = {name: stand.folder / name / f"clone{turn}" for name in taking}
                cloning = {
                    name: peer.clone(DEFAULT, stand.origin, into[name])
                    for name, peer in taking.items()
                }
                self._alternate(stand, rows.CLONE, 1, cloning, warm=False, busy=rows.CLONE_BUSY)
                for path in into.values():
                    shutil.rmtree(path, ignore_errors=True)

    def _affordable(self, turns: int) -> Iterator[int]:
        """Yield turns from 0, until so many are done or one more would take them over BULK_SECONDS."""
        begun = time.monotonic()
        for turn in range(turns):
            spent = time.monotonic() - begun
            if turn and spent * (turn + 1) / turn > BULK_SECONDS:
                return
            yield turn

    def _memory(self, stand: Stand) -> None:
        self.say(f"{stand.size:,}: {rows.MEMORY_PUSH}, receive, clone")
        place = stand.fresh_place()
        for name, peer in stand.peers.items():
            pushed = watch(self.site, peer.push_all(WATCHED, place), served=True)
            self.result.append(rows.MEMORY_PUSH, name, stand.size, "B", pushed.client)
            if pushed.server is None:
                row = rows.MEMORY_RECEIVE
                self.result.notes.append(f"{name}: {row} is unknown: it is killed at the end")
            else:
                self.result.append(rows.MEMORY_RECEIVE, name, stand.size, "B", pushed.server)
            into = stand.folder / name / "clone-watched"
            cloned = watch(self.site, peer.clone(WATCHED, stand.origin, into), served=False)
            self.result.append(rows.MEMORY_CLONE, name, stand.size, "B", cloned.client)
            shutil.rmtree(into, ignore_errors=True)

    def _pull(self, stand: Stand) -> None:
        for row, link in ((rows.PULL, DEFAULT), (rows.PULL_CURVE, CURVE)):
            pulling = {name: peer.pull(link) for name, peer in stand.peers.items()}
            self._alternate(stand, row, SMALL, pulling)

    def _give(self, stand: Stand) -> None:
        for row, link in ((rows.GIVE, DEFAULT), (rows.GIVE_CURVE, CURVE)):
            self._alternate_giving(stand, row, link, SMALL)

    def _far(self, stand: Stand) -> None:
        """The link's time does not depend on the size: only at the smallest."""
        if len(self._stands) == 1:
            pulling = {name: peer.pull(FAR) for name, peer in stand.peers.items()}
            self._alternate(stand, rows.PULL_FAR, BULK, pulling)
            self._alternate_giving(stand, rows.GIVE_FAR, FAR, BULK)

    def _reuse(self, stand: Stand) -> None:
        """What is saved does not depend on the size either. The others start ssh as git does."""
        if len(self._stands) > 1:
            return
        reusing = {
            name: peer for name, peer in stand.peers.items() if isinstance(peer, Git | Msglog)
        }
        with contextlib.ExitStack() as stack:
            for peer in reusing.values():
                stack.enter_context(open_master(peer.ssh_config))
                if isinstance(peer, Msglog):
                    stack.enter_context(peer.using_openssh())
            pulling = {name: peer.pull(REUSED) for name, peer in reusing.items()}
            self._alternate(stand, rows.REUSE_PULL, SMALL, pulling)
            for turn in range(-1, self.turns or SMALL):
                for name, peer in reusing.items():
                    seconds = timed([*peer.add(self._text()), *peer.push(REUSED)])
                    if turn >= 0:
                        self.result.append(rows.REUSE_GIVE, name, stand.size, "s", seconds)
        self._tell(stand, rows.REUSE_GIVE)

    def _alternate_giving(self, stand: Stand, row: str, link: str, turns: int) -> None:
        for turn in range(-1, self.turns or turns):
            for name, peer in stand.peers.items():
                seconds = timed([*peer.add(self._text()), *peer.push(link)])
                if turn >= 0:
                    self.result.append(row, name, stand.size, "s", seconds)
        self._tell(stand, row)

    def _add(self, stand: Stand) -> None:
        empty = empty_script(self.site.folder)
        for turn in range(-1, self.turns or SMALL):
            taken = {rows.NOTHING: timed([empty])}
            for name, peer in stand.peers.items():
                taken[name] = timed(peer.add(self._text()))
            if turn >= 0:
                for name, seconds in taken.items():
                    self.result.append(rows.ADD, name, stand.size, "s", seconds)
                git = stand.peers.get(Git.name)
                if isinstance(git, Git):
                    synced = timed(git.add_synced(self._text()))
                    self.result.append(rows.ADD_SYNCED, git.name, stand.size, "s", synced)
                    if rows.OURS in taken:
                        ours = taken[rows.OURS]
                        self.result.append(rows.ADD_SYNCED, rows.OURS, stand.size, "s", ours)
        self._tell(stand, rows.ADD)

    def _list(self, stand: Stand) -> None:
        newest: dict[str, Commands] = {rows.NOTHING: [empty_script(self.site.folder)]}
        newest |= {name: peer.newest(20) for name, peer in stand.peers.items()}
        self._alternate(stand, rows.NEWEST, SMALL, newest)
        everything = {name: peer.list_all() for name, peer in stand.peers.items()}
        for _ in self._affordable(self.turns or bulk_turns(stand.size)):
            self._alternate(stand, rows.ALL, 1, everything, warm=False)

    def _wire(self, stand: Stand) -> None:
        traffic = self.site.counted
        for name, peer in stand.peers.items():
            timed(peer.push(COUNTED))  # what other rows have added and not pushed
            timed(peer.pull(COUNTED))
            for row, giving in ((rows.WIRE_PULL, False), (rows.WIRE_GIVE, True)):
                if giving:
                    timed(peer.add(self._text()))
                before = traffic.sent + traffic.received
                timed(peer.push(COUNTED) if giving else peer.pull(COUNTED))
                spent = traffic.sent + traffic.received - before
                self.result.append(row, name, stand.size, "B", spent)
        self._tell(stand, rows.WIRE_GIVE)

    def _space(self, stand: Stand) -> None:
        for name, peer in stand.peers.items():
            spent = peer.server_bytes(stand.origin)
            self.result.append(rows.SPACE, name, stand.size, "B", spent)
        self._tell(stand, rows.SPACE)

    def _protocol(self, stand: Stand) -> None:
        """Counted in memory: no sockets take part, so one turn says all."""
        if stand.size > 1_000_000:
            return
        put = protocol_costs.put_index(
            build([protocol_costs.honest_key(number) for number in range(stand.size)])
        )
        for way, spent, trips in (
            ("pull", rows.PROTOCOL_PULL, rows.TRIPS_PULL),
            ("push", rows.PROTOCOL_PUSH, rows.TRIPS_PUSH),
            ("take", rows.PROTOCOL_TAKE, rows.TRIPS_TAKE),
        ):
            client, _ = protocol_costs.small(put, way)
            line = sum(len(word) + 1 for word in client.server.words[-1])
            total = client.traffic.sent + line + client.traffic.received
            self.result.append(spent, rows.OURS, stand.size, "B", total)
            self.result.append(trips, rows.OURS, stand.size, "", client.traffic.round_trips)
        self._tell(stand, rows.PROTOCOL_PUSH)

    def _alternate(
        self,
        stand: Stand,
        row: str,
        turns: int,
        contenders: Mapping[str, Commands],
        *,
        warm: bool = True,
        busy: str = "",
    ) -> None:
        """Run all contenders in turn. warm: one turn more, first, that is not counted.

        busy: the row for what all processors of the machine worked meanwhile, for whomever.
        """
        for turn in range(-1 if warm else 0, (self.turns or turns) if warm else turns):
            for name, commands in contenders.items():
                if commands:
                    worked = busy_seconds()
                    seconds = timed(commands)
                    worked = busy_seconds() - worked
                    if turn >= 0:
                        self.result.append(row, name, stand.size, "s", seconds)
                    if turn >= 0 and busy:
                        self.result.append(busy, name, stand.size, "s", worked)
        self._tell(stand, row)

    def _tell(self, stand: Stand, row: str) -> None:
        found = [self.result.find(row, name, stand.size) for name in (*stand.peers, rows.NOTHING)]
        shown = [f"{one.peer} {one.values[-1]:.4g}{one.unit}" for one in found if one]
        self.say(f"{stand.size:,}: {row}: {', '.join(shown)}")

    def _text(self) -> str:
        return body(self.words, self._chance)


def bulk_turns(size: int) -> int:
    """Return how often to repeat what goes through a whole history."""
    if size < 1_000_000:
        return BULK
    return 3 if size < 10_000_000 else 1

"""Cost against size: one log, filled on and on, is measured at every power of ten on its way.

What a process start would hide is measured twice: as a command on the private sshd, and as the same call of
the library in process, with client and server over SQLite stores in one process.
"""

import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msglog.index.change import insert
from msglog.index.walk import difference
from msglog.key import Key, key_time, make_key
from msglog.objectid import ObjectId, object_id
from msglog.repository import Repository
from msglog.store.store import Commit
from tests.bench import curves, rows
from tests.bench.command import Command, Commands, output, timed
from tests.bench.corpus import Vocabulary, body
from tests.bench.curves import COMMAND, LIBRARY, MEMORY, NODES, RECENT, SCATTERED, WRITTEN
from tests.bench.msglog import SCRIPT, Msglog
from tests.bench.peak import watch
from tests.bench.result import Result
from tests.bench.site import DEFAULT, Site
from tests.bench.stock import copy_store, fill, honest_messages
from tests.plumbing.peers import Client, Server, message

TURNS, COMMAND_TURNS, WALK_TURNS = 15, 5, 3
LINEAR_SECONDS = 150.0
"""What goes through a whole log is left out where it would take longer, and named."""

LONG_SECONDS = 1.0
"""A walk that takes longer is not repeated: what disturbs it is small beside it."""

PART = 10_000
"""So many scattered keys are inserted at once: their nodes are held in memory meanwhile."""

PLACE = "place"
SECOND = 1_000_000
IO = Path("/proc/self/io")

Say = Callable[[str], None]


@dataclass(slots=True)
class Scale:
    """Measures the curves into a result."""

    site: Site
    words: Vocabulary
    seed: int
    result: Result
    say: Say
    turns: int | None = None
    _linear: dict[str, tuple[int, float]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 40)))
    _chance: random.Random = field(default_factory=lambda: random.Random(0))

    def measure(self, sizes: Sequence[int]) -> None:
        folder = self.site.folder / "scale"
        trunk = folder / "trunk"
        Repository.create(trunk, identity=bytes(16), time=0).close()
        stream = honest_messages(self.words, self.seed)
        held = 0
        for size in sorted(sizes):
            self.say(f"scale {size:,}: fills")
            repository = Repository.open(trunk)
            fill(repository, stream, size - held)
            repository.close()
            held = size
            peer = Msglog(self.site, folder / f"scale-{size}" / Msglog.name)
            peer.begin()
            peer.make_server(PLACE)
            for target in (peer.repository, peer.server(PLACE)):
                copy_store(trunk, target)
            self._in_process(size, peer)
            self._differences(size, peer)
            self._commands(size, peer)
            shutil.rmtree(folder / f"scale-{size}")
        shutil.rmtree(folder)

    # In process

    def _in_process(self, size: int, peer: Msglog) -> None:
        server = Server()
        client = Client(1, server)
        client.repository = Repository.open(peer.repository)
        server.repository = Repository.open(peer.server(PLACE))
        try:
            root = client.repository.log("main").root
            newest = key_time(next(client.repository.keys(root, reverse=True)))
            for turn in range(-1, self.turns or TURNS):
                moment = newest + (turn + 2) * SECOND
                self._turn(size, client, moment, counted=turn >= 0)
        finally:
            client.repository.close()
            server.repository.close()
        self._tell(size, curves.ADD, curves.PUSH, curves.PULL)

    def _turn(self, size: int, client: Client, moment: int, *, counted: bool) -> None:
        """Add one, push it, and pull nothing."""
        number = next(self._numbers)
        data = message(number, body=body(self.words, self._chance), time=moment)
        key = make_key(moment, object_id(data))
        repository = client.repository
        root = repository.log("main").root
        made = len(insert(repository.store.read_nodes, root, [key]).nodes)
        acts: list[tuple[curves.Operation, Callable[[], object]]] = [
            (curves.ADD, lambda: repository.add("main", {key: data}, time=0)),
            (curves.PUSH, client.push),
            (curves.PULL, client.pull),
        ]
        for operation, act in acts:
            written, seconds = _written(), _seconds(act)
            written = _written() - written
            if counted:
                self._append(operation, LIBRARY, size, seconds)
                self._append(operation, WRITTEN, size, written)
        if counted:
            self._append(curves.ADD, NODES, size, made)

    def _differences(self, size: int, peer: Msglog) -> None:
        """Compare the log with itself and k keys more, whose nodes are stored as those of a fetch are."""
        repository = Repository.open(peer.repository)
        try:
            root = repository.log("main").root
            first = key_time(next(repository.keys(root)))
            newest = key_time(next(repository.keys(root, reverse=True)))
            for k in curves.DIFFERENCES:
                if k > size:
                    continue
                for kind, low, high in (
                    (RECENT, newest, newest + k * SECOND),
                    (SCATTERED, first, newest),
                ):
                    more = self._keys(k, low, high)
                    self._difference(size, peer, kind[k], repository, more=more)
        finally:
            repository.close()
        self._tell(size, *(kind[k] for k in curves.DIFFERENCES for kind in (RECENT, SCATTERED)))

    def _keys(self, count: int, low: int, high: int) -> list[Key]:
        """Return keys of messages that need not exist: a difference of indexes reads none."""
        chance = self._chance
        return sorted(
            make_key(low + 1 + int(chance.random() * (high - low)), object_id(chance.randbytes(16)))
            for _ in range(count)
        )

    def _difference(
        self,
        size: int,
        peer: Msglog,
        operation: curves.Operation,
        repository: Repository,
        *,
        more: list[Key],
    ) -> None:
        root = repository.log("main").root
        target = root
        store = repository.store
        for low in range(0, len(more), PART):
            index = insert(store.read_nodes, target, more[low : low + PART])
            store.commit(Commit(0, "made", nodes=index.nodes))
            target = index.root
        reads = 0

        def read(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
            nonlocal reads
            reads += len(ids)
            return store.read_nodes(ids)

        if sum(1 for _ in difference(read, root, target)) != len(more):
            raise AssertionError("a difference is not what was put in")
        self._append(operation, NODES, size, reads)
        for _ in range(self.turns or WALK_TURNS):
            seconds = _seconds(lambda: sum(1 for _ in repository.difference(root, target)))
            self._append(operation, LIBRARY, size, seconds)
            if seconds > LONG_SECONDS:
                break
        self._command(size, operation, [peer.run("diff-index", root.hex(), target.hex())], turns=1)

    # Commands

    def _commands(self, size: int, peer: Msglog) -> None:
        peer.connect(PLACE)
        pulling = peer.pull(DEFAULT)
        timed(pulling)
        timed(peer.push(DEFAULT))
        for _ in range(self.turns or COMMAND_TURNS):
            adding = peer.add(body(self.words, self._chance))
            for operation, commands in (
                (curves.ADD, adding),
                (curves.PUSH, peer.push(DEFAULT)),
                (curves.PULL, pulling),
            ):
                self._append(operation, COMMAND, size, timed(commands))
        self._command(size, curves.ADD, peer.add(body(self.words, self._chance)), turns=0)
        self._command(size, curves.PUSH, peer.push(DEFAULT), turns=0)
        self._command(size, curves.PULL, pulling, turns=0)
        self._tell(size, curves.ADD, curves.PUSH, curves.PULL)
        self._linear_command(size, curves.VERIFY, [peer.at_server(PLACE, "verify", "-q")])
        if has_gc():
            self._linear_command(size, curves.GC, [peer.at_server(PLACE, "gc", "-q")])
        else:
            self._note("gc: not measured: this version has no such command")

    def _linear_command(
        self, size: int, operation: curves.Operation, commands: list[Command]
    ) -> None:
        """Run a command through a whole log once, unless the size before says that it takes too long."""
        if before := self._linear.get(operation.name):
            least, seconds = before  # far smaller ones only tell how long a start takes
            if size <= 10 * least and seconds * size / least > LINEAR_SECONDS:
                self._note(
                    f"{operation.name} of {size:,}: not measured: {least:,} took {seconds:.0f} s, and"
                    f" {LINEAR_SECONDS:.0f} s is the most for one row"
                )
                return
        self._linear[operation.name] = size, self._command(size, operation, commands, turns=1)
        self._tell(size, operation)

    def _command(
        self, size: int, operation: curves.Operation, commands: Commands, *, turns: int
    ) -> float:
        """Run once with an eye on the memory; turns: 1 where this is also the figure of the time."""
        peak = watch(self.site, commands, served=False)
        self._append(operation, MEMORY, size, peak.client)
        if turns:
            self._append(operation, COMMAND, size, peak.seconds)
        return peak.seconds

    def _append(self, operation: curves.Operation, measure: str, size: int, value: float) -> None:
        unit = curves.UNITS[measure]
        self.result.append(operation.row(measure), rows.OURS, size, unit, value)

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)
        self.say(text)

    def _tell(self, size: int, *operations: curves.Operation) -> None:
        for operation in operations:
            found = [
                f"{measure} {min(series.values):.4g}{series.unit}"
                for measure in curves.MEASURES
                if (series := self.result.find(operation.row(measure), rows.OURS, size))
            ]
            if found:
                self.say(f"scale {size:,}: {operation.name}: {', '.join(found)}")


def has_gc() -> bool:
    """Tell whether this version knows `gc`: what it says of an unknown command names none."""
    return output(str(SCRIPT), "gc", "--help").startswith("usage: msglog gc")


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _written() -> int:
    """Return the bytes that this process has handed to the kernel to be written."""
    fields = dict(line.split(": ") for line in IO.read_text().splitlines())
    return int(fields["wchar"])

"""Logs that are not the usual: a thousand in one repository, huge messages, and all at one time."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msglog.dataclass import replace
from msglog.message import Message, object_key
from msglog.repository import Repository
from tests.bench import rows
from tests.bench.command import timed
from tests.bench.corpus import START, Entry, Vocabulary, body, entries
from tests.bench.git import Git
from tests.bench.msglog import Msglog
from tests.bench.peak import watch
from tests.bench.result import Result
from tests.bench.shape import shape
from tests.bench.site import DEFAULT, WATCHED, Site

LOG_NUMBERS = (1, 1000)
IN_EACH = 3
LARGE, LARGE_BYTES = 32, 1 << 20
CROWD = 100_000
TURNS, LARGE_TURNS = 3, 2

Say = Callable[[str], None]


@dataclass(slots=True)
class Extremes:
    """Measures them into a result. crowd: how many messages there are at one time."""

    site: Site
    words: Vocabulary
    seed: int
    result: Result
    say: Say
    turns: int | None = None
    crowd: int = CROWD
    _chance: random.Random = field(default_factory=lambda: random.Random(0))

    def measure(self) -> None:
        for act in (self.many_logs, self.large_messages, self.one_time):
            act()

    def many_logs(self) -> None:
        """Measure what one log of many costs; a pull or a push is of all of them."""
        for number in LOG_NUMBERS:
            peer = self._peer(f"logs-{number}")
            peer.begin()
            self._make_logs(peer.repository, number)
            peer.make_server("place")
            first = timed(peer.push_all(DEFAULT, "place"))
            self._append(rows.LOGS_FIRST, number, "s", first)
            peer.connect("place")
            timed(peer.pull(DEFAULT))
            for _ in range(self.turns or TURNS):
                for row, commands in (
                    (rows.LOGS_ADD, peer.add(self._text())),
                    (rows.LOGS_STATUS, [peer.run("status")]),
                    (rows.LOGS_PUSH, peer.push(DEFAULT)),
                    (rows.LOGS_PULL, peer.pull(DEFAULT)),
                ):
                    self._append(row, number, "s", timed(commands))
            self._tell(number, *rows.GROUPS["logs"])
            shutil.rmtree(self._folder(f"logs-{number}"))

    def _make_logs(self, path: Path, number: int) -> None:
        repository = Repository.open(path)
        try:
            for position in range(number):
                log = f"team/log{position:04}" if position else "main"
                if position:
                    repository.create_log(log, time=0)
                some = [self._message(START + position * 1_000_000 + one) for one in range(IN_EACH)]
                repository.add(log, {object_key(data): data for data in some}, time=0)
        finally:
            repository.close()

    def _message(self, time: int) -> bytes:
        return Message(self._chance.randbytes(16), time, 0, "ann", self._text()).encode()

    def large_messages(self) -> None:
        """Measure messages of a mebibyte, both sides' memory as well, beside git."""
        made = list(self._large())
        peers = (Git(self.site, self._folder("large") / "git"), self._peer("large"))
        for peer in peers:
            peer.fill(made)
        for turn in range(self.turns or LARGE_TURNS):
            place = f"place{turn}"
            for peer in peers:
                peer.make_server(place)
                pushed = watch(self.site, peer.push_all(WATCHED, place), served=True)
                into = self._folder("large") / peer.name / "clone"
                cloned = watch(self.site, peer.clone(WATCHED, place, into), served=True)
                shutil.rmtree(into)
                for row, unit, value in (
                    (rows.LARGE_PUSH, "s", pushed.seconds),
                    (rows.LARGE_CLONE, "s", cloned.seconds),
                    (rows.LARGE_MEMORY_PUSH, "B", pushed.client),
                    (rows.LARGE_MEMORY_RECEIVE, "B", pushed.server),
                    (rows.LARGE_MEMORY_CLONE, "B", cloned.client),
                    (rows.LARGE_MEMORY_SEND, "B", cloned.server),
                ):
                    if value is not None:
                        self.result.append(row, peer.name, LARGE, unit, value)
        self._tell(LARGE, *rows.GROUPS["large"])
        shutil.rmtree(self._folder("large"))

    def _large(self) -> Iterator[Entry]:
        for number, entry in enumerate(entries(self.words, LARGE, self.seed)):
            words = self._chance.choices(
                self.words.words, cum_weights=self.words.totals, k=LARGE_BYTES // 2
            )
            text = " ".join(words)[:LARGE_BYTES]
            yield replace(entry, log="main", body=text, time=START + number)

    def one_time(self) -> None:
        """Measure a log whose messages all have one time, beside one of honest times."""
        honest = [
            replace(entry, log="main") for entry in entries(self.words, self.crowd, self.seed)
        ]
        kinds = {
            rows.OURS: [replace(entry, time=START) for entry in honest],
            rows.HONEST: honest,
        }
        peers = {name: self._peer(f"one-time-{number}") for number, name in enumerate(kinds)}
        for name, peer in peers.items():
            peer.begin()
            half = self.crowd // 2  # a batch is bounded by its bytes
            seconds = sum(
                timed(peer.fill_by_command(part, "main"))
                for part in (kinds[name][:half], kinds[name][half:])
            )
            self.result.append(rows.MOMENT_ADD, name, self.crowd, "s", seconds)
            repository = Repository.open(peer.repository)
            found = shape(repository.store.read_nodes, repository.log("main").root)
            repository.close()
            self.result.append(rows.MOMENT_NODE, name, self.crowd, "B", found.largest)
            self.result.append(rows.MOMENT_DEPTH, name, self.crowd, "", found.depth)
        for turn in range(self.turns or TURNS):
            place = f"place{turn}"
            for name, peer in peers.items():
                peer.make_server(place)
                pushed = timed(peer.push_all(DEFAULT, place))
                into = peer.repository.parent.parent / f"pulling{turn}"
                pulled = timed(peer.pull_into(DEFAULT, place, into))
                self.result.append(rows.MOMENT_PUSH, name, self.crowd, "s", pushed)
                self.result.append(rows.MOMENT_PULL, name, self.crowd, "s", pulled)
                shutil.rmtree(into)
        self._tell(self.crowd, *rows.GROUPS["moment"])
        for number in range(len(kinds)):
            shutil.rmtree(self._folder(f"one-time-{number}"))

    def _folder(self, name: str) -> Path:
        return self.site.folder / name

    def _peer(self, name: str) -> Msglog:
        return Msglog(self.site, self._folder(name) / Msglog.name)

    def _text(self) -> str:
        return body(self.words, self._chance)

    def _append(self, row: str, size: int, unit: str, value: float) -> None:
        self.result.append(row, rows.OURS, size, unit, value)

    def _tell(self, size: int, *names: str) -> None:
        for row in names:
            found = [
                f"{series.peer} {min(series.values):.4g}{series.unit}"
                for series in self.result.series
                if (series.row, series.size) == (row, size)
            ]
            self.say(f"{size:,}: {row}: {', '.join(found)}")

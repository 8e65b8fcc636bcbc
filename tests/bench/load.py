"""Many clients at once, each pushing small batches as often as it can, into one server account.

Of msglog every client is a user with a key and a repository of its own, and all push into one log. Of git
every client has a branch of its own in one repository: two that push to one branch would have to fetch and
rebase first. Bounded: no cycle begins after the given time, and a command that hangs is ended.

CPU time of clients is that of the started processes and what they waited for (wait4); that of servers is what
sshd and its ended children have used (/proc/PID/stat), and what it left behind (see `orphans`). What measures
takes part in neither.
"""

import math
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

from msglog.dataclass import replace
from msglog.repository import Repository
from tests.bench import rows
from tests.bench.command import Command, output
from tests.bench.corpus import Entry, Vocabulary, body, entries
from tests.bench.git import Git, fast_import_stream
from tests.bench.msglog import Msglog
from tests.bench.orphans import Orphans, adopting
from tests.bench.peer import Peer
from tests.bench.result import Result
from tests.bench.site import LOADED, Site

MOST_MESSAGES = 5
HISTORY = 1000
PLACE = "shared"
PATIENCE = 180.0
"""Seconds after which a command counts as hanging: 128 clients on two cores wait for long."""

IDLE_SECONDS = 20.0
SHOWN = 20
GIVEN_UP = 3
"""A client stops after so many failures: the row has failed anyway."""

Say = Callable[[str], None]


class LoadError(Exception):
    """The load could not be put on, or the server lacks what it acknowledged."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one command took: seconds of wall clock and of CPU, and its complaint, "" if it worked.

    status, said: how it ended, and the last line that it said of that.
    """

    seconds: float
    processor: float
    complaint: str
    status: int = 0
    said: str = ""


class Worker(Protocol):
    """One client: how it adds some messages, from bytes on standard input, and how it pushes."""

    def adding(self, texts: Sequence[str]) -> tuple[Command, bytes]: ...

    def pushing(self) -> Command: ...


class Crowd(Protocol):
    """A program with many clients of one server. name, durability: as of its Peer."""

    name: str

    def workers(self, number: int) -> Sequence[Worker]: ...

    def arrived(self) -> int:
        """Return how many messages the server has."""


@dataclass(slots=True)
class Tally:
    """What clients have done so far; several threads write to it under its lock."""

    messages: int = 0
    pushes: list[Spent] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Load:
    """Measures the load into a result. seconds: how long clients begin new batches."""

    site: Site
    words: Vocabulary
    result: Result
    say: Say
    seconds: float
    _texts: Sequence[str] = ()

    def measure(self, numbers: Sequence[int], kinds: Sequence[type[Peer]]) -> bool:
        """Return whether every push worked."""
        chance = random.Random(0)
        self._texts = [body(self.words, chance) for _ in range(1000)]
        folder = self.site.folder / "load"
        history = list(islice(entries(self.words, 2 * HISTORY, 1), HISTORY))
        history = [replace(entry, log="main") for entry in history]
        crowds: list[Crowd] = []
        makers: dict[str, Callable[[], Crowd]] = {
            Git.name: lambda: GitCrowd(self.site, folder / Git.name, history),
            Msglog.name: lambda: MsglogCrowd(self.site, folder / Msglog.name, history),
        }
        for kind in kinds:
            if kind.name in makers:
                self.say(f"load: makes {max(numbers)} clients of {kind.name}")
                crowds.append(makers[kind.name]())
        workers = {crowd.name: crowd.workers(max(numbers)) for crowd in crowds}
        sound = True
        with adopting() as orphans:
            for number in sorted(numbers):
                for crowd in crowds:
                    sound = self._run(crowd, workers[crowd.name][:number], orphans) and sound
        shutil.rmtree(folder)
        return sound

    def _run(self, crowd: Crowd, workers: Sequence[Worker], orphans: Orphans) -> bool:
        sshd = self.site.sshds[LOADED].pid
        await_idle(sshd)
        before, server = crowd.arrived(), processor_seconds(sshd)
        tally = Tally()
        begun = time.monotonic()
        deadline = begun + self.seconds
        threads = [
            threading.Thread(target=self._work, args=(worker, number, deadline, tally))
            for number, worker in enumerate(workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begun
        if not await_idle(sshd):
            tally.failures.append("sessions of sshd are still there")
        left, killed = orphans.collect()
        server = processor_seconds(sshd) - server + left
        if killed:
            tally.failures.append(f"{killed} processes of the server did not end")
        if (there := crowd.arrived() - before) < tally.messages:
            tally.failures.append(f"{tally.messages} acknowledged, and the server has {there}")
        self._record(crowd, len(workers), tally, seconds, server)
        return not tally.failures

    def _work(self, worker: Worker, number: int, deadline: float, tally: Tally) -> None:
        """Add and push until the time is over; at least once."""
        chance = random.Random(number)
        failed = 0
        while failed < GIVEN_UP:
            texts = [chance.choice(self._texts) for _ in range(chance.randint(1, MOST_MESSAGES))]
            command, stdin = worker.adding(texts)
            added = spend(command, stdin)
            pushed = replace(added, seconds=0.0) if added.complaint else spend(worker.pushing())
            with tally.lock:
                if pushed.complaint:
                    failed += 1
                    tally.failures.append(f"client {number}: {pushed.complaint}")
                else:
                    tally.pushes.append(pushed)
                    tally.messages += len(texts)
            if time.monotonic() >= deadline:
                return

    def _record(
        self, crowd: Crowd, number: int, tally: Tally, seconds: float, server: float
    ) -> None:
        found: list[tuple[str, str, float]] = [
            (rows.LOAD_FAILURES, "", float(len(tally.failures))),
        ]
        if done := len(tally.pushes):
            times = sorted(spent.seconds for spent in tally.pushes)
            client = sum(spent.processor for spent in tally.pushes)
            found += [
                (rows.LOAD_RATE, "/s", done / seconds),
                (rows.LOAD_MESSAGES, "/s", tally.messages / seconds),
                (rows.LOAD_MIDDLE, "s", percentile(times, 50)),
                (rows.LOAD_SLOWEST, "s", percentile(times, 99)),
                (rows.LOAD_CLIENT, "s", client / done),
                (rows.LOAD_SERVER, "s", server / done),
            ]
        for row, unit, value in found:
            self.result.append(row, crowd.name, number, unit, value)
        shown = ", ".join(f"{row.removeprefix('load: ')} {value:.3g}" for row, _, value in found)
        self.say(f"load: {number} clients of {crowd.name}, {done} pushes: {shown}")
        for line in tally.failures[:SHOWN]:
            note = f"load: {number} clients of {crowd.name}: {line}"
            self.result.notes.append(note)
            self.say(note)


def spend(command: Command, stdin: bytes = b"") -> Spent:
    """Run a command to its end, or end it and all its children after PATIENCE."""
    with TemporaryFile() as said, TemporaryFile() as fed:
        fed.write(stdin)
        fed.seek(0)
        begun = time.perf_counter()
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=command.environment,
            stdin=fed,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        watchdog = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        watchdog.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        complaint, line, code = "", "", process.returncode
        if code:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines() or ["says nothing"]
            line = lines[-1]
            complaint = f"{' '.join(command.words[1:3])}: exit status {code}: {line}"
        return Spent(seconds, usage.ru_utime + usage.ru_stime, complaint, code, line)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least figure that so many of a hundred do not exceed; ordered: ascending, not empty."""
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def processor_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def await_idle(pid: int) -> bool:
    """Wait until a process has no children; return whether that is so."""
    deadline = time.monotonic() + IDLE_SECONDS
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while children.read_text().strip():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True, slots=True)
class MsglogWorker:
    peer: Msglog

    def adding(self, texts: Sequence[str]) -> tuple[Command, bytes]:
        return self.peer.run("add", "-q", "--batch"), "".join(
            f"{text}\n" for text in texts
        ).encode()

    def pushing(self) -> Command:
        return self.peer.run("push", "-q", "origin")


class MsglogCrowd:
    """See `Crowd`: every client has an account's user, a key and a repository of its own."""

    name = Msglog.name

    def __init__(self, site: Site, folder: Path, history: Sequence[Entry]) -> None:
        self._first = Msglog(site, folder)
        self._first.fill(history)
        self._first.make_server(PLACE)
        _must(self._first.push_all(LOADED, PLACE)[0])
        _must(self._first.run("remote", "add", "origin", f"{LOADED}:{PLACE}"))
        _must(self._first.run("pull", "-q", "origin"))

    def workers(self, number: int) -> Sequence[MsglogWorker]:
        return [MsglogWorker(peer) for peer in self._first.others(number)]

    def arrived(self) -> int:
        repository = Repository.open(self._first.server(PLACE))
        try:
            return repository.log("main").count
        finally:
            repository.close()


@dataclass(frozen=True, slots=True)
class GitWorker:
    peer: Git
    branch: str

    def adding(self, texts: Sequence[str]) -> tuple[Command, bytes]:
        made = [
            # The author tells commits of two branches apart: git would take them for one.
            Entry(self.branch, int(time.time() * 1_000_000), self.branch, text, b"")
            for text in texts
        ]
        parent = f"from refs/heads/{self.branch}^0\n".encode()
        first, *others = fast_import_stream(made)
        stream = b"".join([first.removesuffix(b"\n"), b"\n", parent, *others])
        return self.peer.run("fast-import", "--quiet"), stream

    def pushing(self) -> Command:
        return self.peer.run("push", "-q", LOADED, self.branch)


class GitCrowd:
    """See `Crowd`: a branch and a repository for each client, one account of sshd."""

    name = Git.name

    def __init__(self, site: Site, folder: Path, history: Sequence[Entry]) -> None:
        self._first = Git(site, folder)
        self._first.fill(history)
        self._first.make_server(PLACE)
        _must(self._first.push_all(LOADED, PLACE)[0])
        _must(self._first.run("remote", "add", LOADED, self._first.url(LOADED, PLACE)))

    def workers(self, number: int) -> Sequence[GitWorker]:
        found = []
        for position in range(number):
            peer, branch = self._first.other(position), f"client{position}"
            _must(peer.run("branch", branch, "main"))
            found.append(GitWorker(peer, branch))
        return found

    def arrived(self) -> int:
        words = ("git", "--git-dir", str(self._first.server(PLACE)), "rev-list", "--all", "--count")
        return int(output(*words))


def _must(command: Command) -> None:
    if complaint := spend(command).complaint:
        raise LoadError(complaint)

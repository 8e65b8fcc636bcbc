"""Many real processes at once, over a real sshd and in one repository: what is lost, and who waits how long.

Only counts decide: whether every command did what it should, and whether everything that was acknowledged
is in the end where it should be. Seconds and bytes are for people.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from msglog.dataclass import replace
from msglog.layout import STORE_NAME
from msglog.repository import Repository
from msglog.sqlite_file import wal_size
from tests.bench.command import Command
from tests.bench.corpus import Vocabulary, entries
from tests.bench.load import PLACE, MsglogCrowd, percentile, spend
from tests.bench.msglog import Msglog
from tests.bench.site import Site

HISTORY = 2000
MOST_MESSAGES = 5
GIVEN_UP = 3
"""Somebody stops after so many failures: the run has failed anyway."""

SAMPLE_SECONDS = 0.02
GC_SECONDS = 2.0
DAMAGED = " damaged"
"""What `verify` says of a ref with damage; naming it keeps what is said, also with `-q`."""


@dataclass
class Tally:
    """What was done so far: seconds by kind of command, what failed, what was acknowledged, the longest log."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    wal_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str, seconds: float, texts: tuple[str, ...] = ()) -> None:
        with self._lock:
            self.seconds[kind].append(seconds)
            self.acknowledged.update(texts)

    def fail(self, text: str) -> None:
        with self._lock:
            self.failures.append(text)

    def lines(self, seconds: float) -> Iterator[str]:
        """Yield the figures, for people."""
        for kind in sorted(self.seconds):
            times = sorted(self.seconds[kind])
            yield (
                f"  {kind}: {len(times)}, {len(times) / seconds:.1f}/s, half within"
                f" {percentile(times, 50):.2f} s, 99% within {percentile(times, 99):.2f} s,"
                f" worst {times[-1]:.2f} s"
            )
        yield f"  acknowledged messages: {len(self.acknowledged)}"
        for name, size in sorted(self.wal_bytes.items()):
            yield f"  longest write-ahead log of {name}: {size / 1e6:.1f} MB"
        yield f"  failures: {len(self.failures)}"
        yield from (f"    {line}" for line in self.failures[:20])


@dataclass
class Crowd:
    """Runs people beside each other until a time is over; each does at least one thing."""

    tally: Tally
    seconds: float
    seed: int
    _people: list[Callable[[], None]] = field(default_factory=list)
    _deadline: float = 0.0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def chance(self) -> random.Random:
        """Return what decides for one person: the same in each run with this seed."""
        return random.Random(f"{self.seed} {len(self._people)}")

    def join(self, act: Callable[[], bool], *, pause: float = 0.0) -> None:
        """Have somebody do this again and again. act: returns whether it went as it should."""

        def live() -> None:
            failed = 0
            while failed < GIVEN_UP:
                failed += not act()
                if time.monotonic() + pause >= self._deadline:
                    return
                time.sleep(pause)

        self._people.append(live)

    def do(
        self, kind: str, command: Command, stdin: bytes = b"", texts: tuple[str, ...] = ()
    ) -> bool:
        """Run one command, which must work. texts: what it acknowledges."""
        spent = spend(command, stdin)
        if spent.complaint:
            self.tally.fail(f"{kind}: {spent.complaint}")
        else:
            self.tally.count(kind, spent.seconds, texts)
        return not spent.complaint

    def text(self) -> str:
        return f"message {next(self._numbers)} of this run"

    def run(self) -> float:
        """Run everybody; return how long it took."""
        begun = time.monotonic()
        self._deadline = begun + self.seconds
        threads = [threading.Thread(target=person) for person in self._people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - begun


@contextmanager
def sampling(tally: Tally, name: str, store: Path) -> Iterator[None]:
    """Watch the length of a store's write-ahead log until the block ends."""
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            tally.wal_bytes[name] = max(tally.wal_bytes[name], wal_size(store))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass
class Server:
    """A server account with a history, and any number of clients with a copy of it."""

    clients: list[Msglog]

    @classmethod
    def make(cls, site: Site, words: Vocabulary, name: str, clients: int) -> "Server":
        history = islice(entries(words, 2 * HISTORY, 1), HISTORY)
        made = [replace(entry, log="main") for entry in history]
        crowd = MsglogCrowd(site, site.folder / name / name, made)
        return cls([worker.peer for worker in crowd.workers(clients)])

    @property
    def folder(self) -> Path:
        return self.clients[0].server(PLACE)

    def admin(self, *words: str) -> Command:
        account = str(self.folder.parents[1])
        return self.clients[0].run("admin", *words, "--account", account)

    def bodies(self) -> list[str]:
        """Return what the server has in the end."""
        return _bodies(self.clients[0].at_server(PLACE, "list", "--json"))


def _bodies(command: Command) -> list[str]:
    done = subprocess.run(
        command.words,
        cwd=command.folder,
        env=dict(command.environment),
        capture_output=True,
        check=True,
    )
    return [json.loads(line)["body"] for line in done.stdout.splitlines()]


def push_and_pull(server: Server, crowd: Crowd, pushers: int, pullers: int) -> None:
    """Put on the load of a server: pushers, pullers, a verifier, gc, an administrator, slow readers."""
    for client in server.clients[:pushers]:
        _join_pusher(crowd, client)
    for client in server.clients[pushers : pushers + pullers]:
        crowd.join(lambda client=client: crowd.do("pull", client.run("pull", "-q")))  # type: ignore[misc]
    reader = server.clients[0]
    verify = replace(reader.at_server(PLACE, "verify", "-q"), failure=DAMAGED)
    crowd.join(lambda: crowd.do("verify at the server", verify))
    gc = server.admin("gc", "-q", PLACE)
    crowd.join(lambda: crowd.do("admin gc", gc), pause=min(GC_SECONDS, crowd.seconds / 4))
    crowd.join(lambda: _hire_and_dismiss(crowd, server), pause=min(1.0, crowd.seconds / 4))
    slow = server.clients[-1]
    crowd.join(lambda: _held(crowd, "list, held open", reader.at_server(PLACE, "list")))
    copies = itertools.count()
    crowd.join(
        lambda: _frozen(crowd, "clone, frozen", _cloning(slow, f"copy{next(copies)}")),
    )


def _cloning(client: Msglog, name: str) -> Command:
    return client.run("clone", "-q", f"loaded:{PLACE}", name)


def _join_pusher(crowd: Crowd, client: Msglog) -> None:
    chance = crowd.chance()
    unsent: list[str] = []

    def push() -> bool:
        texts = [crowd.text() for _ in range(chance.randint(1, MOST_MESSAGES))]
        stdin = "".join(f"{text}\n" for text in texts).encode()
        if not crowd.do("add", client.run("add", "-q", "--batch"), stdin):
            return False
        unsent.extend(texts)
        done = crowd.do("push", client.run("push", "-q"), texts=tuple(unsent))
        if done:
            unsent.clear()
        return done

    crowd.join(push)


def _hire_and_dismiss(crowd: Crowd, server: Server) -> bool:
    """Somebody gets access and loses it again: all others ask the same tables meanwhile."""
    name = "guest"
    return crowd.do(
        "admin user add", server.admin("user", "add", name, "--role", "read")
    ) and crowd.do("admin user remove", server.admin("user", "remove", name))


def _held(crowd: Crowd, kind: str, command: Command) -> bool:
    """Start a command whose output nobody reads until the time is nearly over."""
    return _apart(crowd, kind, command, lambda _: None)


def _frozen(crowd: Crowd, kind: str, command: Command) -> bool:
    """Stop a command in its middle, and let it go on later."""

    def stop(process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGSTOP)

    return _apart(crowd, kind, command, stop)


def _apart(
    crowd: Crowd,
    kind: str,
    command: Command,
    hold: Callable[["subprocess.Popen[bytes]"], None],
) -> bool:
    process = subprocess.Popen(
        command.words,
        cwd=command.folder,
        env=dict(command.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    begun = time.monotonic()
    time.sleep(min(0.5, crowd.seconds / 8))
    hold(process)
    time.sleep(crowd.seconds / 3)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate()
    if process.returncode:
        crowd.tally.fail(f"{kind}: exit status {process.returncode}: {said.decode()[-300:]}")
        return False
    crowd.tally.count(kind, time.monotonic() - begun)
    return True


def share_one(client: Msglog, crowd: Crowd, number: int) -> None:
    """Have some people do everything in one repository at once, one of them with `sync --every`."""
    for _ in range(number):
        _join_user(crowd, client)
    crowd.join(lambda: _sync_every(crowd, client))


def _join_user(crowd: Crowd, client: Msglog) -> None:
    chance = crowd.chance()

    def act() -> bool:
        kind = chance.choice(("add", "add", "add", "list", "show", "pull", "push", "gc", "verify"))
        words: tuple[str, ...] = (kind, "-q")
        texts: tuple[str, ...] = ()
        if kind == "add":
            texts = (crowd.text(),)
            words = ("add", "-q", "-m", *texts)
        elif kind == "list":
            words = ("list", "-n", "50")
        elif kind == "show":
            words = ("show", _newest(client))
        command = client.run(*words)
        if kind == "verify":
            command = replace(command, failure=DAMAGED)
        return crowd.do(kind, command, texts=texts)

    crowd.join(act)


def _newest(client: Msglog) -> str:
    repository = Repository.open(client.repository)
    try:
        key = next(repository.keys(repository.log("main").root, reverse=True))
        return key[8:].hex()[:16]
    finally:
        repository.close()


def _sync_every(crowd: Crowd, client: Msglog) -> bool:
    """Run `sync --every` for most of the time; SIGTERM is how it ends well."""
    command = client.run("sync", "-q", "--every", "5s")
    process = subprocess.Popen(
        command.words,
        cwd=command.folder,
        env=dict(command.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    begun = time.monotonic()
    try:
        _, said = process.communicate(timeout=crowd.seconds * 0.8)
    except subprocess.TimeoutExpired:
        process.terminate()
        _, said = process.communicate()
    if process.returncode or said.strip():
        crowd.tally.fail(f"sync --every: exit status {process.returncode}: {said.decode()[-300:]}")
        return False
    crowd.tally.count("sync --every", time.monotonic() - begun)
    return True


def check(tally: Tally, bodies: list[str], *places: Path) -> None:
    """Note as failures what is not there that was acknowledged, and what is not sound."""
    there = set(bodies)
    for text in sorted(tally.acknowledged - there):
        tally.fail(f"acknowledged and not there: {text}")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    script = str(Path(sys.executable).with_name("msglog"))
    for place in places:
        words = (script, "verify", "-q")
        command = Command(words, place, {**environment, "MSGLOG_DIR": str(place)})
        spent = spend(command)
        if spent.complaint:
            tally.fail(f"{place}: {spent.complaint}")


def run_server(
    site: Site, words: Vocabulary, *, pushers: int, pullers: int, seconds: float, seed: int
) -> tuple[Tally, float]:
    """Run the load of a server, and check what came of it; return the figures and the seconds."""
    server = Server.make(site, words, "busy", pushers + pullers)
    tally = Tally()
    crowd = Crowd(tally, seconds, seed)
    push_and_pull(server, crowd, pushers, pullers)
    with sampling(tally, "the server", server.folder / STORE_NAME):
        took = crowd.run()
    last = server.clients[pushers]
    crowd.do("last pull", last.run("pull", "-q"))
    check(tally, server.bodies(), server.folder, last.repository)
    missing = tally.acknowledged - set(_bodies(last.run("list", "--json")))
    if missing:
        tally.fail(f"a pull left out {len(missing)} messages")
    return tally, took


def run_local(
    site: Site, words: Vocabulary, *, people: int, seconds: float, seed: int
) -> tuple[Tally, float]:
    """Run people in one repository, and check what came of it."""
    server = Server.make(site, words, f"shared{people}", 1)
    (client,) = server.clients
    tally = Tally()
    crowd = Crowd(tally, seconds, seed)
    share_one(client, crowd, people)
    with sampling(tally, "the repository", client.repository / STORE_NAME):
        took = crowd.run()
    crowd.do("last push", client.run("push", "-q"))
    check(tally, _bodies(client.run("list", "--json")), client.repository)
    check(tally, server.bodies(), server.folder)
    return tally, took

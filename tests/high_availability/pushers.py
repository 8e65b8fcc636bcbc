"""Clients that add and push while things break, and repeat a push that fails: nothing else, as a timer would."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.command import Command
from tests.bench.load import spend

PATIENCE = 240.0
"""Seconds after which who repeats a push gives up."""

MOST_MESSAGES = 3
PAUSE_SECONDS = 0.3
"""Between a push that failed and the same one again."""

ALLOWED = {4: "the remote could not be reached, or ended the session"}
"""The exit statuses of a push that may be repeated while servers die."""

LASTING = ("does not let us in", "Permission denied")
"""What a client is told that makes it give up: never while servers die, whose users have keys."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a command. begun, ended: in monotonic seconds. said: the last line of its complaint."""

    status: int
    begun: float
    ended: float
    said: str


@dataclass
class Tally:
    """What the clients have done. Several threads write to it, under its lock.

    acknowledged: the texts of messages whose push ended with 0. pushes: those that did, as (begun, ended).
    failures: what repeating does not excuse. repeated: how often which exit status was met meanwhile.
    """

    acknowledged: set[str] = field(default_factory=set)
    pushes: list[tuple[float, float]] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def silence(self, start: float, end: float) -> float:
        """Return the longest time between two acknowledgements from start to end, both included."""
        with self.lock:
            moments = sorted(one for _, one in self.pushes if start <= one <= end)
        points = [start, *moments, end]
        return max(later - earlier for earlier, later in itertools.pairwise(points))


@dataclass
class Pusher:
    """A client with a repository of its own. command: makes one that runs msglog with these words in it."""

    name: str
    program: Sequence[str]
    folder: Path
    environment: Mapping[str, str]

    def command(self, *words: str) -> Command:
        return Command((*self.program, *words), self.folder, self.environment)


class Crowd:
    """Runs clients beside each other until it is told to stop; what was added is pushed in the end."""

    def __init__(self, pushers: Sequence[Pusher], prefix: str) -> None:
        self.tally = Tally()
        self._stop = threading.Event()
        self._prefix = prefix
        self._threads = [threading.Thread(target=self._live, args=(pusher,)) for pusher in pushers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Have every client end with what it has added, and wait for that."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _live(self, pusher: Pusher) -> None:
        number = 0
        while not self._stop.is_set():
            texts = [
                f"{self._prefix}, {pusher.name}, message {number + one}"
                for one in range(1 + number % MOST_MESSAGES)
            ]
            number += len(texts)
            lines = "".join(f"{text}\n" for text in texts).encode()
            added = run(pusher.command("add", "-q", "--batch"), lines)
            if added.status:
                self._fail(f"{pusher.name}: add: {added.status}: {added.said}")
                return
            if not self._push(pusher, texts):
                return

    def _push(self, pusher: Pusher, texts: Sequence[str]) -> bool:
        """Push until it works; return whether it did."""
        patient_until = time.monotonic() + PATIENCE
        while True:
            done = run(pusher.command("push", "-q", "origin"))
            if done.status == 0:
                with self.tally.lock:
                    self.tally.pushes.append((done.begun, done.ended))
                    self.tally.acknowledged.update(texts)
                return True
            with self.tally.lock:
                self.tally.repeated[f"{done.status}: {done.said}"] += 1
            lasting = done.status not in ALLOWED or any(text in done.said for text in LASTING)
            if lasting or done.ended > patient_until:
                self._fail(f"{pusher.name}: push: {done.status}: {done.said}")
                return False
            time.sleep(PAUSE_SECONDS)

    def _fail(self, text: str) -> None:
        with self.tally.lock:
            self.tally.failures.append(text)


def run(command: Command, stdin: bytes = b"") -> Done:
    """Run a command to its end, or end it and all its children when it hangs."""
    begun = time.monotonic()
    spent = spend(command, stdin)
    return Done(spent.status, begun, time.monotonic(), spent.said)

"""Measures watching: `python -m tests.bench.watching [MESSAGES [SECONDS]]`.

Processes of `msglog watch`, over a pipe to a server's process and in the repository itself: how
soon a message is there, what waiting costs (for so many seconds), what a writer does for those who
wait, and how a burst of messages arrives. Not a test: its figures are for decision records.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from msglog.message import Message, object_key
from msglog.repository import Repository
from msglog.store.sqlite_commit import tell_who_waits

BURST = 100_000
SECONDS = 60.0
ROUNDS = 100
WATCHERS = 100
REPEATS = 2000
PROGRAM = "import sys; from porcelain.cli import run; sys.exit(run())"
FAR = """#!/bin/sh
SSH_ORIGINAL_COMMAND="$2"; export SSH_ORIGINAL_COMMAND
exec "{python}" -c "{program}" receive-pack --direct "{folder}"
"""
"""In the place of ssh: what the other machine would run, runs here."""


def main(burst: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="msglog-watching-") as folder:
        place = Place(Path(folder))
        measure_writers(place)
        measure_delays(place)
        measure_waiting(place, seconds)
        measure_burst(place, burst)


@dataclass
class Place:
    """A server's repository, and a client's."""

    folder: Path
    number: int = 0

    def __post_init__(self) -> None:
        for name in ("server", "client"):
            Repository.create(
                self.folder / name / ".msglog", identity=name.encode() * 2 + b"abcd", time=0
            ).close()
        far = self.folder / "far"
        far.write_text(
            FAR.format(python=sys.executable, program=PROGRAM, folder=self.folder / "server")
        )
        far.chmod(0o755)
        self.repository = Repository.open(self.folder / "server" / ".msglog")

    def add(self, count: int = 1) -> None:
        objects = []
        for _ in range(count):
            self.number += 1
            uuid = self.number.to_bytes(16, "big")
            body = f"message {self.number}: " + "the quick brown fox jumps over the lazy dog. " * 4
            objects.append(Message(uuid, 10**15 + self.number, 0, "ann", body).encode())
        self.repository.add("main", {object_key(data): data for data in objects}, time=0)

    @contextmanager
    def watching(self, *words: str, here: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """Give a process that watches and has begun to."""
        inside = self.folder / ("server" if here else "client")
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                "watch",
                "." if here else "ann@far",
                *words,
                "-n",
                "1",
                "--json",
            ],
            cwd=inside,
            env={
                "HOME": str(self.folder),
                "PATH": os.environ["PATH"],
                "MSGLOG_SSH_COMMAND": str(self.folder / "far"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), words  # the newest
            yield process
        finally:
            process.terminate()
            process.stdout.close()
            process.wait()


def server_of(process: "subprocess.Popen[bytes]") -> int:
    """Return the process that serves a client."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return int(next(one for task in tasks for one in task.read_text().split()))


def processor(pid: int) -> float:
    """Return the seconds of the processor that the threads of a process have taken."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9


def memory(pid: int, what: str) -> int:
    """Return MiB of a process: VmRSS, VmHWM, or of its own RssAnon."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) // 1024


def measure_writers(place: Place) -> None:
    """Print what a writer does for those who wait, for each commit."""
    store = place.folder / "server" / ".msglog" / "store.db"
    taken = []
    with ExitStack() as waiting:
        for waiters in (None, 0, WATCHERS):
            if waiters == 0:
                place.repository.store.notice().close()
            for _ in range(waiters or 0):
                notice = place.repository.store.notice()
                waiting.callback(notice.close)
            times = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                tell_who_waits(store)
                times.append(time.perf_counter() - began)
            taken.append(f"{median(times) * 1e6:.1f}")
    print(
        f"a writer, nobody ever / nobody / {WATCHERS} waiting: {' / '.join(taken)} us", flush=True
    )


def measure_delays(place: Place) -> None:
    """Print how long it takes from a commit to the line of the message."""
    place.add()
    for name, here in (("remote", False), ("here", True)):
        with place.watching(here=here) as process:
            assert process.stdout is not None
            times = []
            for _ in range(ROUNDS):
                place.add()
                began = time.perf_counter()
                process.stdout.readline()
                times.append(time.perf_counter() - began)
        print(
            f"from a commit to its line, {name}: median {median(times) * 1e3:.1f} ms,"
            f" worst {max(times) * 1e3:.1f} ms of {ROUNDS}",
            flush=True,
        )


def measure_waiting(place: Place, seconds: float) -> None:
    """Print what it costs that nothing comes."""
    with place.watching() as remote, place.watching(here=True) as here:
        pids = {"server": server_of(remote), "client": remote.pid, "here": here.pid}
        time.sleep(1)
        before = {name: processor(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        for name, pid in pids.items():
            used = (processor(pid) - before[name]) * 60 / seconds
            print(
                f"waiting, {name}: {used * 1e3:.1f} ms of the processor a minute,"
                f" {memory(pid, 'VmRSS')} MiB, {memory(pid, 'RssAnon')} its own",
                flush=True,
            )


def measure_burst(place: Place, count: int) -> None:
    """Print when many messages, put in at once, have all been shown, and the most memory."""
    kinds: Sequence[tuple[str, tuple[str, ...], bool]] = (
        ("remote", (), False),
        ("another remote", (), False),
        ("--pull", ("--pull",), False),
        ("here", (), True),
    )
    with ExitStack() as all_of_them:
        watchers = {
            name: all_of_them.enter_context(place.watching(*words, here=here))
            for name, words, here in kinds
        }
        began = time.perf_counter()
        place.add(count)
        print(f"{count:,} messages in one commit: {time.perf_counter() - began:.1f} s", flush=True)
        began = time.perf_counter()
        readers = {}
        for name, process in watchers.items():
            readers[name] = all_of_them.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", READ_LINES, str(count)],
                    stdin=process.stdout,
                    stdout=subprocess.PIPE,
                )
            )
        for name, reader in readers.items():
            assert reader.stdout is not None
            ended = float(reader.stdout.read())
            served = ""
            if name != "here":
                served = f", server {memory(server_of(watchers[name]), 'VmHWM')} MiB"
            print(
                f"the last line, {name}: {ended - began:.1f} s later,"
                f" {memory(watchers[name].pid, 'VmHWM')} MiB{served}",
                flush=True,
            )


READ_LINES = """
import sys, time
for _ in range(int(sys.argv[1])):
    assert sys.stdin.buffer.readline()
print(time.perf_counter())
"""
"""perf_counter is the same clock for all processes on Linux (CLOCK_MONOTONIC)."""


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else BURST, float(given[1]) if given[1:] else SECONDS)

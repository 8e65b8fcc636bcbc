"""Flipped bits in the files of msglog: whatever a command then reads wrongly, `verify` must report.

`python -m tests.hostile.flips --count N --seed S` flips N bits of each kind of file, one after the other,
and runs every command that reads. `make damage` does so for some minutes. A bit whose flip changes what any
command prints, or what a push gives to an empty remote, must be reported: by `verify`, or by
`admin doctor` for the tables of an account.
"""

import argparse
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from msglog.account.checkup import Start
from msglog.key import FIRST_KEY, key_object_id
from msglog.message import object_key
from msglog.repository import Repository
from msglog.store.store import Agreement, Commit, HeldBack, Receipt, Ref, RefUpdate, Refusal
from porcelain.admin import examination, place
from porcelain.cli import main
from tests.plumbing.peers import START, add, message
from tests.porcelain.admin.running import Home

BLOCK = 16
"""Where so many bytes in a row are zero, nothing is kept."""

STATUSES = {0, 1, 2, 3, 4, 5, 6, 7}


@dataclass(frozen=True)
class Outcome:
    """What a command line did. output: what it printed, and for a push what came of it."""

    status: int
    output: bytes
    error: str

    @property
    def is_clear(self) -> bool:
        """Whether it is a clear refusal of what is damaged."""
        return self.status in (5, 7) and self.error.startswith("msglog: error: ")


@dataclass
class Subject:
    """A file whose bits are flipped, the commands that read it, and who must notice."""

    file: Path
    commands: Sequence[Callable[[], Outcome]]
    check: Callable[[], Outcome]
    whole: bytes = b""
    expected: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.whole = self.file.read_bytes()
        self.expected = self._outcomes(self.whole)
        assert self.expected == self._outcomes(self.whole), "commands must print the same twice"
        self.put(self.whole)
        assert self.check().status == 0, self.check()

    def used(self) -> list[int]:
        """Return where the file has anything but long zeros, with a margin."""
        blocks = [at for at in range(0, len(self.whole), BLOCK) if any(self.whole[at : at + BLOCK])]
        return [at + one for at in blocks for one in range(BLOCK)]

    def put(self, data: bytes) -> None:
        for rest in self.file.parent.glob(f"{self.file.name}-*"):
            rest.unlink()
        self.file.write_bytes(data)

    def _outcomes(self, data: bytes) -> list[Outcome]:
        found = []
        for command in self.commands:
            self.put(data)
            found.append(command())
        return found

    def trial(self, bit: int) -> str:
        """Flip a bit; return "same", "refused" or "reported", or what is wrong with msglog."""
        data = bytearray(self.whole)
        data[bit // 8] ^= 1 << bit % 8
        found = self._outcomes(bytes(data))
        worst = [one for one in found if one.status not in STATUSES]
        if worst:
            return f"bit {bit}: exit status {worst[0].status}: {worst[0].error}"
        different = [(a, b) for a, b in zip(found, self.expected, strict=True) if a != b]
        if not different:
            return "same"
        self.put(bytes(data))
        checked = self.check()
        if checked.status in (1, 5, 7):
            return "reported"
        if all(one.is_clear for one, _ in different):
            return "refused"
        one, other = next(pair for pair in different if not pair[0].is_clear)
        return f"bit {bit}: not reported: {one} where it was {other}"


def run(words: Sequence[str], environment: dict[str, str]) -> Outcome:
    stdout, stderr = BytesIO(), BytesIO()
    status = main(list(words), environment, BytesIO(), stdout, stderr)
    return Outcome(status, stdout.getvalue(), stderr.getvalue().decode())


def fill(folder: Path, count: int) -> Repository:
    """Return a repository with something in each of its tables."""
    repository = Repository.create(folder, identity=bytes(range(16)), time=START)
    add(repository, *map(message, range(count)))
    repository.create_log("lab", time=START + 5)
    add(repository, *map(message, range(count, count + 30)), log="lab")
    root = repository.log("main").root
    peer = f"repository:{bytes(16).hex()}"
    refused = sorted(repository.keys(root))[3]
    theirs = [message(9000 + number) for number in range(5)]
    add(repository, *map(message, range(1500, 1503)))
    for number, data in enumerate(theirs):
        key = object_key(data)
        repository.commit(
            [],
            messages={key: data},
            time=START + 10 + number,
            reason="pull from origin",
            receipt=Receipt("origin", START + number, "main", "SHA256:x"),
        )
    add(repository, *theirs)
    repository.store.commit(
        Commit(
            START + 20,
            "push to origin",
            refs=[RefUpdate("refs/remotes/origin/main", None, Ref(root, count))],
            agreed=[Agreement(peer, "main", FIRST_KEY, root)],
            held_back=[HeldBack(peer, "main", (Refusal(refused, "author", "not your name"),))],
        )
    )
    assert repository.log("main").count == count + 8
    return repository


def repository_subject(place_: Path, *, compressed: bool) -> Subject:
    """Return the store of a repository as a subject; compressed: after gc."""
    folder = place_ / "notes" / ".msglog"
    repository = fill(folder, 560 if compressed else 90)
    oid = key_object_id(sorted(repository.keys(repository.log("main").root))[7]).hex()
    repository.find(oid[:12])
    if compressed:
        assert repository.store.condense().messages > 500
    repository.close()
    config = f'[remote.origin]\nurl = "../remote"\nrepository = "{bytes(16).hex()}"\n'
    (folder / "config.toml").write_text(config)
    remote, empty = place_ / "remote", place_ / "empty"
    Repository.create(empty / ".msglog", identity=bytes(16), time=START).close()
    environment = {"HOME": str(place_), "MSGLOG_AUTHOR": "ann", "TZ": "UTC"}
    here = ("-C", str(place_ / "notes"))

    def read(*words: str) -> Callable[[], Outcome]:
        return lambda: run((*here, *words), environment)

    def push() -> Outcome:
        shutil.rmtree(remote, ignore_errors=True)
        shutil.copytree(empty, remote)
        done = run((*here, "push", "-q", "origin"), environment)
        held = b""
        for log in ("main", "lab"):
            there = run(("-C", str(remote), "list", "--json", "--log", log), environment)
            held += there.output + str(there.status).encode()
        # Of what it says, times aside, what the remote has is what matters.
        return Outcome(done.status, held, done.error)

    commands = [
        read("list", "--json"),
        read("list", "--log", "lab"),
        read("list", "--received-since", "2000-01-01", "--json"),
        read("show", "--date", "written", oid[:12]),
        read("status"),
        read("status", "--json"),
        read("logs"),
        read("cat-object", "-p", oid),
        read("cat-object", "--raw", oid[:9]),
        read("ls-index"),
        read("ls-index", "--log", "lab"),
        read("rev-parse", "main", "lab"),
        read("for-each-ref"),
        read("diff-index", "main", "lab"),
        read("gc", "--dry-run"),
        push,
    ]
    return Subject(folder / "store.db", commands, read("verify"))


def account_subject(home: Home) -> Subject:
    """Return the tables of a server account as a subject."""
    for number, name in enumerate(("ann", "bob")):
        home.do("user", "add", name, "--role", "write")
        home.do("key", "add", name, home.public_key(number, comment=f"{name}@laptop"))
        home.do("grant", name, "read", "archive/*")
    home.do("grant", "*", "append", "main")
    home.do("policy", "set", "*", "enforce-author=off", "max-future=300", "quota-messages=1000")
    home.do("set", "audit.keep", "1000")
    home.do("gc")
    environment = {"HOME": str(home.path), "TZ": "UTC"}

    def read(*words: str) -> Callable[[], Outcome]:
        return lambda: run(("-C", str(home.path), "admin", *words), environment)

    commands = [
        read("user", "list"),
        read("user", "show", "ann", "--json"),
        read("user", "show", "bob"),
        read("key", "list", "--json"),
        read("policy", "list"),
        read("set"),
        read("repository", "list"),
        read("audit", "--json"),
        read("metrics"),
    ]

    return Subject(home.account / "account.db", commands, read("doctor", "--json"))


@contextmanager
def without_processes() -> Iterator[None]:
    """Leave out what `admin` asks other programs."""
    names = {
        (examination, "sshd_settings"): lambda *_: None,
        (examination, "has_password"): lambda *_: False,
        (examination, "start_through"): lambda *_: Start(),
        (place, "why_unstartable"): lambda _: "",
        (place, "check_starts"): lambda _: None,
    }
    before = {where: getattr(*where) for where in names}
    for (module, name), value in names.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


KINDS = ("plain", "compressed", "account")


@contextmanager
def subject(kind: str) -> Iterator[Subject]:
    """Give a subject of a kind, in a folder of its own."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=base) as folder, without_processes():
        if kind == "account":
            home = Home(Path(folder, "home"))
            home.path.mkdir()
            home.do("init")
            (home.path / ".ssh").mkdir()
            yield account_subject(home)
        else:
            yield repository_subject(Path(folder), compressed=kind == "compressed")


def bits(one: Subject, seed: int, count: int) -> list[int]:
    """Return so many bits of the used part of a file; those of another seed are others."""
    chance = random.Random(seed)
    return [8 * at + chance.randrange(8) for at in chance.choices(one.used(), k=count)]


def trials(kind: str, seed: int, count: int) -> dict[str, int]:
    """Flip bits of a kind of file; return how often what came of it, and print what is wrong."""
    counts: dict[str, int] = {}
    with subject(kind) as one:
        for bit in bits(one, seed, count):
            verdict = one.trial(bit)
            if verdict not in ("same", "refused", "reported"):
                print(f"{kind}: {verdict[:1500]}", flush=True)
                verdict = "WRONG"
            counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def campaign() -> int:
    parser = argparse.ArgumentParser(description="Flip bits in the files of msglog.")
    parser.add_argument("--count", type=int, default=1000, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kind", choices=KINDS, action="append")
    options = parser.parse_args()
    wrong = 0
    with ProcessPoolExecutor(options.workers) as pool:
        for kind in options.kind or KINDS:
            begun = time.monotonic()
            share = -(-options.count // options.workers)
            jobs = [
                pool.submit(trials, kind, options.seed * 1000 + number, share)
                for number in range(options.workers)
            ]
            total: dict[str, int] = {}
            for job in jobs:
                for verdict, number in job.result().items():
                    total[verdict] = total.get(verdict, 0) + number
            wrong += total.get("WRONG", 0)
            said = ", ".join([f"{number} {verdict}" for verdict, number in sorted(total.items())])
            print(f"{kind}: {said}; {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(campaign())

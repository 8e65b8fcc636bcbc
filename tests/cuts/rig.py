"""A server account on a real sshd, a client, and a bad link between them; one command at a time.

The client's command runs in this process, so that its thousands of runs need no thousands of starts
(`Rig.run_process` starts it as people do). Stores are put back before each run, not made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from msglog.key import FIRST_KEY, Key
from msglog.message import object_key
from msglog.repository import Repository
from plumbing import opening
from plumbing.transport.settings import Settings
from porcelain import cli
from tests.cuts.proxy import FaultProxy
from tests.cuts.warm import RELAY
from tests.hostile.liars import check_whole
from tests.ssh.sshd import Sshd
from tests.ssh.test_exchange import MSGLOG

SSHD_LINES = ("SetEnv SHLVL=2",)
"""With these, bash runs forced commands without the ~/.bashrc of whoever runs the tests."""

HANG_SECONDS = 60.0
"""A run that takes longer hangs: all its deadlines together are under a fifth of this."""

SHORT_SECONDS = 0.7
LONG_SECONDS = 20.0
WARM = Path(__file__).with_name("warm.py")
COMMANDS = ("push", "pull")
TRANSPORTS = ("builtin", "openssh")
_TIMES = {"time", "created", "seen", "receipt", "id"}
_UNIMPORTANT = {"receipts", "usage", "sqlite_sequence", "sqlite_stat1"}


@dataclass(frozen=True, slots=True)
class Run:
    """How one command ended, and what it said."""

    status: int
    out: str
    err: str
    hung: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What both sides have, and what each has been told that the other has.

    taken: what the client keeps of the server besides its log. Roots that the server may have when
    a push was cut are remembered as agreed too, for the server to say; they claim nothing.
    """

    mine: frozenset[Key]
    theirs: frozenset[Key]
    taken: frozenset[Key]
    told_me: frozenset[Key]
    told_them: frozenset[Key]


class Rig:
    """The two sides of a session and the link between them.

    common, new: how many messages both sides have before, and how many a command is to transfer.
    """

    def __init__(self, sshd: Sshd, folder: Path, *, common: int = 2, new: int = 4) -> None:
        self.proxy = FaultProxy(sshd.port)
        self.folder = folder
        self.client = folder / "here"
        self.account = folder / "account"
        self.store = self.account / "repositories" / "main"
        self._lock = folder / "lock"
        self._warm = self._start_warm()
        user = sshd.make_user(folder.name)
        self.home = user.home
        port = str(self.proxy.port)
        for path in (user.config, user.known_hosts):
            path.write_text(path.read_text().replace(str(sshd.port), port))
        self._process("admin", "init", str(self.account))
        self._process("admin", "user", "add", "ann", "--role", "write", *self._place())
        (folder / "relay.py").write_text(RELAY)
        relay = f"{sys.executable} -I -S -E {folder}/relay.py {folder}/warm"
        cold = f"exec 9<{self._lock}; flock -s 9; exec {' '.join([*MSGLOG, *self._receive()])}"
        sshd.authorize(user, relay)
        self.cold_user = sshd.make_user(f"{folder.name}-cold")
        self.cold_user.config.write_text(
            user.config.read_text().replace(str(user.home), str(self.cold_user.home))
        )
        self.cold_user.known_hosts.write_text(user.known_hosts.read_text())
        sshd.authorize(self.cold_user, cold)
        self._make_stores(common, new)

    def _place(self) -> list[str]:
        return ["--account", str(self.account)]

    def _receive(self) -> list[str]:
        return ["receive-pack", "ann", *self._place()]

    def _start_warm(self) -> subprocess.Popen[bytes]:
        self._lock.touch()
        words = [str(WARM), f"{self.folder}/warm", str(self._lock), "ann", *self._place()]
        process = subprocess.Popen(
            [sys.executable, "-I", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    def close(self) -> None:
        self.proxy.__exit__()
        self._warm.kill()
        self._warm.wait()
        assert self._warm.stdout is not None
        self._warm.stdout.close()

    def _make_stores(self, common: int, new: int) -> None:
        """Make what each side has before each command, of commands that run over no link."""
        lines = [
            json.dumps(
                {
                    "uuid": f"00000000-0000-4000-8000-{number:012x}",
                    "time": f"2025-06-15T12:00:00.{number:06}Z",
                    "author": "ann",
                    "body": f"message {number}: the quick brown fox jumps over the lazy dog "
                    + hashlib.sha256(number.to_bytes(8, "big")).hexdigest(),
                }
            )
            for number in range(common + new)
        ]
        self.client.mkdir()
        self.check("init")
        self.check("remote", "add", "origin", "server")
        if common:
            self.check("add", "--batch", "--json", stdin=lines[:common])
        self.check("push")
        self._keep(("push", "there"), ("pull", "here"))
        self.check("add", "--batch", "--json", stdin=lines[common:])
        self._keep(("push", "here"))
        everything = self.held().mine
        # For a pull somebody else has pushed them.
        self.check("push")
        self._keep(("pull", "there"))
        self._forget_agreed(self.folder / "pull-there")
        self.everything = everything
        self.before = {command: self._begin(command) for command in COMMANDS}

    def _keep(self, *templates: tuple[str, str]) -> None:
        """Keep what sides have now as what they have before commands."""
        self.settle()
        for command, side in templates:
            shutil.copytree(dict(self._sides())[side], self.folder / f"{command}-{side}")

    def _sides(self) -> list[tuple[str, Path]]:
        return [("here", self.client / ".msglog"), ("there", self.store)]

    def _forget_agreed(self, folder: Path) -> None:
        """Take away what the server agreed on with the client in its last push."""
        with closing(sqlite3.connect(folder / "store.db")) as store:
            store.execute("DELETE FROM agreed WHERE id > (SELECT min(id) FROM agreed)")
            store.commit()

    def _begin(self, command: str) -> Held:
        self.put_back(command)
        return self.held()

    def put_back(self, command: str) -> None:
        """Give both sides what they have before a command; command: clone too."""
        template = "pull" if command == "clone" else command
        self.settle()
        for side, path in self._sides():
            shutil.rmtree(path, ignore_errors=True)
            if command != "clone" or side == "there":
                shutil.copytree(self.folder / f"{template}-{side}", path)

    def settle(self) -> None:
        """Wait until nothing of the last session is left."""
        self.proxy.settle()
        with self._lock.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def _environment(self, transport: str, home: Path) -> dict[str, str]:
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        if transport == "openssh":
            environment["MSGLOG_SSH_COMMAND"] = f"ssh -F {home}/.ssh/config"
        return environment

    def check(self, *words: str, stdin: Sequence[str] = ()) -> str:
        """Run a command that works."""
        done = self.run(words, seconds=LONG_SECONDS, stdin="\n".join(stdin).encode())
        assert done.status == 0, done.err
        return done.out

    def run(
        self,
        words: Sequence[str],
        transport: str = "builtin",
        *,
        seconds: float = SHORT_SECONDS,
        stdin: bytes = b"",
    ) -> Run:
        """Run a command of the client in this process; seconds: each of its deadlines."""
        out, err = io.BytesIO(), io.BytesIO()
        environment = self._environment(transport, self.home)
        status, threads = -1, set(threading.enumerate())
        with _deadlines(seconds), _watchdog() as hung:
            chosen = ["-C", str(self.client), *words]
            status = cli.main(chosen, environment, io.BytesIO(stdin), out, err)
            for thread in set(threading.enumerate()) - threads - self.proxy.threads():
                if thread.ident is None:
                    continue  # of the proxy, and not running yet
                thread.join()  # the command leaves none behind that lasts
        return Run(status, out.getvalue().decode(), err.getvalue().decode(), bool(hung))

    def run_process(self, words: Sequence[str], transport: str, seconds: float) -> Run:
        """Run a command as people do, with its own deadlines, against a server that starts so."""
        home = self.cold_user.home
        try:
            done = subprocess.run(
                [*MSGLOG, "-C", str(self.client), *words],
                env=self._environment(transport, home),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Run(-1, "", "", hung=True)
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _process(self, *words: str) -> None:
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [*MSGLOG, *words], env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def held(self) -> Held:
        """Read all that both sides have; every message is checked, and so is what `verify` checks."""
        self.settle()
        here, there = self.client / ".msglog", self.store
        for folder in (here, there):
            _verify(folder)
        with closing(Repository.open(here)) as mine, closing(Repository.open(there)) as theirs:
            for one in (mine, theirs):
                check_whole(one)
            known = mine.store.refs().get("refs/remotes/origin/main")
            return Held(
                frozenset(_keys(mine)),
                frozenset(_keys(theirs)),
                agreed(mine, f"repository:{theirs.store.identity.hex()}"),
                frozenset(() if known is None else mine.keys(known.root)),
                agreed(theirs, "user:ann"),
            )

    def digest(self) -> str:
        """Return what tells states of both sides apart, except for the times of things."""
        hashed = hashlib.sha256()
        for _, path in self._sides():
            with closing(sqlite3.connect(path / "store.db")) as store:
                for (table,) in store.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
                ).fetchall():
                    if table in _UNIMPORTANT:
                        continue
                    names = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
                    shown = ", ".join(name for name in names if name not in _TIMES)
                    rows = store.execute(f"SELECT {shown} FROM {table}").fetchall() if shown else []
                    hashed.update(repr((table, sorted(map(repr, rows)))).encode())
        hashed.update((self.client / ".msglog" / "config.toml").read_bytes())
        return hashed.hexdigest()


def _keys(repository: Repository) -> Iterator[Key]:
    return repository.keys(repository.log("main").root)


def agreed(repository: Repository, peer: str) -> frozenset[Key]:
    """Return the keys of all roots agreed with a peer; raises where one's message is not there."""
    roots = repository.store.agreed(peer, "main", FIRST_KEY)
    keys = frozenset(key for root in roots for key in repository.keys(root))
    assert sum(
        object_key(data) == key for key, data in repository.messages(iter(sorted(keys)))
    ) == len(keys)
    return keys


def _verify(folder: Path) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    environment = {"MSGLOG_DIR": str(folder), "HOME": str(folder), "PATH": ""}
    status = cli.main(["verify"], environment, io.BytesIO(), out, err)
    assert status == 0, (out.getvalue() + err.getvalue()).decode()


@contextlib.contextmanager
def _deadlines(seconds: float) -> Iterator[None]:
    """Shorten the deadlines of the transports, which no option of a command is for."""
    name = "Settings"
    before = getattr(opening, name)
    short = functools.partial(
        Settings,
        connect_seconds=seconds,
        handshake_seconds=seconds,
        authentication_seconds=seconds,
        channel_seconds=seconds,
        idle_seconds=seconds,
    )
    setattr(opening, name, short)
    try:
        yield
    finally:
        setattr(opening, name, before)


class _Hang(BaseException):
    """A command did not end."""


@contextlib.contextmanager
def _watchdog() -> Iterator[list[bool]]:
    """Interrupt what takes longer than HANG_SECONDS, and say so in the list."""
    hung: list[bool] = []

    def ring(_number: int, _frame: FrameType | None) -> None:
        hung.append(True)
        raise _Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS, 5)
    try:
        yield hung
    except _Hang:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

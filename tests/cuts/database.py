"""The connection between a server and its PostgreSQL, cut at any byte of a push.

The service of an account runs in this process, as for a path, but for one of its users, with its audit
and the user's quota, as `receive-pack` has it. Whatever becomes of its connection, the client is told
that its message is there; it is there once, and counted and recorded once.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from msglog import postgres_link
from msglog.account.account import Account
from msglog.account.audit import Trail, Visit
from msglog.account.policy import user_identity
from msglog.repository import Repository
from msglog.wire.request_line import parse_requests
from plumbing import opening
from plumbing.policy import AccountRules
from plumbing.receive_pack import AGENT, AccountPermissions
from plumbing.service import Service
from plumbing.transport.local import LocalChannel
from porcelain.cli import main
from tests.cuts.fault import DIRECTIONS, Fault
from tests.cuts.proxy import NOTHING, FaultProxy
from tests.cuts.trial import Result, Trial
from tests.postgres.databases import Databases
from tests.postgres.server import Postgres, running_postgres

WAY = "database"
ANSWER_SECONDS = 0.5
CUTS = ("fin", "rst")
PUSHES = 500
"""How many one rig is good for: what is looked at after each grows."""


class Rig:
    """An account, a user's repository, and a bad link between the account's server and its tables."""

    def __init__(self, server: Postgres, address: str, folder: Path) -> None:
        self.proxy = FaultProxy(server.port)
        self.pushes = 0
        self._patch = pytest.MonkeyPatch()
        self._folder = folder
        self._served, self._looked_at = folder / "account", folder / "direct"
        self._mine = folder / "mine"
        self.must("admin", "init", str(self._looked_at), "--store", address)
        place = ("--account", str(self._looked_at))
        self.must("admin", "user", "add", "ann", "--role", "write", *place)
        self._served.mkdir(mode=0o700)
        # Without TLS, so that a session has as many bytes each time.
        link = f"{address}&host=127.0.0.1&port={self.proxy.port}&sslmode=disable"
        (self._served / "account.address").write_text(f"{link}\n")
        self._mine.mkdir()
        self.must("init")
        self.must("remote", "add", "origin", str(self._served / "repositories" / "main"))
        self._patch.setattr(opening, "_connect_local", self._serve)
        self._patch.setattr(postgres_link, "ANSWER_SECONDS", ANSWER_SECONDS)

    def close(self) -> None:
        self._patch.undo()
        self.proxy.__exit__()

    def _serve(self, _target: object, words: Sequence[str], context: Any) -> LocalChannel:
        """Serve ann, as `receive-pack` does."""
        account = Account.open(self._served)
        access = account.access("ann", None, "main")
        repository = account.open_repository("main")
        visit = Visit("ann", repository="main", session=os.urandom(8).hex())
        trail = Trail(account.database, visit, context.now)
        service = Service(
            repository,
            AccountPermissions(account, access),
            agent=AGENT,
            clock=context.now,
            rules=AccountRules(account.database, "main", "ann", context.now),
            audit=trail,
        )
        trail.let_in()
        service.open(parse_requests(words))

        def close() -> None:
            repository.close()
            service.close()
            trail.close()
            account.close()

        return LocalChannel(service, close=close)

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command in this process; return its status and what it complained of."""
        error = io.BytesIO()
        environment = {"HOME": str(self._folder), "PATH": os.environ["PATH"]}
        chosen = ["-C", str(self._mine), *words]
        if words[0] == "admin":
            chosen = list(words)
        status = main(chosen, environment, io.BytesIO(), io.BytesIO(), error)
        return status, error.getvalue().decode()

    def must(self, *words: str) -> None:
        status, said = self.run(*words)
        assert status == 0, said

    def attempt(self, fault: Fault) -> Result:
        """Push a message while something happens to the first connection, and look; twice."""
        self.pushes += 1
        self.must("add", f"message {self.pushes}")
        self.proxy.begin(fault, once=True)
        status, said = self.run("push")
        outcome = f"status {status}" if status else "completed"
        if fault.kind != "none" and not self.proxy.reached:
            outcome += " before"
        problems = [f"{outcome}: {said}"] if status or said else []
        problems += self._wrong()
        self.proxy.begin(NOTHING)
        status, said = self.run("push")
        if status or said:
            problems.append(f"again: status {status}: {said}")
        return Result(outcome, [*problems, *(f"again: {one}" for one in self._wrong())])

    def _wrong(self) -> Iterator[str]:
        with (
            closing(Repository.open(self._mine / ".msglog")) as mine,
            closing(Account.open(self._looked_at)) as account,
            closing(account.open_repository("main")) as theirs,
        ):
            if theirs.log("main") != mine.log("main"):
                yield "the server has other messages"
            usage = theirs.store.usage(user_identity(account.database, "ann"))
            if usage.messages != self.pushes:
                yield f"{usage.messages} messages of {self.pushes} are counted"
            yield from theirs.store.faults()
            sql = "SELECT count(*) FROM audit WHERE operation = 'push' AND messages = 1"
            ((recorded,),) = account.database.select(sql)
            if recorded != self.pushes:
                yield f"{recorded} pushes of {self.pushes} are recorded"


Sizes = Mapping[str, int]
"""The bytes of an undisturbed push between the server and its database, by direction."""


def measure(rig: Rig) -> Sizes:
    """Return the sizes; the first push of all is another one."""
    for _ in range(2):
        assert rig.attempt(NOTHING) == Result("completed", [])
    rig.pushes += 1
    rig.must("add", "measured")
    rig.proxy.begin(NOTHING)
    rig.must("push")
    return {way: rig.proxy.passed(way) for way in DIRECTIONS}


def every_byte(sizes: Sizes, seed: int) -> list[Trial]:
    """Return a cut at each byte; another seed, of the other parity, takes the other kind."""
    trials = [
        Trial(WAY, "push", Fault(CUTS[(position + seed) % 2], way, position))
        for way in DIRECTIONS
        for position in range(sizes[way])
    ]
    random.Random(seed).shuffle(trials)
    return trials


@contextmanager
def rigs(folder: Path) -> Iterator[Callable[[], AbstractContextManager[Rig]]]:
    """Give what makes rigs, each in a folder and a database of its own, in one server."""
    with running_postgres() as server:
        databases, numbers = Databases(server), count()

        def make() -> AbstractContextManager[Rig]:
            own = folder / str(next(numbers))
            own.mkdir()
            return closing(Rig(server, databases.fresh(), own))

        yield make


def tried(trials: Sequence[Trial], folder: Path) -> Iterator[tuple[Trial, Result]]:
    """Try trials in turn."""
    with rigs(folder) as make:
        for start in range(0, len(trials), PUSHES):
            with make() as rig:
                measure(rig)
                for trial in trials[start : start + PUSHES]:
                    yield trial, rig.attempt(trial.fault)

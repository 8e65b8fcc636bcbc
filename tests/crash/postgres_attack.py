"""What is done to commands and to the database where the server account is in PostgreSQL."""

import errno
import importlib

from tests.crash.attack import Attacker, Known
from tests.crash.calls import RECEIVES, SENDS, Call
from tests.crash.case import OVER_SSH, Case, Choice, Verdict
from tests.crash.operations import Operation
from tests.crash.postgres_operations import NOTICING, POSTGRES_OPERATIONS
from tests.crash.postgres_site import PostgresSite
from tests.crash.striking import DATABASE, Striking
from tests.crash.tracing import Action, Fail, Go
from tests.ssh.sshd import User

CONNECTION_FAULTS = {
    "ECONNRESET": errno.ECONNRESET,
    "EPIPE": errno.EPIPE,
    "ETIMEDOUT": errno.ETIMEDOUT,
    "ECONNREFUSED": errno.ECONNREFUSED,
}
KILLED, TERMINATED = "backend killed", "backend ended"
BACKEND = (KILLED, TERMINATED)

POSTGRES_KINDS = {
    "kill client": 20,
    "kill server": 18,
    "kill both": 8,
    "torn write": 8,
    KILLED: 10,
    TERMINATED: 10,
    **dict.fromkeys(CONNECTION_FAULTS, 5),
    "EMFILE": 5,
    "short write": 3,
    "ENOSPC": 2,
    "EIO": 2,
    **dict.fromkeys(OVER_SSH, 3),
}
IN_POSTGRES = Choice(POSTGRES_OPERATIONS, POSTGRES_KINDS)
"""Attacks on a client in files and a server account in PostgreSQL, and on the database."""

SHORT_PATIENCE = """
import msglog.postgres_link
msglog.postgres_link.PATIENCE_SECONDS = msglog.postgres_link.OPENING_SECONDS = 0.3
"""


class Broken(Striking):
    """Has a call fail, and all after it on the same connection, as the kernel does."""

    def __init__(self, site: PostgresSite, case: Case, total: int) -> None:
        super().__init__(site, case.kind, total, case)
        self._database = site
        self._failing = Fail(CONNECTION_FAULTS[case.kind])
        self._connection = ""
        self.action = self._break

    def decide(self, call: Call) -> Action:
        if call.path == self._connection and call.name in SENDS | RECEIVES:
            return self._failing
        return super().decide(call)

    def _break(self, call: Call) -> Action:
        self._connection = call.path
        if call.name in SENDS:  # whoever waits for an answer then sees the end, as of a real one
            self._database.end_backends(kill=False)
        return self._failing


class PostgresAttacker(Attacker):
    """Runs cases on a site in PostgreSQL."""

    def __init__(self, site: PostgresSite, person: User | None = None) -> None:
        super().__init__(site, POSTGRES_OPERATIONS, person)
        self._database = site

    def prepare(self) -> None:
        # So that each process that is forked need not.
        importlib.import_module("msglog.account.postgres_account")
        super().prepare()

    def attack(self, case: Case, operation: Operation, known: Known) -> Verdict:
        if case.kind in BACKEND:
            return self._end_backends(case, operation, known)
        if case.kind in CONNECTION_FAULTS:
            return self._fail_connection(case, operation, known)
        return super().attack(case, operation, known)

    def _end_backends(self, case: Case, operation: Operation, known: Known) -> Verdict:
        """End who serves the command; killed, it takes the whole server with it, which starts anew."""

        def act(_: Call) -> Action:
            self._database.end_backends(kill=case.kind == KILLED)
            return Go()

        observer = Striking(self.site, DATABASE, known.counts.get(DATABASE, 0), case)
        observer.action = act
        return self.judged(case, operation, known, observer, _allowed(operation))

    def _fail_connection(self, case: Case, operation: Operation, known: Known) -> Verdict:
        observer = Broken(self._database, case, known.counts.get(case.kind, 0))
        if case.chance.random() < 0.7:
            return self.judged(case, operation, known, observer, _allowed(operation))
        observer.lasting = True
        allowed = frozenset({0, 4, 7} if operation.steps else {0, 7})
        return self.judged(case, operation, known, observer, allowed, patch=SHORT_PATIENCE)


def _allowed(operation: Operation) -> frozenset[int]:
    """Return how an operation may end whose connection was lost once."""
    return frozenset({0, 7} if operation.name in NOTICING else {0})

"""The attacks: each is one case, drawn by a seed and a number, and judged when it is over."""

import errno
import fcntl
import importlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO

from porcelain.cli import main
from tests.crash.case import OVER_SSH, Case, Choice, Verdict
from tests.crash.disk import WAYS, History
from tests.crash.judging import Judge, Lost, check_error
from tests.crash.operations import OPERATIONS, Operation
from tests.crash.site import RIVAL, Done, Site, View, quick
from tests.crash.striking import Counting, Striking
from tests.crash.tracing import Ending, Fail, Freeze, HungError, Kill, Observer, run
from tests.ssh.sshd import User

IDLE_SECONDS = 0.5
"""How long either side waits for a frozen peer here."""

RIVAL_SECONDS = 0.2
RIVAL_DEADLINE_SECONDS = 50
"""SQLite itself tries for 10 s where somebody is frozen while they make its shared memory anew, and
`admin` then tries to record that it failed."""

DEADLINE_SECONDS = 180.0

IMPATIENCE = f"""
import plumbing.receive_pack, plumbing.opening
from msglog.dataclass import replace
plumbing.receive_pack.IDLE_SECONDS = {IDLE_SECONDS}
settings = plumbing.opening._settings
plumbing.opening._settings = lambda *words: replace(settings(*words), idle_seconds={IDLE_SECONDS})
"""

KILLS = ("kill client", "kill server", "kill both", "torn write")
FAULTS = {
    "ENOSPC": errno.ENOSPC,
    "EDQUOT": errno.EDQUOT,
    "EIO": errno.EIO,
    "EMFILE": errno.EMFILE,
    "EROFS": errno.EROFS,
    "EACCES": errno.EACCES,
    "fsync": errno.EIO,
    "short write": 0,
}
FREEZE = "freeze"
POWER = "power loss"
KINDS = {
    "kill client": 34,
    "kill server": 10,
    "kill both": 7,
    "torn write": 7,
    FREEZE: 3,
    **dict.fromkeys(FAULTS, 3),
    POWER: 15,
    **dict.fromkeys(OVER_SSH, 4),
}
"""How often what is drawn."""

IN_FILES = Choice(OPERATIONS, KINDS)
"""Attacks on a client and a server account that are both in files."""


@dataclass(slots=True)
class Known:
    """What a run without an attack has shown. counts: of eligible calls, by role or by fault."""

    judge: Judge
    history: History
    counts: dict[str, int] = field(default_factory=dict)


class Attacker:
    """Runs cases in one folder. person: who may come over a real sshd."""

    def __init__(
        self, site: Site, operations: Mapping[str, Operation], person: User | None = None
    ) -> None:
        self.site = site
        self._operations = operations
        self._person = person
        self._known: dict[str, Known] = {}

    def prepare(self) -> None:
        self.site.make()
        if self._person is not None:
            # So that each process need not: 100 ms.
            importlib.import_module("plumbing.transport.ssh")

    def strike(self, case: Case) -> Verdict:
        """Run one case, and judge what came of it."""
        try:
            return self._strike(case)
        except HungError:
            return Verdict(case, "", struck=False, fault="it hangs before it is attacked")
        except Lost as lost:
            return Verdict(case, "", struck=False, fault=str(lost))

    def _strike(self, case: Case) -> Verdict:
        operation = self._operations[case.operation]
        known = self._known.get(operation.name)
        if known is None:
            known = self._known[operation.name] = self.learn(operation)
        self.site.restore()
        return self.attack(case, operation, known)

    def attack(self, case: Case, operation: Operation, known: Known) -> Verdict:
        """Attack an operation on a site that was just put there, and judge what came of it."""
        if case.kind in OVER_SSH:
            return self._kill_over_ssh(case, operation, known)
        if case.kind == POWER:
            return self._cut_power(case, known)
        if case.kind == FREEZE:
            return self._freeze(case, operation, known)
        if case.kind in FAULTS:
            return self._fail(case, operation, known)
        return self._kill(case, operation, known)

    def learn(self, operation: Operation) -> Known:
        """Run the operation in peace, to know where it can be attacked and what it is to make."""
        self.site.restore()
        before = self.site.look()
        self.site.restore()
        history = History(self.site)
        counter = Counting(self.site, history)
        ending = self.run(operation, counter)
        done = self.done(ending)
        if done.status != 0:
            raise Lost(f"{operation.name} does not work in peace: {done.error}")
        judge = Judge(self.site, operation, before)
        return Known(judge, history, counter.counts)

    def run(self, operation: Operation, observer: Observer, patch: str = "") -> Ending:
        """Run an operation in a traced process, with its output in files."""
        site = self.site
        if operation.remote and site.person is None:
            site.serve(patch)
        words = ("-C", str(operation.where(site)), *operation.spoken(site))

        def work() -> int:
            exec(operation.patch, {})
            exec(patch, {})
            with open(site.output, "wb") as output, open(site.errors, "wb") as errors:
                stdin = BytesIO(operation.stdin)
                return main(words, site.environment, stdin, output, errors)

        for path in (site.output, site.errors):
            path.write_bytes(b"")
        return run(work, observer, seconds=DEADLINE_SECONDS)

    def done(self, ending: Ending) -> Done:
        status = -99 if ending.status is None else ending.status
        errors = self.site.errors.read_text(errors="replace")
        return Done(status, self.site.output.read_text(errors="replace"), errors)

    def wait_for_server(self) -> bytes:
        """Wait until the server behind sshd has ended; return what it has said."""
        with self.site.plan.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        self.site.plan.write_text("0")
        return self.site.wire.read_bytes()

    # The attacks

    def _kill(self, case: Case, operation: Operation, known: Known) -> Verdict:
        roles = {
            "kill client": {"client"},
            "kill server": {"server"},
            "kill both": {"client", "server"},
        }
        whose = frozenset(roles.get(case.kind, {"client", "server"}))
        counted = "torn" if case.kind == "torn write" else "+".join(sorted(whose))
        observer = Striking(self.site, counted, known.counts.get(counted, 0), case)
        observer.action = lambda call: Kill(
            frozenset({call.role}) if case.kind == "torn write" else whose,
            case.chance.randrange(1, call.arguments[2]) if case.kind == "torn write" else None,
        )
        allowed = {0, 4}
        if case.chance.random() < 0.2 and not operation.adds:
            self._kill_once_before(case, operation, known)
            allowed |= {*operation.settled, *([7] if operation.after else [])}
        return self.judged(case, operation, known, observer, frozenset(allowed))

    def _kill_once_before(self, case: Case, operation: Operation, known: Known) -> None:
        """Kill both sides somewhere else: what is killed then has that to put right."""
        counted = "client+server"
        other = replace(case, where=case.chance.random())
        observer = Striking(self.site, counted, known.counts[counted], other)
        observer.action = lambda _: Kill(frozenset({"client", "server"}))
        self.run(operation, observer)

    def _kill_over_ssh(self, case: Case, operation: Operation, known: Known) -> Verdict:
        """Kill one of the two sides of a real sshd."""
        site = self.site
        site.person = self._person
        try:
            if "ssh client" not in known.counts:
                self._learn_over_ssh(operation, known)
                site.restore()
            site.wire.write_bytes(b"")
            struck = case.kind == "ssh server"
            number = int(case.where * known.counts[case.kind]) + 1
            site.plan.write_text(str(number if struck else 0))
            counted = "" if struck else "client"
            observer = Striking(site, counted, known.counts["ssh client"], case)
            observer.action = lambda _: Kill(frozenset({"client"}))
            observer.struck = struck
            if struck:
                observer.point = f"at call {number} of {known.counts[case.kind]}"
            verdict = self.judged(case, operation, known, observer, frozenset({0, 4}))
        finally:
            site.person = None
        return verdict

    def _learn_over_ssh(self, operation: Operation, known: Known) -> None:
        site = self.site
        site.plan.write_text("0")
        counter = Counting(site, None)
        done = self.done(self.run(operation, counter))
        if done.status != 0:
            raise Lost(f"{operation.name} does not work over sshd: {done.error}")
        self.wait_for_server()
        known.counts["ssh client"] = counter.counts["client"]
        known.counts["ssh server"] = int(site.count.read_text())

    def _fail(self, case: Case, operation: Operation, known: Known) -> Verdict:
        observer = Striking(self.site, case.kind, known.counts.get(case.kind, 0), case)
        observer.lasting = case.kind != "short write" and case.chance.random() < 0.5
        number = FAULTS[case.kind]
        observer.action = lambda call: (
            Fail(number)
            if number
            else Kill(frozenset(), case.chance.randrange(1, call.arguments[2]))
        )
        allowed = {0, 4, 7} if operation.steps else {0, 7}
        if case.kind == "EIO":
            allowed.add(5)  # SQLite takes a page that cannot be read for a damaged one
        return self.judged(case, operation, known, observer, frozenset(allowed))

    def _freeze(self, case: Case, operation: Operation, known: Known) -> Verdict:
        rivals: list[tuple[str, int]] = []
        late: list[str] = []
        observer = Striking(self.site, "client+server", known.counts.get("client+server", 0), case)

        def meanwhile() -> None:
            for number, folder in enumerate(self.site.stores()):
                name = f"{RIVAL} {case.number} {number}"
                status = self._rival(("add", name), MSGLOG_DIR=str(folder))
                rivals.append((name, status))
                others = [status]
                if folder == self.site.mine / ".msglog":
                    words = ("config", "set", "tool.x.y", "1")
                    others.append(self._rival(words, MSGLOG_DIR=str(folder)))
                late.extend(
                    [f"another writer ends with {one}" for one in others if one not in (0, 7)]
                )
            place = ("--account", str(self.site.account), "--authorized-keys", str(self.site.keys))
            status = self._rival(("admin", "key", "sync", *place))
            if status not in (0, 7):
                late.append(f"`admin key sync` ends with {status}")

        observer.action = lambda _: Freeze(meanwhile)
        verdict = self.judged(
            case, operation, known, observer, frozenset({0, 4, 7}), patch=IMPATIENCE
        )
        fault = verdict.fault or "; ".join(late)
        there = self.site.rivals()
        for name, status in rivals:
            if status == 0 and name not in there and not operation.removes:
                fault = fault or f"what another has added meanwhile is gone: {name}"
        return replace(verdict, fault=fault)

    def _rival(self, words: tuple[str, ...], **more: str) -> int:
        """Run a command in another process, which waits for locks only shortly."""
        child = os.fork()
        if child == 0:
            status = 99
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(RIVAL_DEADLINE_SECONDS)
                environment = {**self.site.environment, **more}
                with quick(RIVAL_SECONDS):
                    streams = (BytesIO(), BytesIO(), BytesIO())
                    status = main(words, environment, *streams)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def judged(
        self,
        case: Case,
        operation: Operation,
        known: Known,
        observer: "Striking",
        allowed: frozenset[int],
        *,
        patch: str = "",
    ) -> Verdict:
        """Run an operation under attack, and judge what came of it.

        allowed: with which statuses it may end by itself.
        """
        acknowledged = 0
        try:
            try:
                ending = self.run(operation, observer, patch)
            except HungError:
                raise Lost(f"it hangs for more than {DEADLINE_SECONDS:.0f} s") from None
            done = self.done(ending)
            if done.status >= 0:
                check_error(done, allowed=allowed)
            finished = done.status == 0 or (done.output != "" and not operation.steps)
            looks = case.chance.random() < 0.75
            between: View | None = None
            wire = bytes(observer.wire)
            if case.kind in OVER_SSH:
                wire = self.wait_for_server()
            self.site.settle()
            acknowledged = known.judge.check_acknowledged(wire)
            if looks or finished:
                between = known.judge.check_between()
            if finished and between is not None:
                known.judge.check_done(between)
            known.judge.complete(between)
        except Lost as lost:
            return Verdict(case, observer.point, observer.struck, str(lost), acknowledged)
        return Verdict(case, observer.point, observer.struck, "", acknowledged)

    def _cut_power(self, case: Case, known: Known) -> Verdict:
        chance, total = case.chance, len(known.history.changes)
        count = min(int(case.where * (total + 1)), total)
        if chance.random() < 0.15:
            count = total
        way = chance.choice(WAYS)
        lost = chance.choice(("client", "server", "client+server"))
        return self.cut_power(case, known, count, way, frozenset(lost.split("+")))

    def cut_power(
        self, case: Case, known: Known, count: int, way: str, lost: frozenset[str]
    ) -> Verdict:
        """Make the folder what a power failure leaves after so many changes, and judge that.

        way: one of WAYS. lost: on which machines.
        """
        history, judge, total = known.history, known.judge, len(known.history.changes)
        machines = " and ".join(sorted(lost))
        point = f"after change {count} of {total}, with {way} of what {machines} had not synced"
        acknowledged = 0
        try:
            history.rebuild(count, way, lost, case.chance)
            finished = count == total or (
                history.said(count, "out") != b"" and not judge.operation.steps
            )
            between: View | None = None
            acknowledged = judge.check_acknowledged(history.said(count, "wire"))
            if finished or case.chance.random() < 0.75:
                between = judge.check_between()
            if finished and between is not None:
                judge.check_done(between)
            judge.complete(between)
        except Lost as fault:
            return Verdict(case, point, struck=True, fault=str(fault), acknowledged=acknowledged)
        return Verdict(case, point, struck=True, acknowledged=acknowledged)

"""The attacks: each is one case, drawn by a seed and a number, and judged when it is over."""

import errno
import fcntl
import importlib
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

from porcelain.cli import main
from tests.crash.calls import (
    DESCRIPTORS,
    NAMES,
    O_ACCESS,
    O_CREAT,
    OPENS,
    READS,
    SENDS,
    SIZES,
    SYNCS,
    WRITES,
    Call,
)
from tests.crash.disk import WAYS, History
from tests.crash.judging import Judge, Lost, check_error
from tests.crash.operations import OPERATIONS, Operation
from tests.crash.site import RIVAL, Done, Site, View, quick
from tests.crash.tracing import (
    Action,
    Ending,
    Fail,
    Freeze,
    Go,
    HungError,
    Kill,
    Observer,
    read_memory,
    run,
)
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
SSH = ("ssh client", "ssh server")
KINDS = {
    "kill client": 34,
    "kill server": 10,
    "kill both": 7,
    "torn write": 7,
    FREEZE: 3,
    **dict.fromkeys(FAULTS, 3),
    POWER: 15,
    **dict.fromkeys(SSH, 4),
}
"""How often what is drawn."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is done: the numbers say where in a run, as parts of its length."""

    number: int
    operation: str
    kind: str
    where: float
    chance: random.Random


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case. point: which system call it was. fault: what does not hold, or ""."""

    case: Case
    point: str
    struck: bool
    fault: str = ""
    acknowledged: int = 0


def draw(seed: str, number: int) -> Case:
    """Return a case by the seed of a run and its number in it."""
    chance = random.Random(f"{seed}:{number}")
    operations = list(OPERATIONS.values())
    (operation,) = chance.choices(operations, [one.weight for one in operations])
    kinds = {
        kind: weight
        for kind, weight in KINDS.items()
        if operation.remote or kind not in ("kill server", "kill both", *SSH)
    }
    (kind,) = chance.choices(list(kinds), list(kinds.values()))
    return Case(number, operation.name, kind, chance.random(), chance)


@dataclass(slots=True)
class Known:
    """What a run without an attack has shown. counts: of eligible calls, by role or by fault."""

    judge: Judge
    history: History
    counts: dict[str, int] = field(default_factory=dict)


class Attacker:
    """Runs cases in one folder. person: who may come over a real sshd."""

    def __init__(self, folder: Path, person: User | None = None) -> None:
        self.site = Site(folder)
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
        operation = OPERATIONS[case.operation]
        known = self._known.get(operation.name)
        if known is None:
            known = self._known[operation.name] = self.learn(operation)
        self.site.restore()
        if case.kind in SSH:
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
        counter = _Counting(self.site, history)
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
        counter = _Counting(site, None)
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
            if case.kind in SSH:
                wire = self.wait_for_server()
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


class Eligible:
    """Tells at which calls what can be done."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._root = f"{site.folder}/"

    def kinds(self, call: Call) -> list[str]:
        """Return for which attacks a call counts."""
        within = call.path.startswith(self._root)
        talks = call.name in WRITES | READS | SENDS and call.path.startswith(("pipe:", "socket:"))
        found: list[str] = []
        if (within and call.changes) or talks or call.path == str(self._site.output):
            found += [call.role, "client+server"]
        if call.name in ("pwrite64", "write") and (within or talks) and call.arguments[2] > 1:
            found += ["torn", "short write"]
        makes = call.name in OPENS and within and bool(call.flags & O_CREAT)
        writes = call.name in OPENS and within and bool(call.flags & O_ACCESS)
        if within and (call.name in WRITES | SIZES | (NAMES - {"unlink", "rmdir"}) or makes):
            found += ["ENOSPC", "EDQUOT"]
        if within and call.name in WRITES | READS | SYNCS | SIZES | NAMES:
            found.append("EIO")
        if within and call.name in SYNCS:
            found.append("fsync")
        if (within and call.name in OPENS) or call.name in DESCRIPTORS:
            found.append("EMFILE")
        if within and (call.name in NAMES or writes):
            found += ["EROFS", "EACCES"]
        return found


class _Counting(Observer):
    """Counts the calls of each kind, while a history is written."""

    def __init__(self, site: Site, history: History | None) -> None:
        self._eligible = Eligible(site)
        self._history = history
        self.counts: dict[str, int] = {}

    def decide(self, call: Call) -> Action:
        for kind in self._eligible.kinds(call):
            self.counts[kind] = self.counts.get(kind, 0) + 1
        return Go() if self._history is None else self._history.decide(call)

    def returned(self, call: Call, result: int) -> None:
        if self._history is not None:
            self._history.returned(call, result)


class Striking(Observer):
    """Does something at one call of a kind, or from it on; keeps what the server says."""

    def __init__(self, site: Site, kind: str, total: int, case: Case) -> None:
        self._eligible = Eligible(site)
        self._kind = kind
        self._left = int(case.where * total)
        self._number = self._left + 1
        self._total = total
        self.action: Callable[[Call], Action] = lambda _: Go()
        self.lasting = False
        self.struck = False
        self.point = f"never at call {self._number} of {total}"
        self.wire = bytearray()

    def decide(self, call: Call) -> Action:
        if self._kind in self._eligible.kinds(call) and not (self.struck and not self.lasting):
            if self._left == 0:
                if not self.struck:
                    lasting = " and all after it" if self.lasting else ""
                    self.point = (
                        f"at call {self._number} of {self._total}{lasting}: "
                        f"{call.role} {call.name} {call.path.rpartition('/site/')[2]}"
                    )
                self.struck = True
                return self.action(call)
            self._left -= 1
        says = call.role == "server" and call.name == "write" and call.arguments[0] == 1
        return Go(watch=says)

    def returned(self, call: Call, result: int) -> None:
        says = call.role == "server" and call.name == "write" and call.arguments[0] == 1
        if says and result > 0:
            self.wire += read_memory(call.process, call.arguments[1], result)

"""Runs: clients push through real sshds while a schedule strikes the cluster; then everything is counted."""

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msglog.account.account import Account
from msglog.errors import IntegrityError
from plumbing.soundness import check_sound
from porcelain.admin.soundness import account_faults
from tests.high_availability.cluster import Cluster
from tests.high_availability.faults import Struck, strike
from tests.high_availability.front_end import FrontEnd, make_pusher, make_pushers
from tests.high_availability.pushers import Crowd, Pusher, Tally, run
from tests.high_availability.schedule import Fault
from tests.ssh.sshd import User

Say = Callable[[str], None]


@dataclass
class Findings:
    """What all runs have come to. failures: in words.

    silences: by kind of fault, the longest time without an acknowledgement to anybody between it and the next.
    """

    runs: int = 0
    acknowledged: int = 0
    pushes: int = 0
    repeated: int = 0
    messages: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    silences: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the figures, for people."""
        yield (
            f"{self.runs} runs: {self.pushes} pushes acknowledged with {self.acknowledged} messages,"
            f" {self.repeated} repeated, {len(self.failures)} failures"
        )
        for kind, seconds in sorted(self.silences.items()):
            ordered = sorted(seconds)
            yield (
                f"  {kind}: {len(ordered)} times, nothing was acknowledged for"
                f" {ordered[len(ordered) // 2]:.1f} s (median), {ordered[-1]:.1f} s (worst)"
            )
        for said, times in sorted(self.messages.items(), key=lambda item: -item[1]):
            yield f"  repeated {times} times: {said[:160]}"
        yield from (f"  FAILURE: {line}" for line in self.failures)


@dataclass
class Campaign:
    """Runs over one cluster and its front ends. Clients keep their repositories from run to run."""

    cluster: Cluster
    fronts: Sequence[FrontEnd]
    pushers: Sequence[Pusher]
    reader: User
    folder: Path
    say: Say
    findings: Findings = field(default_factory=Findings)
    _acknowledged: set[str] = field(default_factory=set)

    @classmethod
    def prepare(
        cls, cluster: Cluster, fronts: Sequence[FrontEnd], clients: int, folder: Path, say: Say
    ) -> "Campaign":
        pushers = make_pushers(fronts, clients)
        first = fronts[0]
        reader = first.sshd.make_user("reader")
        first.admin("user", "add", "reader", "--role", "read")
        first.admin("key", "add", "reader", f"{reader.key}.pub")
        return cls(cluster, fronts, pushers, reader, folder, say)

    def run(self, number: int, faults: Sequence[Fault]) -> None:
        """Strike as the faults say while clients push, wait for all of them, and judge."""
        crowd = Crowd(self.pushers, f"run {number}")
        struck: list[Struck] = []
        crowd.start()
        try:
            for fault in faults:
                time.sleep(fault.after)
                struck.append(strike(self.cluster, fault))
        finally:
            self.cluster.rejoin_all()  # or nobody could come to an end
            crowd.finish()
        ends = [*[one.moment for one in struck[1:]], time.monotonic()]
        silences = [
            crowd.tally.silence(one.moment, end) for one, end in zip(struck, ends, strict=True)
        ]
        self._count(crowd.tally, struck, silences)
        self._judge(number, crowd.tally)
        told = ", ".join(
            f"{one.fault.kind.value} ({one.node}): silent for {silence:.1f} s, whole after"
            f" {one.whole:.1f} s"
            for one, silence in zip(struck, silences, strict=True)
        )
        self.say(
            f"run {number}: {len(crowd.tally.pushes)} pushes, {len(crowd.tally.acknowledged)}"
            f" messages, {crowd.tally.repeated.total()} repeated; {told}"
        )

    def _count(self, tally: Tally, struck: Sequence[Struck], silences: Sequence[float]) -> None:
        findings = self.findings
        findings.runs += 1
        findings.acknowledged += len(tally.acknowledged)
        findings.pushes += len(tally.pushes)
        findings.repeated += tally.repeated.total()
        for said, times in tally.repeated.items():
            findings.messages[said] += times
        for one, silence in zip(struck, silences, strict=True):
            findings.silences[one.fault.kind.value].append(silence)

    def _judge(self, number: int, tally: Tally) -> None:
        """Look whether everything is there, at every front end, and every hash is right."""
        failures = [*tally.failures]
        self._acknowledged |= tally.acknowledged
        for position, front in enumerate(self.fronts):
            name = f"judge-{number}-{position}"
            home = self.folder / name
            home.mkdir()
            judge = make_pusher(self.reader, front.address(self.reader), home)
            pulled = run(judge.command("pull", "-q", "origin"))
            verified = run(judge.command("verify", "-q"))
            for what, done in (("pull", pulled), ("verify", verified)):
                if done.status:
                    failures.append(f"{what} at front end {position}: {done.status}: {done.said}")
            missing = self._acknowledged - bodies(judge)
            if missing:
                failures.append(
                    f"front end {position} lacks {len(missing)} acknowledged messages, such as"
                    f" {min(missing)!r}"
                )
        failures += unsound(self.fronts[0])
        self.findings.failures += [f"run {number}: {failure}" for failure in failures]


def unsound(front: FrontEnd) -> list[str]:
    """Return what is damaged in the account of a front end: all that `main` has is hashed again."""
    account = Account.open(front.account)
    try:
        faults = list(account_faults(account))
        repository = account.open_repository("main")
        try:
            check_sound(repository)
        except IntegrityError as error:
            faults.append(str(error))
        return faults
    finally:
        account.close()


def bodies(pusher: Pusher) -> set[str]:
    """Return the texts of all messages that a client has."""
    command = pusher.command("list", "--json")
    done = subprocess.run(
        command.words, cwd=command.folder, env=command.environment, check=True, capture_output=True
    )
    return {json.loads(line)["body"] for line in done.stdout.splitlines()}

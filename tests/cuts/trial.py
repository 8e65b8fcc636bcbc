"""One command over a bad link, and whether what then is there may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.cuts.fault import HARMLESS, Fault
from tests.cuts.proxy import NOTHING
from tests.cuts.rig import LONG_SECONDS, SHORT_SECONDS, Held, Rig, Run

PROCESS_SECONDS = 150.0
"""More than all the deadlines of a command that waits for the longest of them."""

ALLOWED = (0, 4, 5)


@dataclass(frozen=True, slots=True)
class Trial:
    """Which command, over which transport, and what happens.

    way: "builtin" or "openssh"; with "process-" in front the command and the server are started as
    people do, with "large-" there are many messages.
    """

    way: str
    command: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.way}:{self.command}:{self.fault}"

    @classmethod
    def parse(cls, text: str) -> Trial:
        way, command, fault = text.split(":", 2)
        return cls(way, command, Fault.parse(fault))

    @property
    def transport(self) -> str:
        return self.way.rpartition("-")[2]


@dataclass(frozen=True, slots=True)
class Result:
    """outcome: "completed" or "status N", and "before" if the command ended before the fault."""

    outcome: str
    problems: Sequence[str] = field(default=())


def attempt(rig: Rig, trial: Trial, checked: set[str]) -> Result:
    """Run a command over a bad link, look at both sides, and run it again over a good one.

    checked: the states of both sides from which it has been run again already; what follows from
    one is the same each time, so that each is tried once.
    """
    fault = trial.fault
    rig.put_back(trial.command)
    rig.proxy.begin(fault)
    run = _run(rig, trial, LONG_SECONDS if fault.kind in HARMLESS else SHORT_SECONDS)
    reached = rig.proxy.reached
    outcome = "completed" if run.status == 0 else f"status {run.status}"
    problems = complaints(run, harmless=fault.kind in HARMLESS)
    try:
        before = rig.before[trial.command]
        problems += wrong(rig, before, rig.held(), trial.command if run.status == 0 else "")
        rig.proxy.begin(NOTHING)
        state = f"{trial.command} {rig.digest()}"
        if state not in checked:
            again = _run(rig, trial, LONG_SECONDS)
            if again.status:
                problems.append(f"again: status {again.status}: {again.err}")
            problems += [f"again: {one}" for one in wrong(rig, before, rig.held(), trial.command)]
            if not problems:
                checked.add(state)
    except Exception as error:  # noqa: BLE001 - whatever a damaged store makes of the reading
        problems.append(f"{type(error).__name__}: {error}")
    return Result(outcome if reached else f"{outcome} before", problems)


def _run(rig: Rig, trial: Trial, seconds: float) -> Run:
    words = [trial.command, "origin"]
    if trial.way.startswith("process-"):
        return rig.run_process(words, trial.transport, PROCESS_SECONDS)
    return rig.run(words, trial.transport, seconds=seconds)


def complaints(run: Run, *, harmless: bool) -> list[str]:
    """Return what is wrong with how a command ended."""
    found = []
    if run.hung:
        found.append("it hangs")
    if run.status not in (ALLOWED[:1] if harmless else ALLOWED):
        found.append(f"status {run.status}: {run.err}")
    if run.status == 0 and run.err:
        found.append(f"it complains and ends well: {run.err}")
    lines = run.err.splitlines()
    if run.status and (len(lines) != 1 or not lines[0].startswith("msglog: error: ")):
        found.append(f"not one clear line: {run.err!r}")
    return found


def wrong(rig: Rig, before: Held, now: Held, completed: str) -> list[str]:
    """Return what is wrong with what both sides have; completed: the command that ended well."""
    found = []
    if not before.mine <= now.mine <= rig.everything:
        found.append("the client's messages")
    if not before.theirs <= now.theirs <= rig.everything:
        found.append("the server's messages")
    if not now.told_me <= now.theirs:
        found.append("the client was told of messages that the server has not")
    if not now.told_them <= now.mine | now.taken:
        found.append("the server was told of messages that the client has not")
    if completed and not now.mine == now.theirs == rig.everything:
        found.append("it ended well and is not complete")
    return found

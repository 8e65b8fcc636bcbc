"""`python -m tests.crash`: attacks msglog as often as asked for, and says what came of it."""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from tests.crash.attack import FREEZE, KILLS, KINDS, SSH, Attacker, Case, Verdict, draw
from tests.crash.operations import OPERATIONS
from tests.crash.site import Site
from tests.ssh.sshd import Sshd, User, running_sshd

SHARED_MEMORY = Path("/dev/shm")


def strike_all(folder: str, cases: list[Case], person: User | None = None) -> Iterator[Verdict]:
    """Run cases one after the other in a folder."""
    attacker = Attacker(Path(folder), person)
    attacker.prepare()
    for case in cases:
        yield attacker.strike(case)


def _work(
    folder: str, cases: list[Case], person: User | None, verdicts: "SimpleQueue[Verdict | None]"
) -> None:
    try:
        for verdict in strike_all(folder, cases, person):
            verdicts.put(verdict)
    finally:
        verdicts.put(None)


def _share(folder: str, cases: list[Case], workers: int) -> Iterator[Verdict]:
    """Yield the verdicts of several processes."""
    with ExitStack() as stack:
        sshd = None
        if any(case.kind in SSH for case in cases):
            # Not the home whose shell may do much at each login.
            home = f"SetEnv HOME={folder}"
            sshd = stack.enter_context(running_sshd(Path(folder, "sshd"), extra=[home]))
        yield from _share_with(sshd, folder, cases, workers)


def _share_with(
    sshd: Sshd | None, folder: str, cases: list[Case], workers: int
) -> Iterator[Verdict]:
    verdicts: SimpleQueue[Verdict | None] = multiprocessing.SimpleQueue()
    # Cases of one operation go to one worker, which then learns it once.
    names = sorted({case.operation for case in cases})
    shares: list[list[Case]] = [[] for _ in range(workers)]
    for name in sorted(names, key=lambda one: -sum(case.operation == one for case in cases)):
        min(shares, key=len).extend([case for case in cases if case.operation == name])
    processes = []
    for number, share in enumerate(shares):
        own = f"{folder}/{number}"
        os.mkdir(own)
        person = None
        if sshd is not None:
            person = sshd.make_user(f"ann{number}")
            Site(Path(own)).let_in(sshd, person)
        process = multiprocessing.Process(target=_work, args=(own, share, person, verdicts))
        process.start()
        processes.append(process)
    ended = 0
    while ended < len(processes):
        verdict = verdicts.get()
        if verdict is None:
            ended += 1
        else:
            yield verdict
    for process in processes:
        process.join()
        if process.exitcode != 0:
            raise SystemExit("a worker failed")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seed", default="1")
    parser.add_argument(
        "--kills", type=int, default=1000, help="how many processes to kill at least"
    )
    parser.add_argument("--case", type=int, nargs="*", help="run only these")
    parser.add_argument("--operation", nargs="*", choices=list(OPERATIONS))
    parser.add_argument("--kind", nargs="*", choices=list(KINDS))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    start = time.monotonic()
    cases = list(_cases(options))
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    folder = tempfile.mkdtemp(prefix="msglog-crash-", dir=place)
    counts: Counter[tuple[str, str]] = Counter()
    faults = acknowledged = missed = 0
    try:
        for verdict in _share(folder, cases, min(options.workers, len(cases))):
            acknowledged += verdict.acknowledged
            if verdict.struck:
                counts[verdict.case.operation, verdict.case.kind] += 1
            else:
                missed += 1
            if verdict.fault:
                faults += 1
            if verdict.fault or options.case:
                print(_line(options.seed, verdict), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(counts)
    kills = sum(number for (_, kind), number in counts.items() if kind in _KILLING)
    print(
        f"seed {options.seed}: {len(cases)} cases, {kills} kills, "
        f"{sum(counts.values()) - kills} other attacks, {missed} that never struck, "
        f"{acknowledged} acknowledgements of servers checked, {faults} faults, "
        f"{time.monotonic() - start:.0f} s"
    )
    return 1 if faults else 0


_KILLING = (*KILLS, *SSH, FREEZE)


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    if options.case:
        for number in options.case:
            yield draw(options.seed, number)
        return
    number = kills = 0
    while kills < options.kills * 1.05:
        case = draw(options.seed, number)
        number += 1
        if options.operation and case.operation not in options.operation:
            continue
        if options.kind and case.kind not in options.kind:
            kills += case.kind in _KILLING
            continue
        kills += case.kind in _KILLING or bool(options.kind)
        yield case


def _line(seed: str, verdict: Verdict) -> str:
    case = verdict.case
    said = f"FAULT: {verdict.fault}" if verdict.fault else "as promised"
    return (
        f"{case.operation}, {case.kind} {verdict.point}: {said}  "
        f"[again: make crash SEED={seed} CASE={case.number}]"
    )


def _report(counts: Counter[tuple[str, str]]) -> None:
    kinds = [kind for kind in KINDS if any(one == kind for _, one in counts)]
    print(f"{'operation':<14}" + "".join(f"{kind.replace(' ', '-'):>13}" for kind in kinds))
    for name in OPERATIONS:
        row = [counts[name, kind] for kind in kinds]
        if any(row):
            print(f"{name:<14}" + "".join(f"{number or '':>13}" for number in row))
    print(f"{'all':<14}" + "".join(f"{sum(counts[n, k] for n in OPERATIONS):>13}" for k in kinds))


if __name__ == "__main__":
    sys.exit(main())

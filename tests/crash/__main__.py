"""`python -m tests.crash`: attacks msglog as often as asked for, and says what came of it."""

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from tests.crash.attack import FREEZE, IN_FILES, KILLS, Attacker
from tests.crash.case import OVER_SSH, Case, Choice, Verdict
from tests.crash.postgres_attack import IN_POSTGRES, KILLED, PostgresAttacker
from tests.crash.postgres_site import PostgresSite
from tests.crash.site import Site
from tests.postgres.server import FAST, running_postgres
from tests.ssh.sshd import running_sshd

SHARED_MEMORY = Path("/dev/shm")
CHOICES = {"sqlite": IN_FILES, "postgres": IN_POSTGRES}


def _work(attacker: Attacker, cases: list[Case], verdicts: "SimpleQueue[Verdict | None]") -> None:
    # What killed commands leave there goes with all else.
    tempfile.tempdir = str(attacker.site.base)
    try:
        attacker.prepare()
        for case in cases:
            verdicts.put(attacker.strike(case))
    finally:
        verdicts.put(None)


def _attackers(
    folder: str, number: int, store: str, stack: ExitStack, *, over_ssh: bool
) -> Iterator[Attacker]:
    """Yield attackers, each with a folder and a server of PostgreSQL of its own, if it needs one."""
    sshd = None
    if over_ssh:
        # Not the home whose shell may do much at each login.
        home = f"SetEnv HOME={folder}"
        sshd = stack.enter_context(running_sshd(Path(folder, "sshd"), extra=[home]))
    for one in range(number):
        own = Path(folder, str(one))
        own.mkdir()
        person = None
        if sshd is not None:
            person = sshd.make_user(f"ann{one}")
            Site(own).let_in(sshd, person)
        if store == "sqlite":
            yield Attacker(Site(own), IN_FILES.operations, person)
        else:
            settings = (*FAST, "autovacuum=off")
            postgres = stack.enter_context(running_postgres(settings=settings))
            yield PostgresAttacker(PostgresSite(own, postgres), person)


def _share(folder: str, cases: list[Case], workers: int, store: str) -> Iterator[Verdict]:
    """Yield the verdicts of several processes."""
    verdicts: SimpleQueue[Verdict | None] = multiprocessing.SimpleQueue()
    # Cases of one operation go to one worker, which then learns it once.
    names = sorted({case.operation for case in cases})
    shares: list[list[Case]] = [[] for _ in range(workers)]
    for name in sorted(names, key=lambda one: -sum(case.operation == one for case in cases)):
        min(shares, key=len).extend([case for case in cases if case.operation == name])
    over_ssh = any(case.kind in OVER_SSH for case in cases)
    with ExitStack() as stack:
        attackers = list(_attackers(folder, workers, store, stack, over_ssh=over_ssh))
        processes = [
            multiprocessing.Process(target=_work, args=(attacker, share, verdicts))
            for attacker, share in zip(attackers, shares, strict=True)
        ]
        for process in processes:
            process.start()
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
    parser.add_argument("--store", choices=list(CHOICES), default="sqlite", help="of the account")
    parser.add_argument("--operation", nargs="*")
    parser.add_argument("--kind", nargs="*")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    choice = CHOICES[options.store]
    for given, known in ((options.operation, choice.operations), (options.kind, choice.kinds)):
        if unknown := set(given or ()) - set(known):
            parser.error(f"{min(unknown)!r} is none of {', '.join(known)}")
    start = time.monotonic()
    cases = list(_cases(options, choice))
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    folder = tempfile.mkdtemp(prefix="msglog-crash-", dir=place)
    counts: Counter[tuple[str, str]] = Counter()
    faults = acknowledged = missed = 0
    try:
        for verdict in _share(folder, cases, min(options.workers, len(cases)), options.store):
            acknowledged += verdict.acknowledged
            if verdict.struck:
                counts[verdict.case.operation, verdict.case.kind] += 1
            else:
                missed += 1
            if verdict.fault:
                faults += 1
            if verdict.fault or options.case:
                print(_line(options, verdict), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(counts, choice)
    kills = sum(number for (_, kind), number in counts.items() if kind in _KILLING)
    print(
        f"seed {options.seed}: {len(cases)} cases, {kills} kills, "
        f"{sum(counts.values()) - kills} other attacks, {missed} that never struck, "
        f"{acknowledged} acknowledgements of servers checked, {faults} faults, "
        f"{time.monotonic() - start:.0f} s"
    )
    return 1 if faults else 0


_KILLING = (*KILLS, *OVER_SSH, FREEZE, KILLED)


def _cases(options: argparse.Namespace, choice: Choice) -> Iterator[Case]:
    if options.case:
        for number in options.case:
            yield choice.draw(options.seed, number)
        return
    number = kills = 0
    while kills < options.kills * 1.05:
        case = choice.draw(options.seed, number)
        number += 1
        if options.operation and case.operation not in options.operation:
            continue
        if options.kind and case.kind not in options.kind:
            kills += case.kind in _KILLING
            continue
        kills += case.kind in _KILLING or bool(options.kind)
        yield case


def _line(options: argparse.Namespace, verdict: Verdict) -> str:
    case = verdict.case
    store = "" if options.store == "sqlite" else f"STORE={options.store} "
    said = f"FAULT: {verdict.fault}" if verdict.fault else "as promised"
    return (
        f"{case.operation}, {case.kind} {verdict.point}: {said}  "
        f"[again: make crash {store}SEED={options.seed} CASE={case.number}]"
    )


def _report(counts: Counter[tuple[str, str]], choice: Choice) -> None:
    kinds = [kind for kind in choice.kinds if any(one == kind for _, one in counts)]
    print(f"{'operation':<17}" + "".join(f"{kind.replace(' ', '-'):>16}" for kind in kinds))
    for name in choice.operations:
        row = [counts[name, kind] for kind in kinds]
        if any(row):
            print(f"{name:<17}" + "".join(f"{number or '':>16}" for number in row))
    sums = [sum(counts[name, kind] for name in choice.operations) for kind in kinds]
    print(f"{'all':<17}" + "".join(f"{number:>16}" for number in sums))


if __name__ == "__main__":
    sys.exit(main())

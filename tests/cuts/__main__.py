"""Cuts and damages sessions at every byte and at random ones: the full run."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.cuts import database, plan, resumption, wire
from tests.cuts.fault import DIRECTIONS
from tests.cuts.proxy import NOTHING
from tests.cuts.rig import COMMANDS, LONG_SECONDS, SSHD_LINES, TRANSPORTS, Rig
from tests.cuts.trial import Result, Trial, attempt
from tests.ssh.sshd import running_sshd

LARGE = 50_000
MEMORY = Path("/dev/shm")
PARTS = ["wire", "small", "large", "resumption", "database"]


def main() -> int:
    """Make a plan, have it worked off, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.cuts", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--positions", type=int, default=16, help="random ones of each kind")
    parser.add_argument(
        "--workers", type=int, default=4, help="processes; half of the time is waiting"
    )
    parser.add_argument("--only", metavar="TRIAL", action="append", help="as a failure prints it")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--work", nargs=2, metavar=("PLAN", "PART"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if arguments.work:
        return _work(Path(arguments.work[0]), arguments.work[1])
    if arguments.only:
        return _report(_tried([Trial.parse(text) for text in arguments.only]), {})
    parts = arguments.part or PARTS
    start, failures = time.monotonic(), 0
    print(f"seed {arguments.seed}, positions {arguments.positions}", flush=True)
    for part in parts:
        begun = time.monotonic()
        if part == "resumption":
            failures += _resume()
        else:
            trials = _plan(part, arguments.seed, arguments.positions)
            print(f"{part}: {len(trials)} trials", flush=True)
            failures += _share_out(trials, arguments.workers)
        print(f"{part}: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{failures} failures, {time.monotonic() - start:.0f} s")
    return 1 if failures else 0


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder in memory where there is one: disks are not what is tried here."""
    where = MEMORY if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="cuts-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _rig(*, large: bool) -> Iterator[Rig]:
    with _folder() as folder, running_sshd(folder / "sshd", extra=SSHD_LINES) as sshd:
        (folder / "rig").mkdir()
        size = {"new": LARGE} if large else {}
        with closing(Rig(sshd, folder / "rig", **size)) as rig:
            yield rig


def _plan(part: str, seed: int, positions: int) -> list[Trial]:
    if part == "wire":
        return list(wire.every_byte(seed))
    if part == "database":
        with _folder() as folder, database.rigs(folder) as make, make() as rig:
            return database.every_byte(database.measure(rig), seed)
    with _rig(large=part == "large") as rig:
        sizes = measure(rig)
    return (plan.large if part == "large" else plan.full)(sizes, seed, positions)


def measure(rig: Rig) -> plan.Sizes:
    """Return how many bytes undisturbed sessions have."""
    sizes: dict[tuple[str, str, str], int] = {}
    for transport in TRANSPORTS:
        for command in COMMANDS:
            rig.put_back(command)
            rig.proxy.begin(NOTHING)
            done = rig.run([command, "origin"], transport, seconds=LONG_SECONDS)
            assert done.status == 0, done.err
            for way in DIRECTIONS:
                sizes[transport, command, way] = rig.proxy.passed(way)
    return sizes


def _share_out(trials: list[Trial], workers: int) -> int:
    """Have processes work the trials off; return how many failed."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    with _folder() as folder:
        place = folder / "plan"
        place.write_text("\n".join(map(str, trials)))
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.cuts", "--work", str(place), f"{number}/{workers}"],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us to pass on
                stdout=(folder / f"out{number}").open("w"),
            )
            for number in range(workers)
        ]
        try:
            broken = sum(process.wait() != 0 for process in processes)
        except KeyboardInterrupt:
            for process in processes:
                process.terminate()
            broken = sum(process.wait() != 0 for process in processes)
        lines = [
            line
            for number in range(workers)
            for line in (folder / f"out{number}").read_text().splitlines()
        ]
    results = ((Trial.parse(text), Result(*rest)) for text, *rest in map(json.loads, lines))
    if broken or len(lines) != len(trials):
        print(f"{broken} workers failed; {len(lines)} of {len(trials)} trials are done")
        broken = max(broken, 1)
    return broken + _report(results, counts)


def _work(place: Path, share: str) -> int:
    number, workers = map(int, share.split("/"))
    trials = [Trial.parse(text) for text in place.read_text().splitlines()[number::workers]]
    stopped: list[int] = []
    # A command would take an exception for its own: the trial under way is ended first.
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    for trial, result in _tried(trials):
        print(json.dumps([str(trial), result.outcome, list(result.problems)]), flush=True)
        if stopped:
            return 1
    return 0


def _tried(trials: list[Trial]) -> Iterator[tuple[Trial, Result]]:
    """Try trials in turn, those of one kind of place together."""
    in_memory = [trial for trial in trials if trial.way == "wire"]
    for trial in in_memory:
        yield trial, wire.attempt(trial)
    of_database = [trial for trial in trials if trial.way == database.WAY]
    if of_database:
        with _folder() as folder:
            yield from database.tried(of_database, folder)
    for large in (False, True):
        chosen = [
            trial
            for trial in trials
            if trial.way not in ("wire", database.WAY) and trial.way.startswith("large-") == large
        ]
        if chosen:
            checked: set[str] = set()
            with _rig(large=large) as rig:
                for trial in chosen:
                    yield trial, attempt(rig, trial, checked)


def _report(
    results: Iterator[tuple[Trial, Result]], counts: dict[tuple[str, str, str], Counter[str]]
) -> int:
    """Print the counts, and of each failure how it is repeated; return how many there were."""
    failures = []
    for trial, result in results:
        row = trial.way, trial.fault.kind, trial.fault.direction
        counts.setdefault(row, Counter())[result.outcome] += 1
        if result.problems:
            failures.append((trial, result))
    for row, outcomes in sorted(counts.items()):
        shown = ", ".join(f"{name} {number}" for name, number in sorted(outcomes.items()))
        print(f"{' '.join(f'{cell:15}' for cell in row)} {outcomes.total():6}: {shown}")
    for trial, result in failures:
        print(f"FAILED {'; '.join(result.problems)[:2000]}")
        print(f"    python -m tests.cuts --only {trial}")
    return len(failures)


def _resume() -> int:
    """Cut transfers at nine tenths over both transports; return how many sent too much again."""
    failures = 0
    with _rig(large=True) as rig:
        for transport in TRANSPORTS:
            for command in (*COMMANDS, "clone"):
                found = resumption.resume(rig, transport, command)
                print(found, flush=True)
                failures += not found.thrifty
    return failures


if __name__ == "__main__":
    sys.exit(main())

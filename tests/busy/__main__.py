"""Everything at once, for as long as is asked for: `make busy SECONDS=60`; see `--help`."""

import argparse
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from msglog.layout import STORE_NAME
from tests.bench.corpus import machine_vocabulary
from tests.bench.site import running_site
from tests.busy import frozen
from tests.busy.crowd import Tally, run_local, run_server
from tests.busy.exploration import EDGES, Exploration, RaceError, cases, sample
from tests.busy.killing import killed
from tests.busy.places import InMemory, InSqlite, Places, furnish, in_small_parts, step_sqlite
from tests.busy.races import ACTS, CROWDS, Race, check, settle
from tests.busy.writers import measure
from tests.plumbing.peers import START

PUSHERS, PULLERS = 32, 8
PEOPLE = (2, 8)
WRITERS = 40
SAMPLE = 50


def main(words: list[str]) -> int:
    """Run everything, print the figures, and return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.busy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each part (60)")
    parser.add_argument("--seed", type=int, default=1, help="what chance depends on (1)")
    parser.add_argument("parts", nargs="*", help=f"only some of {', '.join(PARTS)}")
    arguments = parser.parse_args(words)
    failed = 0
    for name in arguments.parts or PARTS:
        sys.stdout.write(f"{name}, seed {arguments.seed}:\n")
        begun = time.monotonic()
        with TemporaryDirectory(prefix="msglog-busy-") as folder:
            try:
                for line in PARTS[name](Path(folder), arguments.seconds, arguments.seed):
                    sys.stdout.write(f"{line}\n")
                    sys.stdout.flush()
            except (AssertionError, RaceError) as error:
                sys.stdout.write(f"  FAILED: {error}\n")
                failed += 1
        sys.stdout.write(f"  took {time.monotonic() - begun:.0f} s\n")
    return 1 if failed else 0


def _figures(tally: Tally, took: float) -> Iterator[str]:
    yield from tally.lines(took)
    assert not tally.failures, "see above"


def server(folder: Path, seconds: float, seed: int) -> Iterator[str]:
    """Pushers and pullers over sshd, with an administrator, gc, verify and slow readers."""
    with running_site(folder / "site") as site:
        yield f"  {PUSHERS} pushers, {PULLERS} pullers"
        words = machine_vocabulary()
        yield from _figures(
            *run_server(site, words, pushers=PUSHERS, pullers=PULLERS, seconds=seconds, seed=seed)
        )


def local(folder: Path, seconds: float, seed: int) -> Iterator[str]:
    """Some people in one repository, and `sync --every`."""
    words = machine_vocabulary()
    with running_site(folder / "site") as site:
        for people in PEOPLE:
            yield f"  {people} people and `sync --every` in one repository"
            yield from _figures(*run_local(site, words, people=people, seconds=seconds, seed=seed))


def writers(folder: Path, seconds: float, seed: int) -> Iterator[str]:
    """Processes that do nothing but write, and some that do nothing but read."""
    del seed
    for number, readers, size in ((1, 0, 1), (2, 0, 1), (WRITERS, 0, 1), (2, 4, 200)):
        yield measure(folder / f"{number}-{readers}", number, readers, size, min(seconds, 20.0))


def races(folder: Path, seconds: float, seed: int) -> Iterator[str]:
    """Races with gc: each operation frozen at each step, and by chance, until the time is over."""
    with pytest.MonkeyPatch.context() as patches:
        in_small_parts(patches)
        step_sqlite(patches)
        for places in (InMemory(), InSqlite(folder / "places")):
            furnish(places)
            yield from _explored(places, seconds, seed)
            yield from _sampled(places, seconds, seed)


def _explored(places: Places, seconds: float, seed: int) -> Iterator[str]:
    exploration = Exploration(places, settling=0.1)
    known = [*cases([*ACTS, *CROWDS], clocks=EDGES)]
    random.Random(seed).shuffle(known)
    deadline = time.monotonic() + seconds
    done = 0
    for case in known:
        if time.monotonic() > deadline:
            break
        exploration.frozen(case)
        done += 1
    yield (
        f"  {type(places).__name__}: {done} of {len(known)} cases, each frozen at each step:"
        f" {exploration.races} races of {exploration.steps} steps"
    )


def _sampled(places: Places, seconds: float, seed: int) -> Iterator[str]:
    exploration = Exploration(places, settling=0.1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sample(exploration, seed + exploration.races, SAMPLE)
    yield (
        f"  {type(places).__name__}: by chance: {exploration.races} races"
        f" of {exploration.steps} steps"
    )


def kills(folder: Path, seconds: float, seed: int) -> Iterator[str]:
    """Kill gc before each of its statements, on either side."""
    del seconds, seed
    with pytest.MonkeyPatch.context() as patches:
        in_small_parts(patches)
        places = InSqlite(folder / "places")
        furnish(places)
        for side in ("server", "client"):
            number = 0
            while True:
                race = Race(places.copy())
                more = killed(race.places, side, START + 1, number)
                check(race)
                settle(race)
                assert isinstance(race.places, InSqlite)
                shutil.rmtree(race.places.folder)
                if not more:
                    break
                number += 1
            yield f"  gc of the {side}: killed before each of {number} statements"


def freezes(folder: Path, seconds: float, seed: int) -> Iterator[str]:
    """Wait for somebody frozen, for as long as is documented."""
    del seconds, seed
    for words in (("init",), ("add", "before")):
        assert frozen.msglog(folder, *words).status == 0
    here = folder / ".msglog"
    for what, place, command in (
        ("store", here / STORE_NAME, ("add", "meanwhile")),
        ("configuration", here, ("remote", "add", "origin", "server@host")),
    ):
        with frozen.holding(what, here):
            ended = frozen.msglog(folder, *command)
        assert ended.status == 7, ended.said
        assert str(place) in ended.said
        yield f"  {' '.join(command)}: {ended.seconds:.1f} s, {ended.said.strip()}"
        again = frozen.msglog(folder, *command)
        assert again.status == 0, again.said
        yield f"  afterwards: {again.seconds:.2f} s"


PARTS = {part.__name__: part for part in (server, local, writers, races, kills, freezes)}

if __name__ == "__main__":
    os.environ.pop("MSGLOG_DIR", None)
    sys.exit(main(sys.argv[1:]))

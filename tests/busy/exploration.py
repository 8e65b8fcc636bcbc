"""Runs races in every order there is room for, with the clock at the edges of the grace."""

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from msglog.errors import MsglogError
from msglog.key import SECOND
from msglog.timestamp import DAY
from tests.busy.places import GRACE, InSqlite, Places
from tests.busy.races import ACTS, CROWDS, Act, Race, check, gc, settle
from tests.busy.schedule import TO_THE_END, Actor, Turns, frozen, interrupting, run, shuffled
from tests.plumbing.peers import START

EDGES = (START, START + 1, START + GRACE - 1, START + GRACE)
"""What gc takes for now: what was given up before is just kept, or just not; all written is kept."""

BEYOND = (START + GRACE + 1, START + GRACE + SECOND, START + 1000 * DAY)
"""Clocks by which a session lasts for longer than the grace, up to one that is wrong by years.

What uses a root that was given up may then fail, with an error that says so; what refs reach stays.
"""

SIDES = ("server", "client")


class RaceError(Exception):
    """A race ended badly. Says which, so that it can be run again."""


@dataclass(frozen=True, slots=True)
class Case:
    """What takes part in a race: operations by name, gc of one side by a clock, and maybe another gc."""

    name: str
    side: str
    now: int
    twice: bool = False
    dry_run: bool = False

    def operations(self) -> list[Act]:
        acts: list[Act] = [*{**ACTS, **CROWDS}[self.name]]
        acts.append(gc(self.side, self.now, dry_run=self.dry_run))
        if self.twice:
            acts.append(gc(self.side, self.now - 1))
        return acts

    @property
    def in_time(self) -> bool:
        """Whether nothing that is used is given up for longer than the grace: then nothing may fail."""
        return self.now <= START + GRACE


@dataclass
class Exploration:
    """Runs races from one beginning, which stays as it is. settling: after which share of them."""

    beginning: Places
    settling: float = 1.0
    races: int = 0
    steps: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(0))

    def run(self, case: Case, turns: Turns, label: str) -> list[Actor]:
        """Run one race and check it; raises RaceError."""
        race = Race(self.beginning.copy())
        try:
            acts = case.operations()
            actors = run([lambda act=act: act(race) for act in acts], turns)  # type: ignore[misc]
            for actor in actors:
                if not (isinstance(actor.error, MsglogError) and not case.in_time):
                    actor.prove()
            check(race)
            if self._chance.random() < self.settling:
                settle(race)
        except Exception as error:
            raise RaceError(f"{case}, {label}: {error!r}") from error
        finally:
            if isinstance(race.places, InSqlite):
                shutil.rmtree(race.places.folder)
        self.races += 1
        self.steps += sum(actor.steps for actor in actors)
        return actors

    def interrupted(self, case: Case, positions: Sequence[tuple[int, int, int]]) -> None:
        """Run a race of two, interrupted as said; see `interrupting`."""
        for first, at, steps in positions:
            self.run(case, interrupting(first, at, steps), f"interrupting{(first, at, steps)}")

    def frozen(self, case: Case) -> None:
        """Run a race with each operation in turn frozen after each of its steps."""
        number = len(case.operations())
        for first in range(number):
            for at in range(TO_THE_END):
                actors = self.run(case, frozen(number, first, at), f"frozen({number, first, at})")
                if actors[first].steps < at:
                    break

    def shuffled(self, case: Case, seeds: Sequence[int]) -> None:
        """Run a race of any number in an order by each seed."""
        number = len(case.operations())
        for seed in seeds:
            self.run(case, shuffled(number, seed), f"shuffled({number}, {seed})")


def positions(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield every way in which one of two operations is interrupted by the other, once or twice.

    lengths: how many steps each of them has.
    """
    for first in (0, 1):
        for at in range(lengths[first] + 1):
            for steps in range(1, lengths[1 - first] + 1):
                yield first, at, steps


def cases(names: Sequence[str], *, clocks: Sequence[int] = EDGES) -> Iterator[Case]:
    """Yield the races of these names with gc of either side."""
    for name in names:
        for side in SIDES:
            for now in clocks:
                yield Case(name, side, now)


def sample(exploration: Exploration, seed: int, number: int) -> None:
    """Run so many races, chosen by a seed from all that there are."""
    chance = random.Random(seed)
    known = [*cases([*ACTS, *CROWDS], clocks=(*EDGES, *BEYOND))]
    for _ in range(number):
        case = chance.choice(known)
        case = replace(case, twice=chance.random() < 0.3, dry_run=chance.random() < 0.1)
        members = len(case.operations())
        match chance.randrange(3):
            case 0:
                first, at = chance.randrange(members), chance.randrange(120)
                exploration.run(case, frozen(members, first, at), f"frozen{(members, first, at)}")
            case 1 if members == 2:
                position = chance.randrange(2), chance.randrange(120), chance.randrange(1, 120)
                exploration.interrupted(case, [position])
            case _:
                exploration.shuffled(case, [chance.randrange(1 << 30)])

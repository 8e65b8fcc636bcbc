"""Runs the rules from a seed for as many steps as are wanted, and shrinks what fails."""

import random
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.model.world import RULES, World

Step = tuple[str, int]
TOLD_EVERY = 50_000
NAMES = list(RULES)
WEIGHTS = list(RULES.values())


@dataclass(frozen=True)
class Failure:
    """world, steps: from which it repeats. why: what happened."""

    world: int
    steps: tuple[Step, ...]
    why: str


@dataclass
class Tally:
    worlds: int = 0
    steps: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        self.worlds += other.worlds
        self.steps += other.steps
        self.rules.update(other.rules)
        self.facts.update(other.facts)

    def summary(self) -> str:
        counts = [f"{number} {what}" for what, number in (self.rules + self.facts).most_common()]
        return f"{self.steps} steps in {self.worlds} worlds: {', '.join(counts)}"


def steps_of(world: int) -> list[Step]:
    """Return the steps that are drawn for a world."""
    draw = random.Random(-world)
    length = draw.choice((50, 200, 1000, 1000))
    rules = draw.choices(NAMES, WEIGHTS, k=length)
    return [(rule, draw.randrange(1 << 32)) for rule in rules]


def play(number: int, steps: Sequence[Step], facts: Counter[str] | None = None) -> Failure | None:
    """Play some steps in a world, and say how that failed; None if it did not."""
    world = World(number)
    done = 0
    try:
        for rule, seed in steps:
            done += 1
            world.step(rule, seed)
        world.finish()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        frames = "".join(traceback.format_exception(error))
        return Failure(number, tuple(steps[:done]), frames)
    finally:
        world.close()
        if facts is not None:
            facts.update(world.facts)
    return None


def shrink(failure: Failure, say: Callable[[str], None] = print, *, tries: int = 2000) -> Failure:
    """Leave out steps for as long as it fails in the same place."""
    kind = _kind(failure)
    size = max(len(failure.steps) // 2, 1)
    best = failure
    while size and tries:
        at = 0
        while at < len(best.steps) and tries:
            tries -= 1
            steps = best.steps[:at] + best.steps[at + size :]
            found = play(failure.world, steps)
            if found is not None and _kind(found) == kind:
                best = found
            else:
                at += size
        say(f"{len(best.steps)} steps, by {size}")
        size = size // 2 if size > 1 else 0
    return best


def _kind(failure: Failure) -> str:
    last = failure.why.strip().splitlines()[-1]
    return "".join("#" if letter.isdigit() else letter for letter in last.partition(" lab")[0])


def run(
    seed: int, steps: int, tally: Tally, say: Callable[[str], None] = lambda _: None
) -> Failure | None:
    """Play one world after the other until so many steps are done."""
    draw = random.Random(seed)
    told = 0
    while tally.steps < steps:
        world = draw.randrange(1, 1 << 48)
        wanted = steps_of(world)[: steps - tally.steps]
        failure = play(world, wanted, tally.facts)
        if failure is not None:
            return failure
        tally.worlds += 1
        tally.steps += len(wanted)
        tally.rules.update([rule for rule, _ in wanted])
        if tally.steps // TOLD_EVERY > told:
            told = tally.steps // TOLD_EVERY
            say(f"seed {seed}: {tally.steps} steps")
    return None

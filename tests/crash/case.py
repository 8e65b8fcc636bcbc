"""What is done to which command, and what came of it; drawn by a seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.crash.operations import Operation

OVER_SSH = ("ssh client", "ssh server")
_OF_A_SERVER = ("kill server", "kill both", *OVER_SSH)


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


@dataclass(frozen=True, slots=True)
class Choice:
    """What is drawn from. kinds: of attacks, and how often each."""

    operations: Mapping[str, Operation]
    kinds: Mapping[str, int]

    def draw(self, seed: str, number: int) -> Case:
        """Return a case by the seed of a run and its number in it."""
        chance = random.Random(f"{seed}:{number}")
        operations = list(self.operations.values())
        (operation,) = chance.choices(operations, [one.weight for one in operations])
        kinds = {
            kind: weight
            for kind, weight in self.kinds.items()
            if operation.remote or kind not in _OF_A_SERVER
        }
        (kind,) = chance.choices(list(kinds), list(kinds.values()))
        return Case(number, operation.name, kind, chance.random(), chance)

"""What is done to a cluster in one run, drawn by a seed: no process, no clock."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

FAULTS = 2
"""How many faults a run has before the last one, which kills the primary."""

QUIET_SECONDS = (0.5, 3.0)
"""How long clients are left in peace before a fault."""

DOWN_SECONDS = (1.0, 6.0)
"""How long what was killed or frozen stays away, after others have taken its place where that is waited for."""


class Kind(Enum):
    """What can happen."""

    KILL_PRIMARY = "primary killed"
    """The whole node, Patroni too, as when its power fails; it is back when another one is primary."""

    RESTART_PRIMARY = "primary killed and back"
    """The same, but it is back, perhaps before anybody has missed it."""

    CRASH_PRIMARY = "primary's PostgreSQL killed"
    """PostgreSQL alone: Patroni sees it and decides."""

    FREEZE_PRIMARY = "primary frozen"
    """SIGSTOP for the whole node; later it goes on and believes itself still primary."""

    KILL_SYNCHRONOUS = "synchronous standby killed"
    """The one that commits wait for."""

    FREEZE_SYNCHRONOUS = "synchronous standby frozen"
    """No commit gets through until the primary gives it up and names the other one."""

    KILL_OTHER = "other standby killed"

    KILL_ETCD = "etcd member killed"

    KILL_ETCD_MAJORITY = "two etcd members killed"
    """Nobody can hold a lock any more: Patroni's primary steps down by itself."""

    KILL_BOTH = "primary and etcd member killed"


ALL: Final = tuple(Kind)
LAST: Final = Kind.KILL_PRIMARY


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. after: seconds of peace before; down: seconds until all is brought back. member: of etcd."""

    kind: Kind
    after: float
    down: float
    member: int


def draw(seed: int, run: int, *, faults: int = FAULTS, kinds: Sequence[Kind] = ALL) -> list[Fault]:
    """Return the faults of a run; its last one kills the primary.

    Runs of one seed take the kinds in turn, in an order that the seed gives: a few runs have all of them.
    """
    order = list(kinds)
    random.Random(f"{seed}").shuffle(order)
    chance = random.Random(f"{seed} {run}")
    chosen = [order[(run * faults + number) % len(order)] for number in range(faults)]
    return [
        Fault(
            kind,
            chance.uniform(*QUIET_SECONDS),
            chance.uniform(*DOWN_SECONDS),
            chance.randrange(3),
        )
        for kind in (*chosen, LAST)
    ]

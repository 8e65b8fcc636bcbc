"""Which trials make a full run: every byte of a small session, and samples of all else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from tests.cuts.fault import CHANGES, CUTS, DIRECTIONS, DOWN, KINDS, UP, Fault
from tests.cuts.rig import COMMANDS, TRANSPORTS
from tests.cuts.trial import Trial

PREAMBLE = {UP: 600, DOWN: 1700}
"""So many bytes before the end of the shortest session no command has been asked for, at least."""

Sizes = Mapping[tuple[str, str, str], int]
"""The bytes of an undisturbed session, by transport, command and direction."""

PIECE_BYTES = (1, 1, 2, 4, 8, 16, 32, 64, 200)


def every_byte(sizes: Sizes, seed: int) -> Iterator[Trial]:
    """Yield a cut and a flip of each byte, the built-in transport's.

    Up to the command all sessions are alike: there the bytes are shared among the commands.
    Another seed, of the other parity, takes the other kind of cut and the other command.
    """
    chance = random.Random(f"every byte {seed}")
    for way in DIRECTIONS:
        shortest = min(sizes["builtin", command, way] for command in COMMANDS)
        for number, command in enumerate(COMMANDS):
            for position in range(sizes["builtin", command, way]):
                if position < shortest - PREAMBLE[way] and (position + number + seed) % 2:
                    continue
                cut = ("fin", "rst")[(position // 2 + seed) % 2]
                yield Trial("builtin", command, Fault(cut, way, position))
                bit = chance.randrange(8)
                yield Trial("builtin", command, Fault("flip", way, position, bit))


def sample(
    sizes: Sizes, seed: int, number: int, *, front: str = "", kinds: tuple[str, ...] = KINDS
) -> Iterator[Trial]:
    """Yield so many trials of each kind, transport, command and direction at random positions."""
    chance = random.Random(f"sample {front} {seed}")
    for transport in TRANSPORTS:
        for command in COMMANDS:
            for way in DIRECTIONS:
                for kind in kinds:
                    for _ in range(number):
                        position = chance.randrange(sizes[transport, command, way])
                        fault = Fault(
                            kind, way, position, chance.randrange(8), chance.choice(PIECE_BYTES)
                        )
                        yield Trial(f"{front}{transport}", command, fault)


def full(sizes: Sizes, seed: int, positions: int) -> list[Trial]:
    """Return all trials of a full run of a small session, in an order that the seed gives."""
    trials = [
        *every_byte(sizes, seed),
        *sample(sizes, seed, positions, kinds=KINDS[:-3] + KINDS[-2:]),
        *sample(
            sizes, seed, max(1, positions // 8), front="process-", kinds=("fin", "rst", "flip")
        ),
        *sample(sizes, seed, 1, front="process-", kinds=("stall",)),
    ]
    random.Random(seed).shuffle(trials)
    return trials


def large(sizes: Sizes, seed: int, positions: int) -> list[Trial]:
    """Return the trials of a large session: one of each kind and more, spread by the seed."""
    trials = list(sample(sizes, seed, 1, front="large-", kinds=(*CUTS, *CHANGES)))
    random.Random(seed).shuffle(trials)
    return trials[:positions]

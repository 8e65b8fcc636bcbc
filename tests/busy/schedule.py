"""Operations that run one step at a time, in an order that is chosen: every race is a test.

Each operation is a thread, of which one runs at any time. At each `pause` it hands over to the scheduler,
which says who goes on. Stores pause before each of their steps: see `sites`.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

STUCK_SECONDS = 120.0
"""An operation that does not come to its next step waits for another one: a bug of the test's."""

TO_THE_END = 1 << 30

Operation = Callable[[], object]
Turns = Iterator[tuple[int, int]]
"""Which operation goes on, and for how many steps at most."""


class StuckError(Exception):
    """An operation waits for one that is not running."""


@dataclass(eq=False)
class Actor:
    """One operation under way. steps: how many pauses it came to. error: what it ended with."""

    operation: Operation
    steps: int = 0
    over: bool = False
    result: object = None
    error: BaseException | None = None
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._turn.acquire()
        _HERE.actor = self
        try:
            self.result = self.operation()
        except BaseException as error:  # noqa: BLE001 - whoever runs the schedule looks at it
            self.error = error
        self.over = True
        self._back.release()

    def pause(self) -> None:
        self.steps += 1
        self._back.release()
        self._turn.acquire()

    def step(self) -> None:
        """Go on to the next pause, or to the end."""
        self._turn.release()
        if not self._back.acquire(timeout=STUCK_SECONDS):
            raise StuckError(f"after {self.steps} steps")

    def prove(self) -> None:
        """Raise the error that the operation ended with, if it did."""
        if self.error is not None:
            raise self.error


_HERE = threading.local()


def pause() -> None:
    """Let others go on first, if the scheduler wants it so; nothing outside of an operation."""
    actor = getattr(_HERE, "actor", None)
    if isinstance(actor, Actor):
        actor.pause()


def run(operations: Sequence[Operation], turns: Turns) -> list[Actor]:
    """Run operations in these turns, and what is left of them in their order."""
    actors = [Actor(operation) for operation in operations]
    for actor in actors:
        actor.start()
    for number, steps in turns:
        for _ in range(steps):
            if actors[number].over:
                break
            actors[number].step()
        if all(actor.over for actor in actors):
            break
    for actor in actors:
        while not actor.over:
            actor.step()
    return actors


def interrupting(first: int, at: int, steps: int) -> Turns:
    """Of two: the first is interrupted once, the other one then as well, after so many steps."""
    yield first, at
    yield 1 - first, steps
    yield first, TO_THE_END


def frozen(number: int, first: int, at: int) -> Turns:
    """Of any number: one stops after so many steps, until all others are over, and then goes on."""
    yield first, at
    for other in range(number):
        if other != first:
            yield other, TO_THE_END


def shuffled(number: int, seed: int) -> Turns:
    """Any order; turns of one step as often as of many."""
    chance = random.Random(seed)
    while True:
        yield chance.randrange(number), chance.choice((1, 1, 2, 5, 20))

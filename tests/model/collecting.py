"""Garbage collection of one site, in one go or held up between its transactions."""

import random

from msglog.store.collection import Retention
from msglog.timestamp import DAY
from tests.model.knowledge import Known, receipts
from tests.model.sites import GoneError, ServerGoneError, Tap


class Collecting:
    """A run of gc, in one go or as a task."""

    def __init__(self, known: Known, draw: random.Random) -> None:
        self.known = known
        self.tap = Tap(ServerGoneError)
        self.grace = draw.choice((0, 3_600_000_000, DAY, 14 * DAY, 14 * DAY))
        self._condense = draw.random() < 0.3
        self.receipts = receipts(known.site)
        self.over = False
        self.alone = True
        self.before = 0
        self.result: object = None
        self._now = known.site.clock()
        if draw.random() < 0.2:
            self.tap.die_at = draw.randrange(1, 100)

    def retention(self) -> Retention:
        return Retention(self._now, self.grace)

    def run(self) -> None:
        retention = self.retention()
        self.before = self._now - self.grace
        repository = self.known.site.start(self.tap)
        try:
            self.result = repository.store.collect(retention)
            if self._condense:
                repository.store.condense()
        except GoneError:
            pass
        finally:
            self.known.site.end(repository, self.tap)
            self.over = True

    def note(self) -> None:
        self.alone = False

    def uses(self, known: Known) -> bool:
        return known is self.known

    def strike(self, draw: random.Random) -> None:
        del draw
        self.tap.dead = True

    def strike_at(self, known: Known) -> None:
        del known
        self.tap.dead = True

    def strike_all(self) -> None:
        self.tap.dead = True

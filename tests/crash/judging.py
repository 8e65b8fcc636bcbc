"""What must hold after an attack, whatever it was."""

from contextlib import closing

from msglog.index.walk import iterate
from msglog.repository import Repository
from msglog.wire.events import Acknowledged
from msglog.wire.reader import EventReader
from tests.crash.operations import Operation
from tests.crash.site import Done, Site, View

NOTHING: frozenset[object] = frozenset()


class Lost(Exception):  # noqa: N818 - what was lost, or is not as promised
    """Something that was promised does not hold."""


class Judge:
    """Knows what an operation has to work with and what it is to make of it."""

    def __init__(self, site: Site, operation: Operation, before: View) -> None:
        self.site = site
        self.operation = operation
        self.before = before
        self.after = site.look()
        self.files = site.files()

    def check_between(self) -> View:
        """Check that everything is as it was, or as it is to be, or on the way; return it."""
        for fault in self.site.verify():
            raise Lost(fault)
        now = self.site.look()
        for name in {*now, *self.before, *self.after}:
            one, old, new = (view.get(name, NOTHING) for view in (now, self.before, self.after))
            if one in (old, new):
                continue
            if self.operation.steps and old & new <= one <= old | new:
                continue
            raise Lost(f"{name} is neither as before nor as after: {_difference(one, old, new)}")
        return now

    def check_done(self, now: View) -> None:
        """Check that what was said to be done is done."""
        for name, items in self.after.items():
            if missing := items - now.get(name, NOTHING):
                raise Lost(f"{name} lacks what was acknowledged: {_few(missing)}")
        for name, items in now.items():
            if more := items - self.after.get(name, NOTHING):
                raise Lost(f"{name} has more than what was acknowledged: {_few(more)}")

    def check_acknowledged(self, wire: bytes) -> int:
        """Check that the server has all that it acknowledged; return how many times it did."""
        try:
            events = EventReader().receive(wire)
        except Exception as error:
            raise Lost(f"what the server said cannot be read: {error}") from error
        roots = [event.root for event in events if isinstance(event, Acknowledged)]
        if not roots:
            return 0
        served = self.site.account / "repositories" / "main"
        with closing(Repository.open(served)) as repository:
            there = {key for log in repository.logs() for key in repository.keys(log.root)}
            for root in roots:
                keys = set(iterate(repository.store.read_nodes, root))
                if not keys <= there:
                    raise Lost(
                        f"{len(keys - there)} messages that the server acknowledged are gone"
                    )
        return len(roots)

    def complete(self, between: View | None) -> None:
        """Run the command again, and check that it makes what it is to make.

        between: what there was before, if that was looked at.
        """
        operation, site = self.operation, self.site
        words, where = operation.spoken(site), operation.where(site)
        done = site.run(where, words, stdin=operation.stdin)
        if operation.after and done.status == 7:
            words = operation.completion(site)
            done = site.run(where, words)
        if done.status != 0 and done.status not in operation.settled:
            raise Lost(f"the same again ends with {done.status}: {done.error.strip()}")
        check_error(done)
        for fault in site.verify():
            raise Lost(f"after the same again, {fault}")
        self._check_final(between)
        if piled := site.files() - self.files:
            raise Lost(f"the same again leaves {', '.join(sorted(piled))}")
        if missing := self.files - site.files():
            raise Lost(f"the same again does not make {', '.join(sorted(missing))}")

    def _check_final(self, between: View | None) -> None:
        now = self.site.look()
        for name in {*now, *self.after}:
            one, new = now.get(name, NOTHING), self.after.get(name, NOTHING)
            if one == new:
                continue
            if self.operation.adds:
                twice = {(body, 2) for body, number in new - self.before[name] if number == 1}
                was = self.after if between is None else between
                if one == new | twice and was.get(name) == new:
                    continue
            raise Lost(
                f"the same again does not make {name} right: {_difference(one, NOTHING, new)}"
            )


def check_error(done: Done, *, allowed: frozenset[int] | None = None) -> None:
    """Check that an error is one line, with one of the statuses that are documented for it."""
    if "Traceback" in done.error or "bug in msglog" in done.error or done.status in (70, 99):
        raise Lost(f"it ended with {done.status}, saying {done.error.strip()!r}")
    lines = [line for line in done.error.splitlines() if line.startswith("msglog: error: ")]
    if done.status not in (0, 1) and len(lines) != 1:
        raise Lost(f"it ended with {done.status}, and not with one line: {done.error!r}")
    if allowed is not None and done.status not in allowed:
        raise Lost(f"it ended with {done.status}, saying {done.error.strip()!r}")


def _difference(one: frozenset[object], old: frozenset[object], new: frozenset[object]) -> str:
    return f"lacks {_few((old & new or new) - one)}, has more {_few(one - new)}"


def _few(items: frozenset[object]) -> str:
    shown = [repr(item)[:60] for item in sorted(items, key=repr)[:3]]
    return ", ".join(shown) + (f" and {len(items) - 3} more" if len(items) > 3 else "") or "nothing"

"""The model's world: clients, servers, and the rules by which they come to harm."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from msglog.account.role import Role
from msglog.key import FIRST_KEY, Key, first_key_at, key_time
from msglog.repository import LogExistsError, UnknownLogError
from msglog.store import memory, sqlite_collection, sqlite_commit, sqlite_condensation
from msglog.store.store import Quota, Usage
from msglog.timestamp import DAY
from plumbing import outgoing
from tests.model.collecting import Collecting
from tests.model.knowledge import (
    NOTHING,
    Keys,
    Known,
    Library,
    ModelError,
    audit,
    audit_usage,
    receipts,
    settle,
)
from tests.model.objects import an_object
from tests.model.rules import POLICIES, Rights, Server
from tests.model.sites import ClientGoneError, GoneError, Site, Tap, a_folder
from tests.model.tasks import FOR_EVER, Task
from tests.model.visit import Errand, Visit

LOGS = ("main", "lab", "lab/beam")
RULES = {
    "add": 25,
    "add_and_die": 3,
    "visit": 6,
    "troubled_visit": 4,
    "open": 4,
    "advance": 50,
    "kill": 1,
    "grant": 2,
    "policy": 1.5,
    "quota": 1.5,
    "new_log": 1,
    "rename_log": 0.4,
    "delete_log": 0.4,
    "gc": 1.2,
    "open_gc": 0.6,
    "clock": 2,
    "copy": 0.8,
    "restore": 0.6,
    "replace": 0.1,
    "find": 1.5,
    "audit": 1.5,
}
"""The rules, and how often each is drawn."""

SESSIONS = 3
"""How many tasks are open at once."""


class World:
    """One run, made from a number; each step is a rule and a number, and can be left out."""

    def __init__(self, number: int, *, store: str = "", large: bool = True) -> None:
        draw = random.Random(number)
        self.facts: Counter[str] = Counter()
        self.library = Library()
        self.objects: dict[Key, bytes] = {}
        self.numbers: list[int] = []
        self.tasks: list[tuple[Task, Visit | Collecting]] = []
        self.ever: dict[tuple[bytes, str], Keys] = {}
        self.copies: dict[str, list[tuple[object, Known, bytes]]] = {}
        self._identities = 0
        self._first = draw.randrange(1, 4000)
        kind = store or draw.choice(("memory", "memory", "memory", "sqlite", "both"))
        self.folder = None if kind == "memory" else a_folder()
        self._limits = (
            draw.choice((4096, 4096, 4096, 40, 9)),
            draw.choice((64, 64, 3)),
            draw.choice((2000, 3)),
        )
        self.known: dict[str, Known] = {}
        self.servers = [
            Server(self._site(f"server{at}", kind, draw), counted=draw.random() < 0.5)
            for at in range(draw.choice((1, 1, 2)))
        ]
        self.clients = [
            self.known[self._site(f"client{at}", kind, draw).label]
            for at in range(draw.choice((1, 2, 3)))
        ]
        for server in self.servers:
            server.rights = {self.user(client): Rights() for client in self.clients}
        with self.limited():
            for _ in range(draw.choice((0, 1, 2))):
                known = draw.choice(list(self.known.values()))
                size = draw.choice((5, 70, 70, 70, 300))
                if self._limits[0] < 4096:
                    size = min(size, 70)
                elif draw.random() < 0.02 and large:
                    size = 4500
                self._put(known, draw.choice(LOGS), self._draw_objects(draw, size))

    def _site(self, label: str, kind: str, draw: random.Random) -> Site:
        in_file = kind == "sqlite" or (kind == "both" and draw.random() < 0.5)
        site = Site(label, self._identity(), self.folder if in_file else None)
        self.known[label] = Known(site)
        return site

    def _identity(self) -> bytes:
        self._identities += 1
        return self._identities.to_bytes(16, "big")

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Make batches, memories of agreed roots and transactions of gc small in some worlds."""
        batch, agreed, part = self._limits
        limits: list[tuple[ModuleType, str, int]] = [
            (outgoing, "BATCH_MESSAGES_LIMIT", batch),
            (memory, "AGREED_LIMIT", agreed),
            (sqlite_commit, "AGREED_LIMIT", agreed),
            (sqlite_collection, "SLICE", part),
            (sqlite_condensation, "_OWN_PATIENCE", 0),
        ]
        before = [getattr(module, name) for module, name, _ in limits]
        for module, name, value in limits:
            setattr(module, name, value)
        try:
            yield
        finally:
            for (module, name, _), value in zip(limits, before, strict=True):
                setattr(module, name, value)

    def close(self) -> None:
        for task, _ in self.tasks:
            for _, owner in self.tasks:
                owner.strike_all()
            try:
                task.advance(FOR_EVER)
            except BaseException:  # noqa: BLE001 - something has failed already
                pass
        for known in self.known.values():
            known.site.close()
        if self.folder is not None:
            shutil.rmtree(self.folder)

    @staticmethod
    def user(client: Known) -> str:
        return f"user{client.site.label[-1]}"

    def step(self, rule: str, number: int) -> None:
        """Do one thing, and look at all that it may have touched."""
        with self.limited():
            getattr(self, f"do_{rule}")(random.Random(number))

    # What all rules need.

    def _any(self, draw: random.Random) -> Known:
        return draw.choice(list(self.known.values()))

    def _draw_objects(self, draw: random.Random, size: int) -> dict[Key, bytes]:
        found = {}
        for _ in range(size):
            if self.numbers and draw.random() < 0.1:
                number = draw.choice(self.numbers)
            else:
                number = self._first + draw.randrange(4000)
                self.numbers.append(number)
            key, data = an_object(number)
            found[key] = self.objects[key] = data
        return found

    def _put(self, known: Known, log: str, messages: dict[Key, bytes]) -> None:
        site = known.site
        if log not in known.logs:
            site.own().create_log(log, time=site.clock())
        added = site.own().add(log, messages, time=site.clock())
        expected = known.logs.get(log, NOTHING) | messages.keys()
        if added.count != len(expected):
            raise ModelError(f"add says {added.count}, of {len(expected)}")
        self.settle(known, {log: expected}, "add")
        self.check_exact(known, log, expected)

    def settle(self, known: Known, allowed: dict[str, Keys], what: str) -> None:
        settle(self.library, known, allowed, what)
        for log, keys in known.logs.items():
            place = known.site.identity, log
            old = self.ever.get(place, NOTHING)
            if old is not keys and not keys <= old:
                self.ever[place] = old | keys
        for (remote, log), keys in known.tracking.items():
            if not keys <= self.ever.get((known.met[remote], log), NOTHING):
                raise ModelError(f"{known.site} claims that {remote} has what it never had")
        for _, owner in self.tasks:
            owner.note()

    def check_exact(self, known: Known, log: str, expected: Keys) -> None:
        if known.logs.get(log) != expected:
            had = known.logs.get(log, NOTHING)
            raise ModelError(
                f"{known.site} {log} has {len(had - expected)} too many, "
                f"{len(expected - had)} too few"
            )

    def _disturb(self, known: Known, what: str) -> None:
        for _, owner in self.tasks:
            if isinstance(owner, Visit):
                if owner.client is known:
                    owner.disturbed.add(what if what in ("gc", "rights") else f"client {what}")
                if owner.there is known:
                    owner.disturbed.add(what if what in ("gc", "rights") else f"server {what}")

    def _counted(self, known: Known) -> dict[str, str]:
        for server in self.servers:
            if server.site is known.site:
                return {user: server.counted_user(user) for user in server.rights}
        return {}

    # Adding.

    def do_add(self, draw: random.Random) -> None:
        known = draw.choice([*self.clients, self._any(draw)])
        size = draw.choice((1,) * 12 + (2, 5, 20))
        messages = self._draw_objects(draw, size)
        for log in draw.sample(LOGS, draw.choice((1, 1, 1, 1, 3))):
            if log in known.logs or draw.random() < 0.2:
                self._put(known, log, messages)
                continue
            try:
                known.site.own().add(log, messages, time=known.site.clock())
            except UnknownLogError:
                continue
            raise ModelError(f"{log} is not there, and was added to")

    def do_add_and_die(self, draw: random.Random) -> None:
        known = self._any(draw)
        if not known.logs:
            return
        log = draw.choice(sorted(known.logs))
        messages = self._draw_objects(draw, draw.choice((1, 5, 30)))
        tap = Tap(ClientGoneError)
        tap.die_at = draw.randrange(1, 12)
        repository = known.site.start(tap)
        before, done = known.logs[log], False
        try:
            repository.add(log, messages, time=known.site.clock())
            done = True
        except GoneError:
            pass
        known.site.end(repository, tap)
        after = before | messages.keys()
        self.settle(known, {log: after}, "add that dies")
        if known.logs[log] != after and (done or known.logs[log] != before):
            raise ModelError(f"{known.site} {log} has a part of what was added at once")

    # Sessions.

    def _draw_visit(self, draw: random.Random) -> Visit:
        client = draw.choice(self.clients)
        at = draw.randrange(len(self.servers))
        verbs = draw.choice((("pull",), ("push",), ("push",), ("pull", "push"), ("fetch",)))
        logs = draw.sample(LOGS, draw.choice((1, 1, 1, 2, 3)))
        view = FIRST_KEY
        if self.objects and draw.random() < 0.2:
            number = draw.choice(self.numbers)
            view = first_key_at(key_time(an_object(number)[0]))
        errands = [Errand(verb, log, view) for verb in verbs for log in logs]
        return Visit(
            self,
            client,
            self.user(client),
            self.servers[at],
            "" if draw.random() < 0.15 else f"origin{at}",
            errands,
            random.Random(draw.random()),
            ahead=draw.random() < 0.7,
        )

    def _after(self, visit: Visit) -> None:
        """Look at both sides of a session that has gone on."""
        self.settle(visit.there, visit.may_be_given(), visit.what)
        self.settle(visit.client, visit.may_be_taken(), visit.what)
        if visit.over:
            for tap in (visit.client_tap, visit.server_tap):
                tap.pause = None

    def do_visit(self, draw: random.Random) -> None:
        visit = self._draw_visit(draw)
        visit.run()
        self._after(visit)
        visit.conclude()

    def do_troubled_visit(self, draw: random.Random) -> None:
        visit = self._draw_visit(draw)
        trouble = draw.randrange(3)
        if trouble == 0:
            visit.cut = int(2 ** draw.uniform(4, 14))
        elif trouble == 1:
            visit.die(visit.client_tap, draw.randrange(1, 80))
        else:
            visit.die(visit.server_tap, draw.randrange(1, 80))
        visit.run()
        self._after(visit)

    def do_open(self, draw: random.Random) -> None:
        if len(self.tasks) >= SESSIONS:
            self.do_advance(draw)
            return
        visit = self._draw_visit(draw)
        visit.alone = False
        task = Task(visit.run)
        visit.client_tap.pause = visit.server_tap.pause = task.pause
        if draw.random() < 0.2:
            visit.cut = int(2 ** draw.uniform(4, 14))
        self.tasks.append((task, visit))
        self._advance(task, visit, draw.randrange(1, 20))

    def do_advance(self, draw: random.Random) -> None:
        if not self.tasks:
            self.do_open(draw)
            return
        task, owner = draw.choice(self.tasks)
        self._advance(task, owner, draw.choice((1, 1, 1, 2, 2, 3, 5, 5, 10, 30, FOR_EVER)))

    def _advance(self, task: Task, owner: Visit | Collecting, points: int) -> None:
        try:
            task.advance(points)
        finally:
            if task.done:
                self.tasks.remove((task, owner))
        if isinstance(owner, Visit):
            self._after(owner)
        else:
            self._after_gc(owner)

    def do_kill(self, draw: random.Random) -> None:
        if self.tasks:
            task, owner = draw.choice(self.tasks)
            owner.strike(draw)
            self._advance(task, owner, draw.choice((1, 20, FOR_EVER)))

    def _stop(self, known: Known) -> None:
        """Kill all that has a repository open."""
        for task, owner in list(self.tasks):
            if owner.uses(known):
                owner.strike_at(known)
                self._advance(task, owner, FOR_EVER)

    # What administrators do.

    def do_grant(self, draw: random.Random) -> None:
        server = draw.choice(self.servers)
        user = draw.choice(sorted(server.rights))
        roles = (*Role, *(Role.WRITE,) * 9, Role.APPEND)
        server.rights[user].change(draw.choice(("", "", "", *LOGS)), draw.choice(roles))
        for _, owner in self.tasks:
            if isinstance(owner, Visit) and owner.rights is server.rights[user]:
                owner.disturbed.add("rights")

    def do_policy(self, draw: random.Random) -> None:
        draw.choice(self.servers).policy = draw.choice(POLICIES)

    def do_quota(self, draw: random.Random) -> None:
        server = draw.choice(self.servers)
        messages = draw.choice((None, None, 0, 20, 100))
        size = draw.choice((None, None, None, 3000, 20_000))
        server.quota = Quota(messages, size)
        busy = any(isinstance(one, Visit) and one.server is server for _, one in self.tasks)
        for user in server.rights:
            usage = server.site.store.usage(server.counted_user(user))
            before = server.ceilings.get(user, (float("inf"),) * 2) if busy else (0.0, 0.0)
            server.ceilings[user] = (
                max(before[0], usage.messages, float("inf") if messages is None else messages),
                max(before[1], usage.size, float("inf") if size is None else size),
            )

    def do_new_log(self, draw: random.Random) -> None:
        known, log = self._any(draw), draw.choice(LOGS)
        try:
            known.site.own().create_log(log, time=known.site.clock())
        except LogExistsError:
            if log in known.logs:
                return
            raise
        if log in known.logs:
            raise ModelError(f"{log} was made twice")
        self.settle(known, {log: NOTHING}, "new log")

    def do_rename_log(self, draw: random.Random) -> None:
        known = self._any(draw)
        old, new = draw.sample(LOGS, 2)
        try:
            known.site.own().rename_log(old, new, time=known.site.clock())
        except (LogExistsError, UnknownLogError):
            if old not in known.logs or new in known.logs:
                return
            raise
        self._disturb(known, old)
        self._disturb(known, new)
        keys = known.logs.pop(old)
        self.settle(known, {new: keys}, "renaming")
        self.check_exact(known, new, keys)

    def do_delete_log(self, draw: random.Random) -> None:
        known, log = self._any(draw), draw.choice(LOGS)
        if log not in known.logs:
            return
        time = known.site.clock()
        known.site.own().delete_log(log, time=time)
        self._disturb(known, log)
        known.deleted.append((time, known.logs.pop(log)))
        self.settle(known, {}, "deleting")

    def do_clock(self, draw: random.Random) -> None:
        known = self._any(draw)
        jump = draw.choice((1, DAY, 15 * DAY, 100 * DAY, 2000 * DAY, -DAY, -400 * DAY))
        known.site.clock.now += jump

    # gc.

    def do_gc(self, draw: random.Random) -> None:
        collecting = Collecting(self._any(draw), draw)
        if any(owner.uses(collecting.known) for _, owner in self.tasks):
            collecting.grace = max(collecting.grace, DAY)
        self._disturb(collecting.known, "gc")
        dry = None
        if draw.random() < 0.2:
            dry = collecting.known.site.store.collect(collecting.retention(), dry_run=True)
        collecting.run()
        self._after_gc(collecting)
        if None not in (dry, collecting.result) and collecting.result != dry:
            raise ModelError(f"gc said {dry}, and did {collecting.result}")

    def do_open_gc(self, draw: random.Random) -> None:
        if len(self.tasks) >= SESSIONS:
            return
        collecting = Collecting(self._any(draw), draw)
        collecting.grace = max(collecting.grace, DAY)
        self._disturb(collecting.known, "gc")
        task = Task(collecting.run)
        collecting.tap.pause = task.pause
        self.tasks.append((task, collecting))
        self._advance(task, collecting, draw.randrange(1, 20))

    def _after_gc(self, collecting: Collecting) -> None:
        known = collecting.known
        self.settle(known, {}, "gc")
        known.sound.clear()
        if not collecting.over:
            return
        collecting.tap.pause = None
        self._audit(known, usage=False)
        after = receipts(known.site)
        counted = self._counted(known)
        for key, user in collecting.receipts.items():
            if key not in after:
                name = counted.get(user, user)
                gone = known.removed.get(name, Usage())
                known.removed[name] = gone.plus(1, len(self.objects[key]))
                for _, other in self.tasks:  # which would count it once more
                    if isinstance(other, Collecting) and other.known is known:
                        other.receipts.pop(key, None)
        if collecting.tap.points and collecting.alone is False:
            known.exact_usage = False
        for time, keys in known.deleted:
            if time < collecting.before:
                continue
            there = known.site.store.find_messages(list(keys))
            if len(there) != len(keys):
                raise ModelError(f"{known.site}: gc took what was deleted within the grace")
        known.deleted = [one for one in known.deleted if one[0] >= collecting.before]

    # Copies.

    def do_copy(self, draw: random.Random) -> None:
        known = self._any(draw)
        site = known.site
        copies = self.copies.setdefault(site.label, [])
        copies.append((site.copy(), known.snapshot(), site.identity))

    def do_restore(self, draw: random.Random) -> None:
        known = self._any(draw)
        copies = self.copies.get(known.site.label)
        if copies:
            self._stop(known)
            copy, past, identity = draw.choice(copies)
            known.site.put_back(copy, identity)
            self._become(known, past.snapshot())
            self._allow_what_is_there(known)

    def _allow_what_is_there(self, known: Known) -> None:
        """Expect of a copy that was put back no less usage than it has, whatever the quota."""
        for server in self.servers:
            if server.site is known.site:
                for user, (messages, size) in server.ceilings.items():
                    used = server.site.store.usage(server.counted_user(user))
                    server.ceilings[user] = max(messages, used.messages), max(size, used.size)

    def _become(self, known: Known, past: Known) -> None:
        known.logs, known.tracking = past.logs, past.tracking
        known.deleted, known.met = past.deleted, past.met
        known.removed, known.exact_usage = past.removed, past.exact_usage
        known.sound.clear()
        self.settle(known, {}, "restoring")
        for log, keys in past.logs.items():
            self.check_exact(known, log, keys)

    def do_replace(self, draw: random.Random) -> None:
        server = draw.choice(self.servers)
        known = self.known[server.site.label]
        self._stop(known)
        server.site.make(self._identity())
        self._become(known, Known(known.site))

    # Looking.

    def do_find(self, draw: random.Random) -> None:
        known = self._any(draw)
        keys = sorted(known.logs[draw.choice(sorted(known.logs))]) if known.logs else []
        if keys:
            key = draw.choice(keys)
            if key not in known.site.own().find(key[8:].hex()[:12]):
                raise ModelError(f"{known.site} does not find {key[8:].hex()}")

    def do_audit(self, draw: random.Random) -> None:
        self._audit(self._any(draw))

    def _audit(self, known: Known, *, usage: bool = True) -> None:
        audit(self.library, self.objects, known)
        if usage and not any(
            isinstance(one, Collecting) and one.known is known for _, one in self.tasks
        ):
            audit_usage(self.objects, known, self._counted(known))
        for server in self.servers:
            if server.site is known.site:
                for user, ceiling in server.ceilings.items():
                    used = server.site.store.usage(server.counted_user(user))
                    if used.messages > ceiling[0] or used.size > ceiling[1]:
                        raise ModelError(f"{user} delivered {used}, over {ceiling}")

    def finish(self) -> None:
        """End all sessions, let everybody exchange all, and see that all is the same."""
        with self.limited():
            while self.tasks:
                self._advance(*self.tasks[0], FOR_EVER)
            for server in self.servers:
                server.policy, server.quota = "none", Quota()
                server.ceilings.clear()
                for rights in server.rights.values():
                    rights.roles = {"": Role.WRITE}
                    rights.epoch += 1
            for known in self.known.values():
                self._audit(known)
                for log in LOGS:
                    if log not in known.logs:
                        known.site.own().create_log(log, time=known.site.clock())
                        self.settle(known, {log: NOTHING}, "new log")
            expected = {
                log: NOTHING.union(*[known.logs[log] for known in self.known.values()])
                for log in LOGS
            }
            for _ in range(3):
                for client in self.clients:
                    for at in range(len(self.servers)):
                        self._sync(client, at)
            roots = set()
            for known in self.known.values():
                for log in LOGS:
                    self.check_exact(known, log, expected[log])
                    roots.add((log, known.site.own().log(log).root))
                self._audit(known)
            if len(roots) != len(LOGS):
                raise ModelError("after all was exchanged, roots differ")

    def _sync(self, client: Known, at: int) -> None:
        errands = [Errand(verb, log) for verb in ("pull", "push") for log in LOGS]
        visit = Visit(
            self,
            client,
            self.user(client),
            self.servers[at],
            f"origin{at}",
            errands,
            random.Random(0),
        )
        visit.run()
        if visit.errors:
            raise ModelError(f"{visit.what}: {visit.errors[0]}")
        self._after(visit)
        visit.conclude()

"""Operations that race with gc, and what must hold when all of them are over."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msglog.errors import MsglogError, NotAuthorisedError
from msglog.inspection import Inspection
from msglog.key import FIRST_KEY, Key
from msglog.refname import tracking_ref
from msglog.repository import Repository
from msglog.store.collection import Collected, Retention
from msglog.store.store import Ref
from msglog.wire.events import Acknowledged, Batch, Event
from plumbing.transport.channel import Channel, ChannelError
from tests.busy.places import (
    BATCH,
    FIRST,
    GONE,
    GRACE,
    HELD,
    OWN,
    SIDE,
    Places,
    closed,
    pair,
    texts,
)
from tests.hostile.liars import Tampering
from tests.plumbing.peers import START, Rights, keys

NEW = range(300, 320)
CUT_AFTER = 2
"""So many batches are acknowledged before a transfer is interrupted."""


@dataclass
class Race:
    """One run. acknowledged: by place and log, what must be there in the end."""

    places: Places
    now: int = START
    acknowledged: dict[tuple[str, str], set[Key]] = field(default_factory=dict)
    rights: list[Rights] = field(default_factory=list)
    revoked: bool = False
    made: list[str] = field(default_factory=list)

    def acknowledge(self, place: str, log: str, known: set[Key]) -> None:
        self.acknowledged.setdefault((place, log), set()).update(known)


Act = Callable[[Race], object]


def add(race: Race) -> None:
    """Add messages; some were in a log that is gone, so that gc may be about to remove them."""
    with closed(race.places, "client") as repository:
        for numbers in (GONE[:10], NEW, GONE[5:70]):
            messages = texts(numbers)
            repository.add("main", messages, time=race.now)
            race.acknowledge("client", "main", set(messages))


def push(race: Race) -> None:
    with pair(race.places, now=race.now) as client:
        race.rights.append(client.rights)
        client.rights.revoked = race.revoked
        try:
            known = keys(client.repository)
            client.push()
            race.acknowledge("server", "main", known)
        except NotAuthorisedError:
            assert race.revoked


def pull(race: Race) -> None:
    with pair(race.places, now=race.now) as client:
        known = keys(client.server.repository)
        client.pull()
        race.acknowledge("client", "main", known)


def fetch(race: Race) -> None:
    """Fetch without pulling: only agreed roots and the tracking ref keep what came."""
    with pair(race.places, now=race.now) as client:
        known = keys(client.server.repository)
        client.pull(pull=False)
        ref = client.repository.store.ref(tracking_ref("origin", "main"))
        assert ref is not None
        assert known <= set(client.repository.keys(ref.root))


def clone(race: Race) -> None:
    race.places.make("clone")
    race.made.append("clone")
    with pair(race.places, client="clone", now=race.now) as client:
        known = keys(client.server.repository)
        client.pull()
        race.acknowledge("clone", "main", known)


@dataclass
class Cut:
    """Cuts the connection when so many batches are acknowledged; counts those that travelled."""

    kind: type[Event]
    left: int = CUT_AFTER
    messages: int = 0

    def channel(self, inner: Channel) -> Channel:
        return Tampering(inner, self._change)

    def _change(self, event: Event, number: int) -> list[Event]:
        del number
        if isinstance(event, self.kind):
            if not self.left:
                raise ChannelError("the remote closed the connection")
            self.left -= 1
        return [event]


def push_that_is_cut(race: Race) -> None:
    """Push in two sessions; what was acknowledged in the first does not travel again."""
    missing, pushed = _push_in_two_sessions(race)
    assert pushed <= missing - CUT_AFTER * BATCH


def push_in_two_sessions(race: Race) -> None:
    """The same beside another transfer: then the base is what both agreed on last."""
    _push_in_two_sessions(race)


def _push_in_two_sessions(race: Race) -> tuple[int, int]:
    """Return how many messages the server lacked, and how many it took in the second session."""
    cut = Cut(Acknowledged)
    with pair(race.places, now=race.now, wrap=cut.channel) as client:
        known = keys(client.repository)
        missing = len(known - keys(client.server.repository))
        try:
            client.push()
        except ChannelError:
            pass
        assert not cut.left
        client.server.wrap = lambda channel: channel
        pushed = client.push().messages
        race.acknowledge("server", "main", known)
        return missing, pushed


def fetch_that_is_cut(race: Race) -> None:
    """Fetch in two sessions; what came in the first and was kept does not travel again."""
    cut = Cut(Batch)
    with pair(race.places, now=race.now, wrap=cut.channel) as client:
        known = keys(client.server.repository)
        missing = len(known - keys(client.repository))
        try:
            client.pull(pull=False)
        except ChannelError:
            pass
        assert not cut.left
        client.server.wrap = lambda channel: channel
        assert client.pull().messages == missing - CUT_AFTER * BATCH
        race.acknowledge("client", "main", known)


def walk(race: Race) -> None:
    """Read a log to its end, whatever becomes of it meanwhile."""
    with closed(race.places, "server") as repository:
        try:
            root = repository.log("side").root
        except MsglogError:
            return
        found = [key for key, _ in repository.messages(repository.keys(root))]
        assert found == sorted(texts(SIDE))


def find(race: Race) -> None:
    with closed(race.places, "server") as repository:
        for key in (*texts(FIRST), *texts(SIDE)):
            if key[8] < 16:
                assert key in repository.find(key[8:].hex())


def delete(race: Race) -> None:
    with closed(race.places, "server") as repository:
        repository.delete_log("side", time=race.now)


def rename(race: Race) -> None:
    with closed(race.places, "server") as repository:
        repository.rename_log("side", "other", time=race.now)
        race.acknowledge("server", "other", set(texts(SIDE)))


def import_again(race: Race) -> None:
    """Make a log of what another one had that is gone."""
    with closed(race.places, "server") as repository:
        repository.create_log("again", time=race.now)
        for start in range(0, len(GONE), 40):
            messages = texts(GONE[start : start + 40])
            repository.add("again", messages, time=race.now)
            race.acknowledge("server", "again", set(messages))


def revoke(race: Race) -> None:
    race.revoked = True
    for rights in race.rights:
        rights.revoked = True


def verify(race: Race) -> None:
    for name in ("server", "client"):
        with closed(race.places, name) as repository:
            check_sound(repository)


def retention(now: int) -> Retention:
    """Return what gives up every past value of a ref at once, so that only the grace keeps it."""
    return Retention(now, GRACE, reflog_limit=1)


def gc(name: str, now: int, *, dry_run: bool = False) -> Act:
    """Return an operation that collects garbage of one side, with a clock of its own."""

    def collect(race: Race) -> Collected:
        with closed(race.places, name) as repository:
            found = repository.store.collect(retention(now), dry_run=dry_run)
            if not dry_run:
                repository.store.condense()
            return found

    return collect


ACTS: dict[str, tuple[Act, ...]] = {
    act.__name__: (act,)
    for act in (
        add,
        push,
        pull,
        fetch,
        clone,
        push_that_is_cut,
        fetch_that_is_cut,
        walk,
        find,
        delete,
        rename,
        import_again,
        verify,
    )
}
"""What races with one gc."""

CROWDS: dict[str, tuple[Act, ...]] = {
    "reader and deleter": (walk, delete),
    "reader and renamer": (walk, rename),
    "two finders": (find, find),
    "finder and deleter": (find, rename),
    "pusher who is revoked": (push, revoke),
    "pusher and adder": (push, add),
    "pusher and importer": (push, import_again),
    "cut pusher and puller": (push_in_two_sessions, pull),
    "cut fetcher and adder": (fetch_that_is_cut, add),
    "verifier and pusher": (verify, push),
    "cloner and renamer": (clone, rename),
}


def check(race: Race) -> None:
    """Check what must hold: all is sound, and everything acknowledged is there."""
    for name in ("server", "client", *race.made):
        with closed(race.places, name) as repository:
            check_sound(repository)
            for (place, log), known in race.acknowledged.items():
                if place == name:
                    assert known <= keys(repository, log), (place, log)
    _check_agreement(race)


def check_sound(repository: Repository) -> None:
    inspection = Inspection(repository)
    refs: dict[str, Ref] = repository.store.refs()
    for name, ref in refs.items():
        assert list(inspection.check_ref(name, ref, remember=False)) == [], name
    assert list(repository.store.faults()) == []


def _check_agreement(race: Race) -> None:
    """What the client took note of as agreed, the server has; HELD was so from the beginning."""
    with pair(race.places) as client:
        there = keys(client.server.repository)
        roots = client.repository.store.agreed(client.tracking().remote.peer, "main", FIRST_KEY)
        newest = set(client.repository.keys(roots[0]))
        assert set(texts(HELD)) <= newest
        if not any(numbers.revoked for numbers in race.rights):
            assert newest <= there | set(texts(OWN)) | set(texts(NEW)) | set(texts(GONE))


def settle(race: Race) -> None:
    """Tidy both sides and bring them in step: nothing may come to light only then."""
    for name in ("server", "client"):
        gc(name, race.now)(race)
    with pair(race.places, now=race.now) as client:
        client.push()
        client.pull()
        assert keys(client.repository) == keys(client.server.repository)
    check(race)

"""One client's session with a server, and what the model says of its outcome."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msglog.account.role import Capability
from msglog.errors import IntegrityError, MsglogError, NotAuthorisedError, RemoteError, UsageError
from msglog.key import FIRST_KEY, Key
from msglog.refname import REMOTE_PREFIX
from msglog.repository import Repository
from msglog.store.store import Commit, Ref, RefUpdate
from msglog.wire.events import Fetch, Push
from msglog.wire.request_line import EarlyRequest, parse_requests
from plumbing.fetching import Fetched, Fetcher, fetch_request
from plumbing.pushing import Pushed, Pusher, push_request
from plumbing.service import Service
from plumbing.session import Session, UnknownRemoteLogError
from plumbing.tracking import NOTHING_KNOWN, Remote, Tracking
from plumbing.transport.channel import Channel, ChannelError
from tests.model.knowledge import NOTHING, Keys, Known, ModelError
from tests.model.rules import Permissions, Server, verdict
from tests.model.sites import ClientGoneError, ServerGoneError, Tap
from tests.model.wire import UNCUT, Wire

if TYPE_CHECKING:
    from tests.model.world import World

NOBODY = bytes(16)


@dataclass(frozen=True)
class Errand:
    """What a client wants of one log: `pull`, `fetch` or `push`, from a key on."""

    verb: str
    log: str
    view: Key = FIRST_KEY


@dataclass
class Visit:
    """remote: the name of the server at the client, "" for a bare URL.

    alone: nothing else happens meanwhile, so that the outcome is known exactly.
    """

    world: "World"
    client: Known
    user: str
    server: Server
    remote: str
    errands: Sequence[Errand]
    draw: random.Random
    ahead: bool = True
    cut: int = UNCUT
    alone: bool = True
    disturbed: set[str] = field(default_factory=set)
    """What happened meanwhile: `rights`, `gc`, or a log of either side that was taken away."""

    def __post_init__(self) -> None:
        self.client_tap = Tap(ClientGoneError)
        self.server_tap = Tap(ServerGoneError)
        self._dies = False
        self.there = self.world.known[self.server.site.label]
        self.rights = self.server.rights[self.user]
        self.client_began = dict(self.client.logs)
        self.server_began = dict(self.there.logs)
        self.client_seen = dict(self.client.logs)
        self.server_seen = dict(self.there.logs)
        self.records: dict[str, list[tuple[Keys, Keys]]] = {}
        self.gone = False
        self.over = False
        self.wire: Wire | None = None
        self.errors: list[MsglogError] = []
        self.permissions: Permissions | None = None
        self.expected_client = dict(self.client.logs)
        self.expected_server = dict(self.there.logs)
        usage = self.server.site.store.usage(self.server.counted_user(self.user))
        self.usage = usage.messages, usage.size
        self.note()

    def die(self, tap: Tap, point: int) -> None:
        """Let one side die at a point of its own."""
        tap.die_at = point
        self._dies = True

    def uses(self, known: Known) -> bool:
        return known is self.client or known is self.there

    def strike(self, draw: random.Random) -> None:
        """Kill one side; the other finds out."""
        self._dies = True
        (self.client_tap if draw.random() < 0.5 else self.server_tap).dead = True

    def strike_at(self, known: Known) -> None:
        self._dies = True
        (self.client_tap if known is self.client else self.server_tap).dead = True

    def strike_all(self) -> None:
        self.client_tap.dead = self.server_tap.dead = True

    def may_be_taken(self) -> dict[str, Keys]:
        """Return what may have come from the server, by the logs that were asked for."""
        return self._may_travel(self.there, self.server_seen, "pull")

    def may_be_given(self) -> dict[str, Keys]:
        """Return what may have come from the client."""
        return self._may_travel(self.client, self.client_seen, "push")

    def _may_travel(self, source: Known, seen: dict[str, Keys], verb: str) -> dict[str, Keys]:
        now = self.world.library.look(source.site)[0]
        return {
            one.log: seen.get(one.log, NOTHING) | now.get(one.log, NOTHING)
            for one in self.errands
            if one.verb == verb and (one.log in seen or one.log in now)
        }

    def conclude(self) -> None:
        """See that a session without any trouble did exactly what it should."""
        for known, expected in (
            (self.client, self.expected_client),
            (self.there, self.expected_server),
        ):
            if known.logs != expected:
                raise ModelError(f"{self.what}: {known.site} is not as expected")

    @property
    def troubled(self) -> bool:
        return self.cut != UNCUT or self._dies

    @property
    def exact(self) -> bool:
        return self.alone and not self.troubled

    def note(self) -> None:
        """Look at what both sides have now; called whenever something else may have happened."""
        for seen, known in ((self.client_seen, self.client), (self.server_seen, self.there)):
            for log, keys in known.logs.items():
                old = seen.get(log, NOTHING)
                if old != keys:
                    seen[log] = old | keys
        for errand in self.errands:
            there = self.there.logs.get(errand.log, NOTHING)
            tracked = self.client.tracking.get((self.remote, errand.log), NOTHING)
            records = self.records.setdefault(errand.log, [])
            if not records or records[-1] != (tracked, there):
                records.append((tracked, there))

    # What both sides do.

    def run(self) -> None:
        repository = self.client.site.start(self.client_tap)
        session: Session | None = None
        try:
            session = self._converse(repository)
        except ClientGoneError:
            self.gone = True
        except MsglogError as error:
            self._judge(error, None)
        finally:
            try:
                if session is not None:
                    session.close()
            finally:
                if self.wire is not None:
                    self.wire.close()
                self.client.site.end(repository, self.client_tap)
                self.over = True

    def _connect(self, words: Sequence[str]) -> Channel:
        repository = self.server.site.start(self.server_tap)
        self.permissions = Permissions(self.user, self.rights)
        try:
            service = Service(
                repository,
                self.permissions,
                agent="msglog/test",
                clock=self.server.site.clock,
                rules=lambda _: self.server.rules(self.user),
            )
            service.open(parse_requests(words))
        except ServerGoneError:
            self.server.site.end(repository, self.server_tap)
            raise ChannelError("the remote closed the connection") from None
        self.wire = Wire(
            service,
            self.client_tap,
            ended=lambda: self.server.site.end(repository, self.server_tap),
            draw=self.draw,
            cut=self.cut,
        )
        return self.wire

    def _tracking(self, repository: Repository, errand: Errand, identity: bytes) -> Tracking:
        remote = Remote(self.remote, identity)
        clock = self.client.site.clock
        return Tracking(repository, remote, errand.log, clock=clock, view=errand.view)

    def _converse(self, repository: Repository) -> Session:
        known = self.client.met.get(self.remote, NOBODY)
        gets = [one for one in self.errands if one.verb != "push"]
        puts = [one for one in self.errands if one.verb == "push"]
        first = gets or puts
        early: list[EarlyRequest] = []
        held: list[Ref] = []
        if self.ahead:
            make = fetch_request if gets else push_request
            for one in first:
                tracking = self._tracking(repository, one, known)
                held.append(tracking.known())
                early.append(make(tracking))
        session = Session(self._connect, early)
        try:
            self._meet(repository, session.greeting.repository, known)
            if session.greeting.repository != known:
                held = [NOTHING_KNOWN] * len(held)
            self._get(session, repository, gets, early if gets else [], held)
            self._put(session, repository, puts, [] if gets else early, held)
        except BaseException:
            session.close()
            raise
        return session

    def _meet(self, repository: Repository, identity: bytes, known: bytes) -> None:
        """Do what commands do where another repository answers than before."""
        if not self.remote or known == identity:
            return
        if known != NOBODY:
            gone = repository.store.refs(f"{REMOTE_PREFIX}{self.remote}/")
            updates = [RefUpdate(ref, value.root, None) for ref, value in gone.items()]
            time = self.client.site.clock()
            repository.store.commit(Commit(time, "another repository", refs=updates))
            self.records = {log: [(NOTHING, NOTHING)] for log in self.records}
        self.client.met[self.remote] = identity

    def _get(
        self,
        session: Session,
        repository: Repository,
        errands: Sequence[Errand],
        early: Sequence[EarlyRequest],
        held: Sequence[Ref],
    ) -> None:
        identity = session.greeting.repository
        requests = [*early]
        known = list(held[: len(early)])
        for errand in errands[len(early) :]:
            tracking = self._tracking(repository, errand, identity)
            known.append(tracking.known())
            asked = fetch_request(tracking)
            session.send(asked)
            requests.append(asked)
        ready: list[tuple[Errand, Fetcher]] = []
        for errand, request, there in zip(errands, requests, known, strict=True):
            tracking = self._tracking(repository, errand, identity)
            assert isinstance(request, Fetch)
            pull = errand.verb == "pull"
            fetcher = Fetcher(session, tracking, pull=pull, early=request, known=there)
            if self._attempt(session, errand, fetcher.take_answer):
                ready.append((errand, fetcher))
        for errand, fetcher in ready:
            self._attempt(
                session,
                errand,
                lambda errand=errand, fetcher=fetcher: self._fetched(errand, fetcher.run()),  # type: ignore[misc]
            )

    def _put(
        self,
        session: Session,
        repository: Repository,
        errands: Sequence[Errand],
        early: Sequence[EarlyRequest],
        held: Sequence[Ref],
    ) -> None:
        identity = session.greeting.repository
        requests = [*early]
        known = list(held[: len(early)])
        for errand in errands[len(early) :]:
            tracking = self._tracking(repository, errand, identity)
            known.append(tracking.known())
            asked = push_request(tracking)
            session.send(asked)
            requests.append(asked)
        ready: list[tuple[Errand, Pusher]] = []
        for errand, request, there in zip(errands, requests, known, strict=True):
            tracking = self._tracking(repository, errand, identity)
            assert isinstance(request, Push)
            pusher = Pusher(session, tracking, early=request, known=there)
            if self._attempt(session, errand, pusher.take_answer):
                ready.append((errand, pusher))
        for number, (errand, pusher) in enumerate(ready):
            following = ready[number + 1][1].prepare if number + 1 < len(ready) else None
            present = self._present(errand)
            self._attempt(
                session,
                errand,
                lambda e=errand, p=pusher, f=following, h=present: self._pushed(  # type: ignore[misc]
                    e, p.run(lambda _done, _all: self._acknowledged(e, p), f), h
                ),
            )

    def _attempt(self, session: Session, errand: Errand, work: Callable[[], object]) -> bool:
        try:
            work()
        except (NotAuthorisedError, UsageError) as error:
            self._judge(error, errand)
            if session.failed:
                raise
            return False
        return True

    # What the model says of it.

    def _judge(self, error: MsglogError, errand: Errand | None) -> None:
        """Say whether an error may happen here."""
        self.world.facts[f"saw {type(error).__name__}"] += 1
        self.errors.append(error)
        logs = [errand] if errand else self.errands
        fine = False
        if isinstance(error, NotAuthorisedError):
            fine = "rights" in self.disturbed or any(
                not self.rights.may(
                    Capability.APPEND if one.verb == "push" else Capability.FETCH, one.log
                )
                for one in logs
            )
        elif isinstance(error, UnknownRemoteLogError):
            fine = any(
                f"server {one.log}" in self.disturbed
                or (one.verb != "push" and one.log not in self.server_began)
                for one in logs
            )
        elif isinstance(error, IntegrityError):
            fine = "gc" in self.disturbed
        elif isinstance(error, ChannelError | RemoteError):
            # Where a right was changed, the error that answers an acknowledgement can be taken
            # for that of the next request; nothing answers the one after it.
            fine = self.troubled or not self.disturbed.isdisjoint(("gc", "rights"))
        if not fine:
            raise ModelError(f"{self.what}: {type(error).__name__}: {error}") from error

    @property
    def what(self) -> str:
        return f"{self.client.site} at {self.server.site}"

    def _now(self, known: Known, log: str) -> Keys:
        return self.world.library.look(known.site)[0].get(log, NOTHING)

    def _now_there(self) -> dict[str, Keys]:
        return self.world.library.look(self.there.site)[0]

    def _present(self, errand: Errand) -> Keys:
        """Return which of ours the server's store has, in whatever log."""
        if not self.exact or self.server.quota.messages is self.server.quota.size is None:
            return NOTHING
        mine = self.client.logs.get(errand.log, NOTHING)
        return frozenset(self.server.site.store.find_messages(list(mine)))

    def _fetched(self, errand: Errand, got: Fetched) -> None:
        log, site = errand.log, self.client.site
        there = self.world.library.keys_of(site.store, got.root)
        if got.count != len(there):
            raise ModelError(f"{self.what}: {log} is said to have {got.count}, of {len(there)}")
        began = _from(self.server_began.get(log, NOTHING), errand.view)
        undisturbed = f"server {log}" not in self.disturbed
        if undisturbed and not began <= there:
            raise ModelError(f"{self.what}: {log} came without {len(began - there)}")
        if not there <= self.server_seen.get(log, NOTHING) | self._now(self.there, log):
            raise ModelError(f"{self.what}: {log} came with what was never there")
        mine = self._now(self.client, log)
        self.world.facts["messages fetched"] += got.messages
        self.world.facts["said to be lost"] += got.lost
        if errand.verb == "pull" and f"client {log}" not in self.disturbed and not there <= mine:
            raise ModelError(f"{self.what}: {len(there - mine)} were pulled and are not in {log}")
        if self.permissions is None or log not in self.permissions.fetched:
            raise ModelError(f"{self.what}: {log} was read without leave")
        whole = errand.view == FIRST_KEY
        if self.exact:
            if there != began:
                raise ModelError(f"{self.what}: {log} came as another than it is")
            if errand.verb == "pull":
                self.expected_client[log] = self.expected_client.get(log, NOTHING) | there
            ref = site.store.ref(f"{REMOTE_PREFIX}{self.remote}/{log}")
            if self.remote and whole and (ref is None or ref.root != got.root) and there:
                raise ModelError(f"{self.what}: {log} is not tracked")
        if self.remote:
            self._check_lost(errand, got.lost, there)
        if self.remote:
            # Of what lies before the view, what was known of them stays known.
            known = self.records[log][-1][0]
            self.records[log].append((known - _from(known, errand.view) | there, there))

    def _check_lost(self, errand: Errand, lost: int, there: Keys) -> None:
        """`lost` is what we knew them to have and they had not, at one moment."""
        for tracked, held in self.records[errand.log]:
            missing = _from(tracked - there, errand.view)
            gone = f"server {errand.log}" in self.disturbed
            if len(missing) == lost and (gone or not missing & held):
                return
        raise ModelError(
            f"{self.what}: {errand.log}: {lost} are said to be lost, of "
            f"{[len(tracked - there) for tracked, _ in self.records[errand.log]]}"
        )

    def _acknowledged(self, errand: Errand, pusher: Pusher) -> None:
        self.world.facts["acknowledgements"] += 1
        if f"server {errand.log}" in self.disturbed:
            return
        said = self.world.library.keys_of(self.client.site.store, pusher._accepted_root)
        there = self._now(self.there, errand.log)
        if not said <= there:
            raise ModelError(f"{self.what}: {len(said - there)} acknowledged and not there")

    def _pushed(self, errand: Errand, done: Pushed, present: Keys) -> None:
        log = errand.log
        mine = self.client_began.get(log, NOTHING)
        if self.exact:
            mine = self.expected_client.get(log, NOTHING)  # with what was pulled before
        refused = {refusal.key for refusal in done.refused}
        self.world.facts["messages pushed"] += done.messages
        self.world.facts["refused"] += len(refused)
        self.world.facts["said to be lost"] += done.lost
        there = self._now(self.there, log)
        server = f"server {log}" in self.disturbed
        if not server and f"client {log}" not in self.disturbed and not mine - refused <= there:
            raise ModelError(f"{self.what}: {len(mine - refused - there)} pushed and not there")
        if not refused <= self._now(self.client, log) | self.client_seen.get(log, NOTHING):
            raise ModelError(f"{self.what}: what is not ours was refused")
        if not self.exact:
            return
        before = self.expected_server.get(log, NOTHING)
        taken = self._expect_taken(errand, mine - before, present)
        if there != before | taken:
            raise ModelError(f"{self.what}: {log} took {len(there - before)}, not {len(taken)}")
        if log in self._now_there() or taken:  # it is made where all that is brought is refused
            self.expected_server[log] = before | taken
        if done.messages < len(taken):
            raise ModelError(f"{self.what}: {log} is said to have taken {done.messages}")
        reader = self.rights.may(Capability.FETCH, log)
        if (done.count is None) == reader:
            raise ModelError(f"{self.what}: {log}: count {done.count} said to a reader: {reader}")
        if errand.view == FIRST_KEY and reader and done.count != len(there):
            raise ModelError(f"{self.what}: {log}: {done.count} there, it is said, of {len(there)}")
        if self.remote:
            tracked = self.records[log][-1][0]
            missing = _from(tracked - before, errand.view) if reader else NOTHING
            if done.lost != len(missing):
                raise ModelError(
                    f"{self.what}: {log}: push says that {done.lost} are lost, of {len(missing)}"
                )

    def _expect_taken(self, errand: Errand, offered: Keys, present: Keys) -> Keys:
        """Return which of these the server's policy and quota take, in the order they come."""
        server, world = self.server, self.world
        messages, size = self.usage
        taken: set[Key] = set()
        parts = [sorted(offered)]
        if errand.view != FIRST_KEY:
            parts = [
                [key for key in parts[0] if key >= errand.view],
                [key for key in parts[0] if key < errand.view],
            ]
        quota = server.quota
        for key in [key for part in parts for key in part]:
            data = world.objects[key]
            if verdict(server.policy, self.user, data) is not None:
                continue
            if key not in present:
                over = (quota.messages is not None and messages + 1 > quota.messages) or (
                    quota.size is not None and size + len(data) > quota.size
                )
                if over:
                    continue
                messages, size = messages + 1, size + len(data)
            taken.add(key)
        self.usage = messages, size
        return frozenset(taken)


def _from(keys: Keys, view: Key) -> Keys:
    return keys if view == FIRST_KEY else frozenset([key for key in keys if key >= view])

"""The server's side of a session: answers what a client asks of one repository.

Bytes go in by `receive`, bytes come out of `output`; there is no file descriptor here, so that the
same service serves a forced command, a local path and the tests.
"""

from __future__ import annotations

from collections import deque

from msglog.account.audit import NoAudit
from msglog.account.role import Capability
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.errors import MsglogError, NotAuthorisedError
from msglog.index.change import exclude, slice_from
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import count, difference
from msglog.key import FIRST_KEY
from msglog.refname import log_ref
from msglog.repository import UnknownLogError, overlay
from msglog.sqlite_file import LocksError
from msglog.store.store import (
    Agreement,
    MissingObjectError,
    ReadOnlyStoreError,
    Ref,
    StoreBusyError,
)
from msglog.wire.connection import Connection, Side
from msglog.wire.events import (
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Done,
    End,
    Fetch,
    GetNodes,
    Greeting,
    ListRefs,
    NodeData,
    Push,
    Refused,
    Transfer,
    Watch,
)
from plumbing.complaint import (
    ForgedTransferError,
    NoSuchLogError,
    TooMuchAskedError,
    peer_error,
)
from plumbing.known_roots import KnownRoots
from plumbing.permissions import demand
from plumbing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from msglog.account.audit import Audit
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from msglog.wire.events import (
        Event,
        Gone,
        PeerError,
    )
    from msglog.wire.request_line import EarlyRequest
    from plumbing.administration import Administration
    from plumbing.lookout import Lookout
    from plumbing.permissions import Permissions
    from plumbing.policy import Rules
    from plumbing.reception import Reception

DRAIN_BYTES_LIMIT = 1 << 20
"""How much is read and thrown away after a failure, so that the client can read why."""

MADE_NODES_LIMIT = 1 << 18
"""How many index nodes a session holds that are not stored yet; a client that needs more is odd."""

WATCH_SECONDS = 30
"""How long a client that watches waits at most: then it is told that there is nothing new.

So each side hears of the other that often, and who is not allowed any more is not served longer.
"""

REMEMBERED_BATCHES_LIMIT = 1024
"""How many batches wait for a client's acknowledgement; older ones are then sent again one day."""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A batch that was sent and is not acknowledged."""

    log: str
    view: Key
    root: ObjectId
    made: dict[ObjectId, bytes] = field(default_factory=dict)


class Service:
    """Serves one client. Memory is bounded by a few batches, whatever the client sends.

    clock: microseconds since 1970 UTC. key: the fingerprint of the client's SSH key, or "".
    rules: gives those of a log, asked anew for each batch.
    """

    def __init__(
        self,
        repository: Repository,
        permissions: Permissions,
        *,
        agent: str,
        clock: Callable[[], int],
        key: str = "",
        rules: Callable[[str], Rules] | None = None,
        audit: Audit | None = None,
        administration: Callable[[], Administration] | None = None,
    ) -> None:
        self._repository = repository
        self._permissions = permissions
        self._agent = agent
        self._clock = clock
        self._key = key
        self._rules = rules or _no_rules
        self._administration = administration or _no_administration
        self._recorder = Recorder(NoAudit() if audit is None else audit, clock)
        self._connection = Connection(Side.SERVER)
        self._events: deque[Event] = deque()
        self._work: Iterator[bytes] = iter(())
        self._made: dict[ObjectId, bytes] = {}
        self._read = overlay(repository.store.read_nodes, self._made)
        self._advertised = KnownRoots()
        self._bases = KnownRoots()
        self._outgoing: dict[int, _Outgoing] = {}
        self._sent_batches = 0
        self._forgotten_batches = 0
        self._reception: Reception | None = None
        self._drained = 0
        self._durable_batches = 0
        self._lookout: Lookout | None = None

    @property
    def failed(self) -> bool:
        """Whether the session is over but for throwing away what the client still sends."""
        return self._connection.has_failed()

    @property
    def finished(self) -> bool:
        """Whether nothing that the client sends matters any more."""
        return self.failed and self._drained > DRAIN_BYTES_LIMIT

    @property
    def durable_batches(self) -> int:
        """How many batches were stored here, or acknowledged by the client."""
        return self._durable_batches

    @property
    def lookout(self) -> Lookout | None:
        """What the client waits for that watches logs: until it is told, ask it to `look`."""
        lookout = self._lookout
        return lookout if lookout is not None and lookout.is_waiting else None

    def open(self, early: Sequence[EarlyRequest] = ()) -> None:
        """Greet the client, and take the requests that came with the command line."""
        for request in early:
            self._connection.inject(request)
            self._events.append(request)
        identity = self._repository.store.identity
        user, role = self._permissions.user, self._permissions.role
        greeting = Greeting(self._agent, identity, user, role, len(early), WATCH_SECONDS)
        self._work = iter([self._connection.send(greeting)])

    def receive(self, data: bytes) -> None:
        """Take bytes of the client; what they ask for is done in `output`."""
        if self.failed:
            self._drained += len(data)
            return
        try:
            for event in self._connection.receive(data):
                if isinstance(event, Acknowledged):
                    self._remember(event)
                else:
                    self._events.append(event)
        except MsglogError as error:
            self._events.clear()
            self._work = iter([self._connection.abort(self._recorded(error))])

    def end(self) -> None:
        """Take note that the client's stream has ended; raises if that was in mid sentence."""
        if not self.failed:
            self._connection.finish()

    def conclude(self) -> None:
        """Do what the client sent to be written; nobody reads any more what it asked for."""
        written = [event for event in self._events if isinstance(event, Transfer | Batch | End)]
        self._events = deque(written)
        if not written:
            self._work = iter(())
        while self.output() is not None:
            pass

    def close(self) -> None:
        """Record what was under way when the session ended; raises AccountError."""
        if self._lookout is not None:
            self._lookout.close()
        self._recorder.close()

    def output(self) -> bytes | None:
        """Return the next bytes for the client, or None while there is nothing to say."""
        while True:
            try:
                chunk = next(self._work, None)
                if chunk is not None:
                    return chunk
                if self.lookout is not None:
                    if not self._events:
                        return None
                    self.look(at_last=True)
                    continue
                self._recorder.over()
                if not self._events:
                    return None
                self._work = self._answer(self._events.popleft())
            except MsglogError as error:
                self._work = iter(())
                return self._fail(self._recorded(error))

    def _recorded(self, error: MsglogError) -> PeerError:
        """Record an error, and return what the client is told."""
        answer = peer_error(error)
        try:
            self._recorder.failed(answer.code)
        except MsglogError as failure:
            return peer_error(failure)
        return answer

    def _fail(self, error: PeerError) -> bytes | None:
        if self._connection.has_failed():
            return None
        data = self._connection.send(error)
        if self._connection.has_failed():
            self._events.clear()
        return data

    def _answer(self, event: Event) -> Iterator[bytes]:
        self._recorder.begin(event)
        if not isinstance(event, Batch | End):  # which are judged when they are written
            self._permissions.check()
        match event:
            case ListRefs():
                return self._list_refs()
            case Fetch():
                return self._fetch(event)
            case Push():
                return self._push(event)
            case GetNodes():
                return self._get_nodes(event)
            case Administer():
                return map(self._connection.send, self._administration().run(event))
            case Watch():
                return self._watch(event)
            case Transfer():
                return self._transfer(event)
            case Batch():
                return self._batch(event)
            case End():
                return self._end()
        return iter(())

    # What a client reads.

    def _list_refs(self) -> Iterator[bytes]:
        for log in self._repository.logs():
            if self._permissions.may(Capability.LIST, log.name):
                if self._permissions.may(Capability.FETCH, log.name):
                    self._advertised.add(log.name, FIRST_KEY, log.root)
                yield self._connection.send(AdvertisedRef(log.name, log.root, log.count))
        yield self._connection.send(End())

    def _watch(self, event: Watch) -> Iterator[bytes]:
        if self._lookout is None:
            from plumbing.lookout import Lookout  # noqa: PLC0415 - for who watches alone

            self._lookout = Lookout(self._repository, self._permissions)
        return self._tell(self._lookout.begin(event.patterns))

    def look(self, *, at_last: bool = False) -> None:
        """Have `output` see whether there are news for the client that waits for them.

        at_last: and answer even if there are none.
        """
        if self._lookout is not None:
            self._work = self._look(self._lookout, at_last=at_last)

    def _look(self, lookout: Lookout, *, at_last: bool) -> Iterator[bytes]:
        yield from self._tell(lookout.look(at_last=at_last))

    def _tell(self, news: list[AdvertisedRef | Gone] | None) -> Iterator[bytes]:
        if news is None:
            return
        for one in news:
            if isinstance(one, AdvertisedRef):
                self._advertised.add(one.log, FIRST_KEY, one.root)
            yield self._connection.send(one)
        yield self._connection.send(End())

    def _snapshot(self, log: str, view: Key) -> Ref:
        """Return the part of a log from view on, as it is now."""
        ref = self._repository.store.ref(log_ref(log))
        if ref is None:
            return Ref(EMPTY_ROOT, 0)
        if view == FIRST_KEY:
            return ref
        index = slice_from(self._read, ref.root, view)
        self._keep(index.nodes)
        return Ref(index.root, index.count)

    def _keep(self, nodes: Mapping[ObjectId, bytes]) -> None:
        """Hold nodes that are not stored, until a commit stores them."""
        self._made.update(nodes)
        if len(self._made) > MADE_NODES_LIMIT:
            raise TooMuchAskedError("too much was asked in one session")

    def _check_readable(self, log: str) -> None:
        if not self._permissions.may(Capability.LIST, log):
            demand(self._permissions, Capability.FETCH, log)
        try:
            self._repository.log(log)
        except UnknownLogError as error:
            raise NoSuchLogError(f"there is no log {log!r}") from error
        demand(self._permissions, Capability.FETCH, log)

    def _choose_base(
        self, log: str, view: Key, have: Sequence[ObjectId], snapshot: Ref
    ) -> ObjectId | None:
        """Return the first root offered that both sides hold and that is a part of the log.

        An agreed root of which nodes are gone is passed over: others may do, or a descent.
        """
        store = self._repository.store
        agreed = set(store.agreed(self._peer, log, view))
        may_fetch = self._permissions.may(Capability.FETCH, log)
        for root in dict.fromkeys(have):
            held = root in agreed or (
                may_fetch
                and (
                    root == snapshot.root
                    or (view == FIRST_KEY and store.in_reflog(log_ref(log), root))
                )
            )
            if held and self._is_part(root, snapshot.root):
                self._bases.add(log, view, root)
                return root
        return None

    def _is_part(self, root: ObjectId, whole: ObjectId) -> bool:
        try:
            return next(difference(self._read, whole, root), None) is None
        except MissingObjectError:
            return False

    @property
    def _peer(self) -> str:
        return f"user:{self._permissions.user}"

    def _fetch(self, event: Fetch) -> Iterator[bytes]:
        self._check_readable(event.log)
        if event.root is None:
            snapshot = self._snapshot(event.log, event.view)
            self._advertised.add(event.log, event.view, snapshot.root)
            base: ObjectId | None = EMPTY_ROOT
            if event.have and snapshot.root != EMPTY_ROOT:
                base = self._choose_base(event.log, event.view, event.have, snapshot)
            if base is None:
                answer = Base(event.log, None, snapshot.root, snapshot.count)
                yield self._connection.send(answer)
                return
        else:
            self._check_advertised(event.log, event.view, event.root)
            snapshot = Ref(event.root, count(self._read, event.root))
            index = exclude(self._read, event.root, event.wants)
            self._keep(index.nodes)
            base = index.root
        head = Transfer(event.log, base, snapshot.root, snapshot.count, event.view)
        yield self._connection.send(head)
        if base != snapshot.root:
            yield from self._send_batches(event, base, snapshot.root)
        yield self._connection.send(End())

    def _check_advertised(self, log: str, view: Key, root: ObjectId) -> None:
        if not self._advertised.has(log, view, root):
            raise NotAuthorisedError("not authorised to read a root that was not advertised")

    def _send_batches(self, event: Fetch, base: ObjectId, root: ObjectId) -> Iterator[bytes]:
        """Send what root has and base has not, and note what the client may acknowledge."""
        from plumbing.outgoing import cut_batches  # noqa: PLC0415 - most fetches bring nothing

        for made in cut_batches(self._repository, base, root, overlaid=self._made):
            self._permissions.check()
            self._sent_batches += 1
            number = self._sent_batches
            self._outgoing[number] = _Outgoing(
                event.log, event.view, made.index.root, made.index.nodes
            )
            if len(self._outgoing) > REMEMBERED_BATCHES_LIMIT:
                self._forgotten_batches = min(self._outgoing)
                del self._outgoing[self._forgotten_batches]
            self._recorder.sent(len(made.keys), len(made.content))
            yield self._connection.send(
                Batch(number, len(made.keys), made.index.root, made.content)
            )

    def _remember(self, event: Acknowledged) -> None:
        """Remember what the client now has, at once: the stream may be cut at any time."""
        if 0 < event.number <= self._forgotten_batches:
            return
        sent = self._outgoing.pop(event.number, None)
        if sent is None or sent.root != event.root:
            raise ForgedTransferError("an acknowledgement does not fit what was sent")
        self._permissions.check()
        try:
            self._repository.commit(
                [],
                time=self._clock(),
                reason="fetched",
                nodes={**self._made, **sent.made},
                agreed=[Agreement(self._peer, sent.log, sent.view, sent.root)],
            )
            self._made.clear()
        except (ReadOnlyStoreError, LocksError):
            pass  # so the next transfer may begin further back, and brings the same
        self._durable_batches += 1

    def _get_nodes(self, event: GetNodes) -> Iterator[bytes]:
        self._check_readable(event.log)
        self._check_advertised(event.log, event.view, event.root)
        from msglog.wire.descent import describe  # noqa: PLC0415 - seldom asked

        for path, known in event.nodes:
            for node in describe(self._read, event.root, path, known, event.width):
                self._recorder.sent(0, len(node))
                yield self._connection.send(NodeData(node))
        yield self._connection.send(End())

    # What a client writes.

    def _push(self, event: Push) -> Iterator[bytes]:
        demand(self._permissions, Capability.APPEND, event.log)
        self._recorder.answered_push(event.log)
        settled = self._repository.store.settled
        # What is said to be here will not be sent: that is an acknowledgement, too.
        if event.root is not None:
            self._check_advertised(event.log, event.view, event.root)
            common = settled(lambda: self._common_base(event))
            self._bases.add(event.log, event.view, common)
            yield self._connection.send(Base(event.log, common))
            return
        snapshot, base = settled(lambda: self._own_base(event))
        if self._permissions.may(Capability.FETCH, event.log):
            self._advertised.add(event.log, event.view, snapshot.root)
            yield self._connection.send(Base(event.log, base, snapshot.root, snapshot.count))
        else:
            yield self._connection.send(Base(event.log, base))
        # While the client reads that: what the batches need that it sends.
        import plumbing.reception  # noqa: F401, PLC0415 - nothing else of a session needs it

    def _own_base(self, event: Push) -> tuple[Ref, ObjectId | None]:
        snapshot = self._snapshot(event.log, event.view)
        return snapshot, self._choose_base(event.log, event.view, event.have, snapshot)

    def _common_base(self, event: Push) -> ObjectId:
        """Return what is left of an advertised root without what the client has not got."""
        assert event.root is not None
        index = exclude(self._read, event.root, event.without)
        self._keep(index.nodes)
        if not self._is_part(index.root, self._snapshot(event.log, event.view).root):
            raise StoreBusyError(f"the log {event.log} has changed meanwhile")
        return index.root

    def _transfer(self, event: Transfer) -> Iterator[bytes]:
        demand(self._permissions, Capability.APPEND, event.log)
        known = self._bases.has(event.log, event.view, event.base)
        if event.base != EMPTY_ROOT and not known:
            raise NotAuthorisedError("not authorised to push on a base that was not agreed")
        from plumbing.reception import Reception  # noqa: PLC0415 - see _push

        self._reception = Reception(
            event,
            self._repository,
            self._permissions,
            read=self._read,
            rules=self._rules,
            clock=self._clock,
            key=self._key,
        )
        return iter(())

    def _batch(self, event: Batch) -> Iterator[bytes]:
        if self._reception is None:
            raise ForgedTransferError("a batch belongs to no transfer")
        received = self._reception.take(event, self._made)
        self._made.clear()
        self._durable_batches += 1
        self._recorder.took(received.messages, received.size, len(received.refused))
        for refusal in received.refused:
            yield self._connection.send(Refused(refusal.key, refusal.code, refusal.why))
        yield self._connection.send(Acknowledged(event.number, received.root))

    def _end(self) -> Iterator[bytes]:
        reception, self._reception = self._reception, None
        if reception is None or not reception.is_complete():
            raise ForgedTransferError("the transfer does not come to the root that was said")
        reception.make_empty_log()
        self._recorder.transferred()
        done = Done(reception.log)
        if self._permissions.may(Capability.FETCH, reception.log):
            snapshot = self._snapshot(reception.log, reception.view)
            self._advertised.add(reception.log, reception.view, snapshot.root)
            done = Done(reception.log, snapshot.root, snapshot.count)
        yield self._connection.send(done)


def _no_rules(_: str) -> Rules:
    from plumbing.policy import Rules  # noqa: PLC0415 - where something is pushed

    return Rules()


def _no_administration() -> Administration:
    from plumbing.administration import NoAdministration  # noqa: PLC0415 - where it is asked for

    return NoAdministration()

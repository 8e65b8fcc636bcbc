"""A hostile server against a client that has a view of its log: nothing older is ever let in."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.dataclass import replace
from msglog.errors import IntegrityError, MsglogError, RemoteError
from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY, Key, first_key_at
from msglog.message import object_key
from msglog.objectid import ObjectId
from msglog.repository import Repository
from msglog.wire.abbreviated import DescentError
from msglog.wire.batch import unpack
from msglog.wire.descent import describe
from msglog.wire.events import (
    Acknowledged,
    Base,
    Batch,
    Done,
    End,
    Event,
    NodeData,
    PeerError,
    Transfer,
)
from plumbing.fetching import Fetched, Fetcher
from plumbing.navigation import ask_for_view
from plumbing.pushing import Pusher
from plumbing.tracking import Tracking
from tests.hostile.liars import Script, Tampering, check_whole
from tests.msglog.wire.samples import OTHER, ROOT, content_of
from tests.plumbing.peers import START, Client, Server, add, backup, keys, make_repository, message

Change = Callable[[Event, int], Iterable[Event | bytes]]
MESSAGES = [message(number) for number in range(3000)]
KEYS = sorted(map(object_key, MESSAGES))
WHOLE = build(KEYS)
NUMBER = 1000
VIEW = first_key_at(START + 1000 * NUMBER)
SLICE = build(KEYS[NUMBER:])


def filled(*objects: bytes, number: int) -> Repository:
    repository = make_repository(number)
    add(repository, *objects)
    return repository


FULL = filled(*MESSAGES, number=200)
HALF = filled(*MESSAGES[900:2900], message(8000), number=1)


def sites(
    change: Change, *mine: bytes, template: Repository | None = None
) -> tuple[Server, Client, Tracking]:
    server = Server()
    server.repository.store = backup(FULL)
    client = Client(1, server)
    if template is not None:
        client.repository.store = backup(template)
    client.add(*mine)
    server.wrap = lambda channel: Tampering(channel, change)
    whole = client.tracking()
    tracking = Tracking(whole.repository, whole.remote, "main", clock=whole.clock, view=VIEW)
    return server, client, tracking


def pull(client: Client, tracking: Tracking) -> Fetched:
    return Fetcher(client.session(), tracking, pull=True).run()


def edit(kind: type[Event], **fields: object) -> Change:
    return lambda event, _: [replace(event, **fields) if isinstance(event, kind) else event]  # type: ignore[arg-type]


def with_messages(work: Callable[[list[bytes]], list[bytes]]) -> Change:
    """Change the messages of the first batch, its number and its root along with them."""

    def change(event: Event, seen: int) -> list[Event]:
        if isinstance(event, Batch) and seen == 1:
            objects = work(list(unpack(event.content, event.messages).values()))
            root = build(sorted(map(object_key, objects))).root
            event = replace(event, messages=len(objects), content=content_of(*objects), root=root)
        if isinstance(event, Transfer):
            event = replace(event, count=10_000)
        return [event]

    return change


def in_turn(*changes: Change) -> Change:
    def change(event: Event, seen: int) -> Iterable[Event | bytes]:
        said: list[Event | bytes] = [event]
        for one in changes:
            said = [
                made
                for event in said
                for made in ([event] if isinstance(event, bytes) else one(event, seen))
            ]
        return said

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit(Transfer, view=FIRST_KEY),
        edit(Transfer, view=first_key_at(START)),
        edit(Transfer, root=ROOT),
        edit(Transfer, root=WHOLE.root, count=WHOLE.count),
        edit(Transfer, log="other"),
        edit(Transfer, base=OTHER),
        with_messages(lambda objects: [MESSAGES[NUMBER - 1], *objects]),
        with_messages(lambda objects: [MESSAGES[0], *objects[1:]]),
        with_messages(lambda _: MESSAGES[:NUMBER]),
        with_messages(lambda objects: objects[1:]),
        with_messages(lambda objects: objects[:-1]),
        edit(Transfer, count=10),
    ],
)
def test_a_view_that_is_not_what_was_asked_for_is_refused_as_a_lie(change: Change) -> None:
    _, client, tracking = sites(change)
    with pytest.raises(IntegrityError) as caught:
        pull(client, tracking)
    assert caught.value.exit_status == 5
    assert "\n" not in str(caught.value)
    # What is there came in a batch that was true by itself.
    assert keys(client.repository) <= set(KEYS[NUMBER:])
    check_whole(client.repository)
    known = client.tracking().known()
    assert known.root in (EMPTY_ROOT, SLICE.root)


def served(read: dict[ObjectId, bytes], root: ObjectId) -> Change:
    """Answer with the root and the nodes of another index than was asked for."""

    def change(event: Event, seen: int) -> list[Event]:
        if isinstance(event, Base):
            return [replace(event, root=root, count=WHOLE.count)]
        if isinstance(event, NodeData) and seen == 1:
            found = describe(lambda ids: {oid: read[oid] for oid in ids}, root, (0, b""), b"", 16)
            return [NodeData(next(iter(found)))]
        if isinstance(event, PeerError):  # the honest one never said this root
            found = describe(lambda ids: {oid: read[oid] for oid in ids}, root, (0, b""), b"", 16)
            return [NodeData(next(iter(found))), End()]
        return [event]

    return change


@pytest.mark.parametrize("way", [Fetcher, Pusher])
@pytest.mark.parametrize("index", [WHOLE, build(KEYS[NUMBER - 20 : NUMBER + 20])])
def test_a_descent_that_leads_out_of_the_view_is_refused(way: object, index: object) -> None:
    assert isinstance(index, type(WHOLE))
    mine = [message(8000), *MESSAGES[1500:1600]]
    server, client, tracking = sites(served(index.nodes, index.root), *mine)
    session = client.session()
    work = Fetcher(session, tracking, pull=True) if way is Fetcher else Pusher(session, tracking)
    with pytest.raises(DescentError, match="before the view") as caught:
        work.run()
    assert caught.value.exit_status == 5
    assert len(keys(client.repository)) == len(mine)
    assert keys(server.repository) == set(KEYS)


@pytest.mark.parametrize(
    "change",
    [
        edit(Base, root=None),
        edit(Base, count=None),
        edit(Base, log="other"),
    ],
)
def test_a_server_that_does_not_say_what_it_has_of_a_view(change: Change) -> None:
    _, client, _ = sites(change)
    with pytest.raises((IntegrityError, RemoteError)):
        ask_for_view(client.session(), "main", VIEW)


@pytest.mark.parametrize(
    "change",
    [
        edit(Base, base=WHOLE.root),
        edit(Base, log="other"),
        edit(Acknowledged, root=ROOT),
        edit(Done, log="other"),
    ],
)
def test_a_push_of_a_view_to_a_liar(change: Change) -> None:
    server, client, tracking = sites(change, message(10, body="mine"), message(8000))
    with pytest.raises(IntegrityError):
        Pusher(client.session(), tracking).run()
    assert len(keys(client.repository)) == 2
    server.wrap = lambda channel: channel
    Pusher(client.session(), tracking).run()
    assert keys(server.repository) == {*KEYS, *keys(client.repository)}


def test_a_server_that_does_not_know_views_is_named_as_what_it_is() -> None:
    """There is none of version 1; one day there may be another that speaks most of it."""

    def change(event: Event, _: int) -> list[Event]:
        told = PeerError("protocol", "the argument 'view' does not belong to fetch")
        return [told if isinstance(event, Transfer | Base) else event]

    _, client, tracking = sites(change)
    with pytest.raises(RemoteError, match="'view' does not belong to fetch") as caught:
        pull(client, tracking)
    assert caught.value.exit_status == 4
    assert "another version of msglog" in str(caught.value)


def recorded() -> bytes:
    said = bytearray()

    class Recording(Tampering):
        def receive(self) -> bytes:
            data = super().receive()
            said.extend(data)
            return data

    server, client, tracking = sites(lambda event, _: [event], template=HALF)
    server.wrap = lambda channel: Recording(channel, lambda event, _: [event])
    pull(client, tracking)
    return bytes(said)


DESCENT = recorded()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage_to_a_view_leaves_what_is_older_alone(data: st.DataObject) -> None:
    stream = bytearray(DESCENT)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        if data.draw(st.booleans()):
            stream[at] = data.draw(st.integers(0, 255))
        else:
            del stream[at : at + data.draw(st.integers(1, 100))]
    server, client, tracking = sites(lambda event, _: [event], template=HALF)
    before = keys(client.repository)
    server.wrap = lambda _: Script([bytes(stream)])
    failed = None
    try:
        pull(client, tracking)
    except MsglogError as error:
        failed = error
    assert failed is None or failed.exit_status in (3, 4, 5)
    assert "\n" not in str(failed)
    gained = keys(client.repository) - before
    assert gained <= {Key(key) for key in KEYS if key >= VIEW}
    check_whole(client.repository)

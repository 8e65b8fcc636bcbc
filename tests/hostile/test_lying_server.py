"""A hostile server against the real client: nothing false is kept, and nothing goes on for ever."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.dataclass import replace
from msglog.errors import IntegrityError, MsglogError, RemoteError
from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.message import object_key
from msglog.objectid import object_id
from msglog.wire import batch
from msglog.wire.batch import pack_item, unpack
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    Acknowledged,
    AdvertisedRef,
    Base,
    Batch,
    Done,
    End,
    Event,
    Greeting,
    KeepAlive,
    NodeData,
    PeerError,
    Refused,
    Transfer,
)
from tests.hostile.liars import Script, Tampering, check_whole
from tests.msglog.wire.samples import KEY, OTHER, ROOT, content_of
from tests.plumbing.peers import Client, Server, add, keys, message

Change = Callable[[Event, int], Iterable[Event | bytes]]
MESSAGES = [message(number) for number in range(6000)]
VIEW = KEY


def sites(change: Change, count: int = 40) -> tuple[Server, Client]:
    """A server with messages behind a liar, and a client that has some of its own."""
    server = Server()
    add(server.repository, *MESSAGES[:count])
    client = Client(1, server)
    server.wrap = lambda channel: Tampering(channel, change)
    return server, client


def instead(kind: type[Event], *said: Event | bytes, number: int = 1) -> Change:
    """Say this instead of the n-th event of a type."""
    return lambda event, seen: said if (type(event), seen) == (kind, number) else [event]


def edit(kind: type[Event], **fields: object) -> Change:
    """Change fields of every event of a type."""
    return lambda event, _: [replace(event, **fields) if isinstance(event, kind) else event]  # type: ignore[arg-type]


def rebatch(work: Callable[[list[bytes]], list[bytes]], *, count: bool = True) -> Change:
    """Change the messages of the first batch, and what it says of their number."""

    def change(event: Event, seen: int) -> list[Event]:
        if not isinstance(event, Batch) or seen > 1:
            return [event]
        objects = work(list(unpack(event.content, event.messages).values()))
        number = len(objects) if count else event.messages
        return [replace(event, messages=number, content=content_of(*objects))]

    return change


@pytest.mark.parametrize(
    "change",
    [
        instead(Transfer, Transfer("main", ROOT, OTHER, 40)),
        instead(Transfer, Transfer("other", EMPTY_ROOT, ROOT, 40)),
        instead(Transfer, Transfer("main", EMPTY_ROOT, ROOT, 40, VIEW)),
        edit(Transfer, log="other"),
        edit(Transfer, view=VIEW),
        edit(Transfer, root=ROOT),
        edit(Transfer, count=None),
        edit(Transfer, count=39),
        edit(Transfer, count=0),
        instead(Batch),
        rebatch(lambda objects: objects[1:]),
        rebatch(lambda objects: objects[:-1]),
        rebatch(lambda objects: [*objects, message(999)]),
        rebatch(lambda objects: [*objects[1:], message(999)]),
        rebatch(lambda objects: objects[1:], count=False),
        rebatch(lambda objects: [*objects, message(999)], count=False),
        edit(Batch, root=ROOT),
        edit(Batch, messages=39),
        edit(Batch, messages=41),
        lambda event, _: [event, replace(event, number=2)] if isinstance(event, Batch) else [event],
        instead(Transfer, Base("main", None)),
    ],
)
def test_a_transfer_that_lies_is_refused_as_a_matter_of_integrity(change: Change) -> None:
    server, client = sites(change)
    with pytest.raises(IntegrityError) as caught:
        client.pull()
    assert caught.value.exit_status == 5
    assert "\n" not in str(caught.value)
    # Nothing, or a whole batch that came to the root that both computed.
    assert keys(client.repository) in (set(), keys(server.repository))
    check_whole(client.repository)
    assert client.tracking().known().root in (EMPTY_ROOT, server.repository.log("main").root)


@pytest.mark.parametrize("bit", range(0, 8 * len(MESSAGES[3]), 7))
def test_a_message_changed_by_one_bit_is_refused_and_named(bit: int) -> None:
    key = object_key(MESSAGES[3])
    forged = bytearray(MESSAGES[3])
    forged[bit // 8] ^= 1 << bit % 8

    def change(event: Event, _: int) -> list[Event]:
        if not isinstance(event, Batch):
            return [event]
        honest = pack_item(key, MESSAGES[3])
        assert event.content.count(honest) == 1
        return [
            replace(event, content=event.content.replace(honest, pack_item(key, bytes(forged))))
        ]

    _, client = sites(change)
    with pytest.raises(batch.ForgedMessageError) as caught:
        client.pull()
    assert caught.value.exit_status == 5
    assert object_id(MESSAGES[3]).hex() in str(caught.value)
    assert client.repository.log("main").count == 0


@pytest.mark.parametrize(
    "change",
    [
        edit(Batch, number=2),
        edit(Batch, number=0),
        instead(Transfer, End()),
        instead(Transfer, Done("main")),
        instead(Transfer, NodeData(b"")),
        instead(Transfer, AdvertisedRef("main", ROOT, 1)),
        instead(Batch, Acknowledged(1, ROOT)),
        instead(Batch, b"0006hi"),
        instead(Batch, b"HTTP/1.1 500"),
        instead(Batch, b"\0\0\0\0"),
        instead(Batch, Greeting("m", bytes(16), "ann", "read")),
        instead(
            Greeting, Greeting("m", bytes(16), "ann", "read"), Greeting("m", bytes(16), "b", "c")
        ),
        instead(Greeting, b"000cmsglog 2"),
        instead(Greeting, PeerError("busy", "later")),
        instead(Batch, PeerError("storage", "disk full")),
        instead(End, PeerError("storage", "disk full")),
        instead(Transfer, *[KeepAlive()] * 3000),
        instead(End),
    ],
)
def test_a_server_that_breaks_the_protocol_is_said_to(change: Change) -> None:
    server, client = sites(change)
    with pytest.raises(RemoteError) as caught:
        client.pull()
    assert caught.value.exit_status == 4
    assert keys(client.repository) in (set(), keys(server.repository))


def test_keep_alives_without_end_are_not_waited_for() -> None:
    alive = encode_event(KeepAlive()) * 1000

    def change(event: Event, _: int) -> Iterable[Event | bytes]:
        if not isinstance(event, Transfer):
            yield event
            return
        while True:
            yield alive

    _, client = sites(change)
    with pytest.raises(RemoteError, match="nothing but keep-alives"):
        client.pull()


def test_logs_without_end_are_not_listed() -> None:
    def change(event: Event, _: int) -> Iterable[Event | bytes]:
        if isinstance(event, AdvertisedRef):
            for number in range(10**9):
                yield AdvertisedRef(f"{number:09}", ROOT, 1)
        yield event

    _, client = sites(change)
    with pytest.raises(RemoteError, match="more than 65536 logs"):
        client.session().list_refs()


def test_batches_without_end_stop_at_the_number_that_was_declared() -> None:
    """Each batch is right, and the head says 40: the forty-first message is refused."""
    endless = iter(range(10_000, 10**9))
    held: list[bytes] = []

    def change(event: Event, _: int) -> Iterable[Event | bytes]:
        if not isinstance(event, Batch):
            yield event
            return
        for number in range(1, 10**9):
            held.append(message(next(endless)))
            root = build(sorted(map(object_key, held))).root
            yield Batch(number, 1, root, content_of(held[-1]))

    _, client = sites(change)
    with pytest.raises(IntegrityError, match="more messages than it said"):
        client.pull()
    assert client.repository.log("main").count == 40
    check_whole(client.repository)


def test_a_batch_that_comes_again_is_refused_though_all_of_it_is_true() -> None:
    def change(event: Event, _: int) -> Iterable[Event | bytes]:
        if isinstance(event, Batch):
            for number in range(1, 10**9):
                yield replace(event, number=number)
        yield replace(event, count=10**15) if isinstance(event, Transfer) else event

    _, client = sites(change)
    with pytest.raises(IntegrityError, match="that the base has already"):
        client.pull()
    assert client.repository.log("main").count == 40


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (edit(Base, log="other"), 5),
        (edit(Base, base=ROOT), 5),
        (edit(Acknowledged, number=2), 5),
        (edit(Acknowledged, root=ROOT), 5),
        (edit(Done, log="other"), 5),
        (instead(Acknowledged), 4),
        (instead(Done), 4),
        (instead(Done, End()), 4),
        (lambda event, _: [event, event] if isinstance(event, Acknowledged) else [event], 4),
        (
            lambda event, _: (
                [Refused(KEY, "quota", "no"), event] if isinstance(event, Acknowledged) else [event]
            ),
            5,
        ),
        (instead(Acknowledged, *[Refused(KEY, "quota", "no")] * 9000), 4),
        (instead(Base, Transfer("main", EMPTY_ROOT, ROOT, 1)), 4),
        (instead(Acknowledged, PeerError("forged", "a message is false")), 5),
        (instead(Acknowledged, PeerError("not-authorised", "not authorised any more")), 3),
        (instead(Acknowledged, PeerError("of-later-days", "unheard of")), 4),
    ],
)
def test_a_push_to_a_liar_ends_with_the_right_status(change: Change, status: int) -> None:
    server, client = sites(change, count=0)
    mine = set(client.add(*MESSAGES[:30]))
    with pytest.raises(MsglogError) as caught:
        client.push()
    assert caught.value.exit_status == status
    assert keys(client.repository) == mine
    server.wrap = lambda channel: channel
    client.push()
    assert keys(server.repository) == mine


@pytest.mark.parametrize("way", ["pull", "push"])
@pytest.mark.parametrize(
    "change",
    [
        instead(NodeData),
        instead(NodeData, NodeData(b"")),
        instead(NodeData, NodeData(b"\x80")),
        instead(NodeData, NodeData(bytes(5000))),
        instead(NodeData, *[NodeData(b"\x80")] * 100),
        instead(NodeData, PeerError("damaged", "the store is damaged")),
        lambda event, _: [event, event] if isinstance(event, NodeData) else [event],
        edit(Base, root=ROOT),
    ],
)
def test_a_descent_into_a_liars_index_harms_nothing(change: Change, way: str) -> None:
    server, client = sites(change, count=3000)
    mine = set(client.add(*MESSAGES[10:2990], message(9000)))
    theirs = keys(server.repository)
    with pytest.raises(MsglogError) as caught:
        getattr(client, way)()
    assert caught.value.exit_status in (3, 4, 5)
    assert mine <= keys(client.repository) <= mine | theirs
    assert theirs <= keys(server.repository) <= mine | theirs
    check_whole(client.repository)
    check_whole(server.repository)


def test_a_server_that_lists_a_root_that_it_does_not_have_is_caught() -> None:
    _, client = sites(instead(Transfer, Transfer("main", EMPTY_ROOT, ROOT, 40)))
    with pytest.raises(IntegrityError, match="does not come to the root"):
        client.pull()


def recorded() -> bytes:
    said = bytearray()

    def change(event: Event, _: int) -> list[Event]:
        said.extend(encode_event(event))
        return [event]

    _, client = sites(change)
    client.pull()
    return bytes(said)


PULL = recorded()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_to_what_a_server_says_is_refused_in_our_own_words(data: st.DataObject) -> None:
    stream = bytearray(PULL)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        what = data.draw(st.sampled_from(["set", "cut", "repeat"]))
        if what == "set":
            stream[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del stream[at : at + data.draw(st.integers(1, 200))]
        else:
            stream[at:at] = stream[: data.draw(st.integers(0, 500))]
    server, client = sites(lambda event, _: [event])
    size = data.draw(st.integers(1, 2000))
    pieces = [bytes(stream[at : at + size]) for at in range(0, len(stream), size)]
    server.wrap = lambda _: Script(pieces)
    status = 0
    try:
        client.pull()
    except MsglogError as error:
        status = error.exit_status
    assert status in (0, 3, 4, 5, 2)
    assert keys(client.repository) in (set(), keys(server.repository))
    check_whole(client.repository)

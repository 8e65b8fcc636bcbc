"""A hostile client against the real service: it learns nothing, breaks nothing, holds nothing up."""

import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plumbing.service
from msglog.account.role import CAPABILITIES, Capability, Role
from msglog.errors import MsglogError
from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY, Key, first_key_at, make_key
from msglog.message import object_key
from msglog.objectid import ObjectId, object_id
from msglog.wire.batch import pack_item
from msglog.wire.connection import UNACKNOWLEDGED_LIMIT
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    SAID,
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Done,
    End,
    Event,
    Fetch,
    GetNodes,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Push,
    Refused,
    Transfer,
    Watch,
)
from msglog.wire.pktline import encode_packet
from plumbing.fetching import Fetcher
from plumbing.pushing import Pusher
from plumbing.service import DRAIN_BYTES_LIMIT
from tests.hostile.liars import RawClient, check_whole
from tests.msglog.wire.samples import KEY, OTHER, ROOT, SAMPLES, content_of
from tests.plumbing.peers import START, Client, Rights, Server, add, keys, message

MESSAGES = [message(number) for number in range(200)]
WHOLE: tuple[tuple[int, bytes], ...] = ((0, b""),)


@dataclass
class SomeRights(Rights):
    """A user with a role for some logs and none for all others."""

    roles: dict[str, Role] = field(default_factory=dict)

    def may(self, capability: Capability, log: str) -> bool:
        return capability in CAPABILITIES[self.roles.get(log, Role.NONE)]


def server() -> Server:
    made = Server()
    add(made.repository, *MESSAGES)
    return made


def client(to: Server, role: Role = Role.WRITE) -> RawClient:
    return RawClient(to.service(Rights("mallory", role)))


def root_of(*objects: bytes) -> ObjectId:
    return build(sorted(map(object_key, objects))).root


def transfer(*objects: bytes, root: ObjectId | None = None, view: Key = FIRST_KEY) -> list[Event]:
    """The events that push objects onto nothing, in one batch."""
    there = root_of(*objects) if root is None else root
    return [
        Transfer("main", EMPTY_ROOT, there, view=view),
        Batch(1, len(objects), there, content_of(*objects)),
        End(),
    ]


def failure(answers: list[Event]) -> str:
    assert isinstance(answers[-1], PeerError)
    return answers[-1].code


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_commands_out_of_order_end_the_session_with_a_reason(event: Event) -> None:
    to = server()
    for way in ([], [ListRefs()], [Transfer("main", EMPTY_ROOT, ROOT)]):
        mallory = client(to)
        answers = mallory.say(*way, event)
        if mallory.service.failed:
            assert isinstance(answers[-1], PeerError)
        else:
            requests = Fetch | Push | ListRefs | GetNodes | Transfer | Administer | Watch
            assert isinstance(event, requests | KeepAlive | Batch)
        assert keys(to.repository) == set(map(object_key, MESSAGES))


@pytest.mark.parametrize(
    "request_",
    [
        Fetch("main", root=ROOT, wants=WHOLE),
        Fetch("main", root=EMPTY_ROOT, wants=WHOLE),
        GetNodes("main", ROOT, 16, ((WHOLE[0], b""),)),
        Push("main", root=ROOT, without=()),
    ],
)
def test_a_root_that_was_never_advertised_is_not_read(request_: Event) -> None:
    to = server()
    mallory = client(to)
    mallory.say(ListRefs())
    assert failure(mallory.say(request_)) == "not-authorised"
    assert not mallory.service.failed
    assert any(isinstance(event, AdvertisedRef) for event in mallory.say(ListRefs()))


def test_a_root_of_one_log_opens_no_other() -> None:
    to = server()
    to.repository.create_log("other", time=0)
    add(to.repository, message(999), log="other")
    root = to.repository.log("other").root
    old = to.repository.log("main").root
    add(to.repository, message(1000))
    mallory = client(to)
    mallory.say(ListRefs())
    for request in (
        Fetch("main", root=root, wants=WHOLE),
        GetNodes("main", root, 32, ((WHOLE[0], b""),)),
        GetNodes("main", old, 32, ((WHOLE[0], b""),)),
        GetNodes("main", to.repository.log("main").root, 32, ((WHOLE[0], b""),), KEY),
    ):
        assert failure(mallory.say(request)) == "not-authorised"


def test_the_logs_of_others_cannot_be_told_from_logs_that_are_not_there() -> None:
    to = server()
    to.repository.create_log("secret", time=0)
    add(to.repository, message(999), log="secret")
    secret = to.repository.log("secret").root
    rights = SomeRights("mallory", roles={"main": Role.WRITE})
    mallory = RawClient(to.service(rights))
    assert mallory.say(ListRefs())[:-1] == [
        AdvertisedRef("main", to.repository.log("main").root, 200)
    ]
    for log in ("secret", "nowhere"):
        for request in (
            Fetch(log),
            Fetch(log, (secret,)),
            Fetch(log, root=secret, wants=WHOLE),
            GetNodes(log, secret, 16, ((WHOLE[0], b""),)),
            Push(log),
            Push(log, (secret,)),
            Push(log, root=secret),
        ):
            (answer,) = mallory.say(request)
            assert isinstance(answer, PeerError)
            assert answer.code == "not-authorised"
            assert answer.text.replace(log, "LOG").startswith("not authorised to ")
    assert failure(mallory.say(Transfer("secret", EMPTY_ROOT, ROOT))) == "not-authorised"
    assert mallory.service.failed
    assert to.repository.log("secret").count == 1


def test_where_an_append_user_pushes_it_learns_neither_root_nor_presence() -> None:
    to = server()
    mallory = client(to, Role.APPEND)
    root = to.repository.log("main").root
    assert mallory.say(Push("main", (root, root_of(*MESSAGES[:10])))) == [Base("main", None)]
    assert failure(mallory.say(Push("main", root=root))) == "not-authorised"
    answers = mallory.say(*transfer(*MESSAGES[:3]))
    assert answers == [Acknowledged(1, SAID), Done("main")]


def test_a_million_haves_are_refused_long_before_their_end() -> None:
    mallory = client(server())
    have = encode_packet(b"have=" + ROOT.hex().encode()) * 1000
    mallory.say(encode_packet(b"fetch"), encode_packet(b"log=main"))
    fed = 0
    while not mallory.service.failed:
        answers = mallory.say(have)
        fed += 1000
    assert failure(answers) == "protocol"
    assert fed < 20_000


def test_a_root_that_lies_is_refused_and_nothing_is_kept() -> None:
    for events in (
        transfer(message(900), root=ROOT),
        [
            Transfer("main", EMPTY_ROOT, ROOT),
            Batch(1, 1, ROOT, content_of(message(900))),
        ],
        transfer(message(900), message(901), root=root_of(message(900))),
        transfer(message(900), root=root_of(message(900), message(901))),
    ):
        to = server()
        mallory = client(to)
        assert failure(mallory.say(*events)) == "forged"
        assert mallory.service.failed
        assert keys(to.repository) == set(map(object_key, MESSAGES))


def test_a_result_that_never_comes_is_refused_and_whole_batches_stay() -> None:
    to = server()
    mallory = client(to)
    there = root_of(message(900))
    answers = mallory.say(
        Transfer("main", EMPTY_ROOT, ROOT),
        Batch(1, 1, there, content_of(message(900))),
        End(),
    )
    assert answers[0] == Acknowledged(1, SAID)
    assert failure(answers) == "forged"
    assert to.repository.log("main").count == 201
    check_whole(to.repository)


def test_a_forged_message_is_refused_and_named() -> None:
    to = server()
    data = message(900)
    key = object_key(data)
    there = build([key]).root
    for forged in (data[:-1] + b"!", data + b"!", b"", message(901)):
        mallory = client(to)
        answers = mallory.say(
            Transfer("main", EMPTY_ROOT, there), Batch(1, 1, there, pack_item(key, forged) + b"")
        )
        assert failure(answers) in ("forged", "protocol")
        if forged:
            assert isinstance(answers[-1], PeerError)
            assert object_id(data).hex() in answers[-1].text
    assert to.repository.log("main").count == 200


def test_the_same_batch_again_and_again_is_refused() -> None:
    to = server()
    mallory = client(to)
    there = root_of(message(900))
    answers = mallory.say(
        Transfer("main", EMPTY_ROOT, there),
        *[Batch(number, 1, there, content_of(message(900))) for number in (1, 2)],
    )
    assert isinstance(answers[0], Acknowledged)
    assert failure(answers) == "forged"


def test_a_message_before_the_view_is_refused() -> None:
    to = server()
    view = first_key_at(START + 10**12)
    mallory = client(to)
    assert failure(mallory.say(*transfer(message(900), view=view))) == "forged"
    later = message(900, time=START + 2 * 10**12)
    assert isinstance(client(to).say(*transfer(later, view=view))[-1], Done)
    assert to.repository.log("main").count == 201


def test_a_base_that_was_not_agreed_is_no_base() -> None:
    to = server()
    root = to.repository.log("main").root
    for way in (
        [],
        [Push("main", (ROOT,))],
        [Push("main", (root,), KEY)],
        [Push("other", (root,))],
    ):
        mallory = client(to)
        answers = mallory.say(*way, Transfer("main", root, root))
        assert failure(answers) == "not-authorised"
        assert mallory.service.failed
    honest = client(to)
    assert honest.say(Push("main", (ROOT, root)))[-1] == Base("main", root, root, 200)
    assert honest.say(Transfer("main", root, root), End()) == [Done("main", root, 200)]


def test_what_follows_a_failure_is_thrown_away_and_soon_not_even_read() -> None:
    to = server()
    mallory = client(to)
    assert failure(mallory.say(b"zzzz")) == "protocol"
    assert mallory.say(*transfer(message(900))) == []
    for _ in range(DRAIN_BYTES_LIMIT // 4096):
        assert not mallory.service.finished
        assert mallory.say(bytes(4096)) == []
    assert mallory.say(bytes(4096)) == []
    assert mallory.service.finished
    mallory.service.end()
    assert to.repository.log("main").count == 200


@pytest.mark.parametrize("number", [0, 2, 10**17])
def test_an_acknowledgement_of_what_was_not_sent_ends_the_session(number: int) -> None:
    to = server()
    mallory = client(to)
    answers = mallory.say(Fetch("main"))
    assert [type(event) for event in answers] == [Transfer, Batch, End]
    assert failure(mallory.say(Acknowledged(number, ROOT))) == "forged"
    assert mallory.service.failed


def test_an_acknowledgement_of_another_root_or_twice_ends_the_session() -> None:
    to = server()
    root = to.repository.log("main").root
    wrong = client(to)
    wrong.say(Fetch("main"))
    assert failure(wrong.say(Acknowledged(1, OTHER))) == "forged"
    twice = client(to)
    twice.say(Fetch("main"))
    assert twice.say(Acknowledged(1, root)) == []
    assert failure(twice.say(Acknowledged(1, root))) == "forged"


def test_a_client_that_never_acknowledges_is_remembered_within_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plumbing.service, "REMEMBERED_BATCHES_LIMIT", 5)
    to = server()
    root = to.repository.log("main").root
    mallory = client(to)
    for _ in range(9):
        mallory.say(Fetch("main"))
    assert len(mallory.service._outgoing) == 5
    assert mallory.say(Acknowledged(4, root), Acknowledged(9, root)) == []
    assert failure(mallory.say(Acknowledged(10, root))) == "forged"


def test_a_client_that_has_ever_more_made_for_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plumbing.service, "MADE_NODES_LIMIT", 40)
    mallory = client(server())
    views = 0
    while not mallory.service.failed and views < 1000:
        views += 1
        answers = mallory.say(Fetch("main", (ROOT,), first_key_at(START + 1000 * views)))
        if isinstance(answers[-1], PeerError):
            break
    assert failure(answers) == "too-much"
    assert 5 < views < 100


def test_batches_that_grow_are_not_held_by_the_hundred() -> None:
    """400 batches of 4 MiB of zeros fit into 256 KiB; the service holds a few."""
    to = server()
    mallory = client(to)
    large = pack_item(make_key(0, object_id(bytes(1))), bytes(4 << 20))[: 4 << 20]
    stream = b"".join(
        encode_event(Batch(number, 2, ROOT, large))
        for number in range(1, UNACKNOWLEDGED_LIMIT + 40)
    )
    assert len(stream) < 1 << 18
    mallory.service.receive(encode_event(Transfer("main", EMPTY_ROOT, ROOT)))
    tracemalloc.start()
    mallory.service.receive(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (UNACKNOWLEDGED_LIMIT + 4) * (4 << 20)
    assert failure(mallory.hear()) == "protocol"


def test_policy_speaks_only_of_what_was_sent() -> None:
    to = server()
    to.policy = lambda item: ("quota", "no") if item.content.time % 2000 else None
    mallory = client(to)
    sent = [message(900), message(901)]
    answers = mallory.say(*transfer(*sent))
    assert answers[:2] == [
        Refused(object_key(sent[1]), "quota", "no"),
        Acknowledged(1, root_of(sent[0])),
    ]
    assert isinstance(answers[2], Done)


def session_bytes() -> tuple[bytes, set[Key]]:
    """What an honest client says in a session of everything."""
    to = server()
    ann = Client(1, to)
    ann.rights = Rights("mallory")
    sent = [message(number, body="hello " * 40) for number in range(900, 903)]
    ann.add(*sent)
    session = ann.session()
    said = bytearray()
    send = session._channel.send

    def record(data: bytes) -> None:
        said.extend(data)
        send(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session._channel, "send", record)
        session.list_refs()
        assert Pusher(session, ann.tracking()).run().messages == 3
        assert Fetcher(session, ann.tracking(), pull=True).run().messages == 200
        ann.add(message(904))
        assert Pusher(session, ann.tracking()).run().messages == 1
    return bytes(said), set(map(object_key, [*MESSAGES, *sent, message(904)]))


def test_a_session_cut_at_any_byte_leaves_whole_batches() -> None:
    said = b"".join(map(encode_event, transfer(*[message(900 + number) for number in range(3)])))
    before = set(map(object_key, MESSAGES))
    for size in range(len(said)):
        to = server()
        mallory = client(to)
        mallory.say(said[:size])
        assert not mallory.service.failed
        if size:
            with pytest.raises(MsglogError):
                mallory.service.end()
        after = keys(to.repository)
        assert after == before or len(after) == 203


def test_no_answer_depends_on_how_the_bytes_were_cut() -> None:
    requests: list[Event] = [
        ListRefs(),
        Fetch("main"),
        KeepAlive(),
        Push("main"),
        Fetch("nowhere"),
        ListRefs(),
    ]
    said = b"".join(map(encode_event, requests))
    one, other = server(), server()
    whole = client(one).say(said)
    piecewise = client(other).say(*[bytes([byte]) for byte in said])
    assert whole == piecewise
    assert {type(event) for event in whole} >= {AdvertisedRef, Transfer, Base, PeerError, End}


RECORDED, POSSIBLE = session_bytes()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_to_a_session_is_answered_in_our_own_words(data: st.DataObject) -> None:
    stream = bytearray(RECORDED)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        what = data.draw(st.sampled_from(["set", "cut", "repeat"]))
        if what == "set":
            stream[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del stream[at : at + data.draw(st.integers(1, 200))]
        else:
            stream[at:at] = stream[: data.draw(st.integers(0, 500))]
    to = server()
    mallory = client(to)
    size = data.draw(st.integers(1, 1000))
    for at in range(0, len(stream), size):
        for answer in mallory.say(bytes(stream[at : at + size])):
            assert not isinstance(answer, PeerError) or answer.code != "internal"
    assert set(map(object_key, MESSAGES)) <= keys(to.repository) <= POSSIBLE
    check_whole(to.repository)


def test_nodes_are_answered_for_paths_that_are_not_there_or_twice() -> None:
    to = server()
    mallory = client(to)
    (ref, _) = mallory.say(ListRefs())
    assert isinstance(ref, AdvertisedRef)
    for path in ((80, b"\xff" * 40), (79, b"\0" * 40), (1, b"\x10")):
        assert mallory.say(GetNodes("main", ref.root, 16, ((path, b""),))) == [End()]
    twice = mallory.say(GetNodes("main", ref.root, 16, ((WHOLE[0], bytes(64)),) * 2))
    assert [type(event) for event in twice] == [NodeData, NodeData, End]

"""The state machine: every pair of state, side and event, requests ahead, and what has no end."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.errors import MsglogError, RemoteError
from msglog.objectid import ObjectId
from msglog.wire.connection import (
    AHEAD_LIMIT,
    KEEP_ALIVE_LIMIT,
    LINE_LIMIT,
    NODES_A_PATH_LIMIT,
    REF_LIMIT,
    TRANSITIONS,
    UNACKNOWLEDGED_LIMIT,
    Connection,
    LocalProtocolError,
    Side,
    State,
)
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    BATCH_MESSAGES_LIMIT,
    SAID,
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Concluded,
    Done,
    End,
    Event,
    Fetch,
    GetNodes,
    Gone,
    Greeting,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Printed,
    Push,
    Refused,
    Transfer,
    Watch,
)
from msglog.wire.grammar import ProtocolError
from msglog.wire.pktline import FramingError
from tests.msglog.wire.samples import KEY, OTHER, ROOT, an_object, content_of

C, S = Side.CLIENT, Side.SERVER
GREETING = (S, Greeting("m", bytes(16), "ann", "write"))
CONTENT = content_of(an_object(1))
THIRD = ObjectId(b"3" * 32)
ONE: dict[type[Event], Event] = {
    Greeting: GREETING[1],
    PeerError: PeerError("busy", "later"),
    KeepAlive: KeepAlive(),
    End: End(),
    ListRefs: ListRefs(),
    AdvertisedRef: AdvertisedRef("main", ROOT, 1),
    Fetch: Fetch("main"),
    Push: Push("main"),
    Base: Base("main", ROOT),
    Transfer: Transfer("main", ROOT, OTHER),
    Batch: Batch(1, 1, ROOT, CONTENT),
    Administer: Administer(("user", "list")),
    Printed: Printed("ann"),
    Concluded: Concluded(0),
    Refused: Refused(KEY, "quota", "no"),
    Acknowledged: Acknowledged(1, ROOT),
    Done: Done("main"),
    GetNodes: GetNodes("main", ROOT, 16, (((0, b""), b""),)),
    NodeData: NodeData(b"x"),
    Watch: Watch(("main", "lab/*")),
    Gone: Gone("main"),
}
WAYS: dict[State, list[tuple[Side, Event]]] = {
    State.OPENING: [],
    State.READY: [GREETING],
    State.LISTING: [GREETING, (C, ONE[ListRefs])],
    State.FETCHING: [GREETING, (C, ONE[Fetch])],
    State.STREAMING: [GREETING, (C, ONE[Fetch]), (S, ONE[Transfer])],
    State.CHOOSING: [GREETING, (C, ONE[Push])],
    State.PUSHING: [GREETING, (C, ONE[Transfer])],
    State.CONCLUDING: [GREETING, (C, ONE[Transfer]), (C, ONE[Batch]), (C, End())],
    State.NAVIGATING: [GREETING, (C, ONE[GetNodes])],
    State.ADMINISTERING: [GREETING, (C, ONE[Administer])],
    State.WATCHING: [GREETING, (C, ONE[Watch])],
    State.FAILED: [(S, ONE[PeerError])],
}
WAITING = (ListRefs, Fetch, Push)
EARLY = [state for state in State if state not in (State.PUSHING, State.CONCLUDING, State.FAILED)]


def play(connection: Connection, steps: list[tuple[Side, Event]]) -> Connection:
    for speaker, event in steps:
        say(connection, speaker, event)
    return connection


def say(connection: Connection, speaker: Side, event: Event) -> None:
    if speaker is connection.side:
        connection.send(event)
    else:
        assert list(connection.receive(encode_event(event))) == [event]


def moves() -> Iterator[tuple[Side, State, Side, type[Event]]]:
    yield from product(Side, State, Side, ONE)


def test_every_state_can_be_reached_and_every_event_has_a_sample() -> None:
    assert set(ONE) == set(Event.__args__)
    assert set(WAYS) == set(State) == set(TRANSITIONS)
    for side, (state, way) in product(Side, WAYS.items()):
        assert play(Connection(side), way).state is state


@dataclass
class Pair:
    """Both sides of a session, and the bytes of what was said last."""

    client: Connection
    server: Connection
    said: bytes = b""

    def says(self, speaker: Side, *events: Event) -> list[Event]:
        """One side says events; return what the other side understands."""
        heard: list[Event] = []
        for event in events:
            mine, other = (self.client, self.server) if speaker is C else (self.server, self.client)
            self.said = mine.send(event)
            heard += other.receive(self.said)
        return heard


def a_push(base: ObjectId | None) -> Pair:
    pair = Pair(Connection(C), Connection(S))
    pair.says(*GREETING)
    pair.says(C, Push("main", (ROOT,)))
    pair.says(S, Base("main", base))
    return pair


def test_a_push_names_no_root_twice() -> None:
    pair = a_push(ROOT)
    head = Transfer("main", ROOT, OTHER)
    assert pair.says(C, head) == [head]
    assert ROOT.hex().encode() not in pair.said
    for event in (Batch(1, 1, THIRD, CONTENT), Batch(2, 1, OTHER, CONTENT)):
        assert pair.says(C, event) == [event]
        assert (OTHER.hex().encode() in pair.said, THIRD.hex().encode() in pair.said) == (
            False,
            event.root == THIRD,
        )
    for answer in (Acknowledged(1, THIRD), Acknowledged(2, ROOT)):
        assert pair.says(S, answer) == [answer]
        assert (ROOT.hex().encode() in pair.said) == (answer.root == ROOT)
        assert THIRD.hex().encode() not in pair.said


@pytest.mark.parametrize("base", [None, OTHER])
def test_a_transfer_from_another_base_than_the_servers_names_it(base: ObjectId | None) -> None:
    head = Transfer("main", ROOT, OTHER)
    pair = a_push(base)
    assert pair.says(C, head) == [head]
    assert ROOT.hex().encode() in pair.said


def test_the_base_of_one_log_is_not_that_of_another() -> None:
    pair = a_push(ROOT)
    head = Transfer("other", ROOT, OTHER)
    assert pair.says(C, head) == [head]
    assert ROOT.hex().encode() in pair.said


def test_a_fetch_names_its_base_and_what_a_client_acknowledges() -> None:
    pair = a_push(ROOT)
    pair.says(C, Fetch("main", (ROOT,)))
    steps: list[tuple[Side, Event, bool]] = [
        (S, Transfer("main", ROOT, OTHER), True),
        (S, Batch(1, 1, OTHER, CONTENT), False),
        (C, Acknowledged(1, OTHER), True),
    ]
    for speaker, event, names in steps:
        assert pair.says(speaker, event) == [event]
        assert (b"base=" in pair.said or OTHER.hex().encode() in pair.said) == names


@pytest.mark.parametrize(
    ("side", "way", "event"),
    [
        (S, [GREETING], Transfer("main", SAID, OTHER)),
        (C, [GREETING, (C, Fetch("main", (ROOT,)))], Transfer("main", SAID, OTHER)),
        (S, [GREETING, (C, Fetch("main"))], Acknowledged(1, SAID)),
    ],
)
def test_roots_that_were_not_said_are_missed(
    side: Side, way: list[tuple[Side, Event]], event: Event
) -> None:
    connection = play(Connection(side), way)
    with pytest.raises(ProtocolError, match="that was not said"):
        list(connection.receive(encode_event(event)))


@pytest.mark.parametrize(
    ("side", "state", "speaker", "kind"),
    list(moves()),
    ids=lambda value: getattr(value, "name", None) or value.__name__,
)
def test_every_move_is_made_or_refused_with_the_right_blame(
    side: Side, state: State, speaker: Side, kind: type[Event]
) -> None:
    connection = play(Connection(side), WAYS[state])
    event = ONE[kind]
    following = TRANSITIONS[state].get((speaker, kind))
    if kind is Acknowledged and speaker is S and state is State.PUSHING:
        say(connection, C, ONE[Batch])  # which is what can be acknowledged
    if kind is KeepAlive:
        following = state
    if kind in WAITING and speaker is C and state in EARLY and following is None:
        following = state  # it waits
    if following is not None:
        say(connection, speaker, event)
        assert connection.state is following
        return
    error = LocalProtocolError if speaker is side else ProtocolError
    with pytest.raises(error):
        say(connection, speaker, event)
    assert connection.state is state


def test_requests_wait_for_the_answers_before_them() -> None:
    for side in Side:
        connection = Connection(side)
        for request in (ListRefs(), Fetch("a"), Push("b")):
            say(connection, C, request)
        assert connection.state.name == "OPENING"
        say(connection, *GREETING)
        assert connection.state.name == "LISTING"
        say(connection, S, End())
        assert connection.state.name == "FETCHING"
        say(connection, C, Fetch("c"))
        play(connection, [(S, ONE[Transfer]), (S, ONE[Batch]), (C, ONE[Acknowledged]), (S, End())])
        assert connection.state.name == "CHOOSING"
        say(connection, S, Base("b", None))
        assert connection.state.name == "FETCHING"
        say(connection, S, ONE[PeerError])
        assert connection.state.name == "READY"


@pytest.mark.parametrize("state", [State.OPENING, State.LISTING, State.STREAMING, State.NAVIGATING])
def test_a_request_that_names_paths_does_not_wait(state: State) -> None:
    path = (0, b"")
    for request in (
        ONE[GetNodes],
        Fetch("main", root=ROOT, wants=(path,)),
        Push("main", root=ROOT, without=(path,)),
    ):
        with pytest.raises(LocalProtocolError):
            play(Connection(C), WAYS[state]).send(request)
        with pytest.raises(ProtocolError):
            say(play(Connection(S), WAYS[state]), C, request)


def test_only_so_many_requests_wait() -> None:
    for side, error in ((C, LocalProtocolError), (S, ProtocolError)):
        connection = Connection(side)
        for _ in range(AHEAD_LIMIT):
            assert connection.may_ask_ahead()
            say(connection, C, Push("main"))
        assert not connection.may_ask_ahead()
        with pytest.raises(error):
            say(connection, C, Push("main"))


def test_requests_on_the_command_line_move_both_sides_alike() -> None:
    client, server = Connection(C), Connection(S)
    client.presume(Fetch("main"))
    server.inject(Fetch("main"))
    list(client.receive(server.send(GREETING[1])))
    assert client.state is server.state is State.FETCHING


def flood(side: Side, way: list[tuple[Side, Event]], event: Event, times: int) -> None:
    """Say an event as often as is allowed, then once more."""
    connection = play(Connection(side), way)
    speaker = S if side is C else C
    for _ in range(times):
        say(connection, speaker, event)
    with pytest.raises(ProtocolError):
        say(connection, speaker, event)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", State)
def test_keep_alives_alone_keep_nobody_waiting_for_ever(side: Side, state: State) -> None:
    flood(side, WAYS[state], KeepAlive(), KEEP_ALIVE_LIMIT)


def test_keep_alives_between_other_things_are_welcome() -> None:
    connection = play(Connection(C), WAYS[State.NAVIGATING])
    for _ in range(3):
        for _ in range(KEEP_ALIVE_LIMIT):
            say(connection, S, KeepAlive())
        say(connection, S, NodeData(b"x"))


def test_nodes_that_nobody_asked_for_are_refused() -> None:
    flood(C, WAYS[State.NAVIGATING], NodeData(b"x"), NODES_A_PATH_LIMIT)
    with pytest.raises(ProtocolError, match="too long"):
        say(play(Connection(C), WAYS[State.NAVIGATING]), S, NodeData(bytes(4096)))


def test_lines_without_end_are_refused() -> None:
    flood(C, WAYS[State.ADMINISTERING], Printed("x"), LINE_LIMIT)


def test_refusals_without_end_are_refused() -> None:
    way = [*WAYS[State.PUSHING], (C, ONE[Batch])]
    flood(C, way, ONE[Refused], BATCH_MESSAGES_LIMIT)


def test_an_acknowledgement_of_nothing_is_refused() -> None:
    flood(C, WAYS[State.PUSHING], ONE[Acknowledged], 0)
    flood(C, [*WAYS[State.PUSHING], (C, ONE[Batch])], ONE[Acknowledged], 1)


def test_batches_come_in_order_and_not_too_many_at_once() -> None:
    for side, error in ((C, LocalProtocolError), (S, ProtocolError)):
        for number in (0, 2, 10**17):
            with pytest.raises(error):
                say(play(Connection(side), WAYS[State.PUSHING]), C, Batch(number, 1, ROOT, CONTENT))
        connection = play(Connection(side), WAYS[State.PUSHING])
        for number in range(1, UNACKNOWLEDGED_LIMIT + 1):
            say(connection, C, Batch(number, 1, ROOT, CONTENT))
        say(connection, S, Acknowledged(1, ROOT))
        say(connection, C, Batch(UNACKNOWLEDGED_LIMIT + 1, 1, ROOT, CONTENT))
        with pytest.raises(error):
            say(connection, C, Batch(UNACKNOWLEDGED_LIMIT + 2, 1, ROOT, CONTENT))
    with pytest.raises(ProtocolError):
        say(play(Connection(C), WAYS[State.STREAMING]), S, Batch(2, 1, ROOT, CONTENT))
    # A server's batches have no such limit: a client need not acknowledge.
    connection = play(Connection(C), WAYS[State.STREAMING])
    for number in range(1, 3 * UNACKNOWLEDGED_LIMIT):
        say(connection, S, Batch(number, 1, ROOT, CONTENT))


@pytest.mark.parametrize("logs", [["a", "a"], ["b", "a"], ["a", "c", "b"]])
def test_a_list_of_logs_is_in_order(logs: list[str]) -> None:
    connection = play(Connection(C), WAYS[State.LISTING])
    for log in logs[:-1]:
        say(connection, S, AdvertisedRef(log, ROOT, 1))
    with pytest.raises(ProtocolError, match="not in order"):
        say(connection, S, AdvertisedRef(logs[-1], ROOT, 1))


def test_a_list_of_logs_ends_and_the_next_one_starts_anew() -> None:
    connection = play(Connection(C), WAYS[State.LISTING])
    stream = b"".join(
        encode_event(AdvertisedRef(f"{number:06}", ROOT, 1)) for number in range(REF_LIMIT + 1)
    )
    arriving = connection.receive(stream)
    assert sum(1 for _ in islice(arriving, REF_LIMIT)) == REF_LIMIT
    with pytest.raises(ProtocolError, match="logs"):
        next(arriving)
    again = play(Connection(C), WAYS[State.LISTING])
    for _ in range(2):
        play(again, [(S, AdvertisedRef("a", ROOT, 1)), (S, End()), (C, ListRefs())])


def test_what_is_told_of_watched_logs_is_in_order_and_has_an_end() -> None:
    for logs in (["b", "a"], ["a", "a"]):
        told: list[tuple[Event, Event]] = [(Gone(log), AdvertisedRef(log, ROOT, 1)) for log in logs]
        for first, second in product(*told):
            connection = play(Connection(C), WAYS[State.WATCHING])
            say(connection, S, first)
            with pytest.raises(ProtocolError, match="not in order"):
                say(connection, S, second)
    connection = play(Connection(C), WAYS[State.WATCHING])
    stream = b"".join(encode_event(Gone(f"{number:06}")) for number in range(REF_LIMIT + 1))
    arriving = connection.receive(stream)
    assert sum(1 for _ in islice(arriving, REF_LIMIT)) == REF_LIMIT
    with pytest.raises(ProtocolError, match="logs"):
        next(arriving)
    again = play(Connection(C), WAYS[State.WATCHING])
    for _ in range(2):
        play(again, [(S, Gone("a")), (S, End()), (C, Watch())])


def test_large_events_are_read_one_at_a_time() -> None:
    """A quarter of a MiB can hold a GiB of batches: none is expanded before the one before it."""
    connection = play(Connection(C), WAYS[State.STREAMING])
    bad = encode_event(Batch(1, 1, ROOT, CONTENT)) + b"nonsense"
    arriving = connection.receive(bad)
    assert next(arriving) == Batch(1, 1, ROOT, CONTENT)
    with pytest.raises(FramingError):
        next(arriving)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", State)
def test_a_stream_ends_where_it_may(side: Side, state: State) -> None:
    connection = play(Connection(side), WAYS[state])
    if state in (State.READY, State.FAILED) or (side is S and state is State.WATCHING):
        connection.finish()
    else:
        with pytest.raises(RemoteError):
            connection.finish()
    cut = play(Connection(side), WAYS[State.READY])
    list(cut.receive(b"000"))
    with pytest.raises(FramingError):
        cut.finish()


def test_an_abort_ends_the_session_whatever_its_state() -> None:
    for state in State:
        connection = play(Connection(S), WAYS[state])
        assert connection.abort(PeerError("protocol", "no")) == b"0015error protocol no"
        assert connection.has_failed()
        with pytest.raises(LocalProtocolError):
            connection.send(End())


@given(
    st.sampled_from(list(Side)),
    st.sampled_from(list(State)),
    st.lists(st.sampled_from(list(ONE)), max_size=8),
)
def test_any_conversation_is_followed_or_refused_in_our_own_words(
    side: Side, state: State, kinds: list[type[Event]]
) -> None:
    connection = play(Connection(side), WAYS[state])
    with contextlib.suppress(MsglogError):
        for kind in kinds:
            list(connection.receive(encode_event(ONE[kind])))

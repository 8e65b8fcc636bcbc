"""Views: a part of a log, from a key on, fetched and pushed as if it were all there is."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.account.role import Role
from msglog.errors import NotAuthorisedError
from msglog.index.change import build
from msglog.key import FIRST_KEY, Key, first_key_at
from msglog.store.store import Ref
from plumbing.fetching import Fetched, Fetcher, fetch_request
from plumbing.pushing import Pushed, Pusher
from plumbing.session import Traffic
from plumbing.tracking import Remote, Tracking
from tests.plumbing.peers import START, Client, Server, add, forget_log, keys, message


@dataclass
class Viewer:
    """A client that looks at a log from one message on."""

    client: Client
    number: int
    traffic: Traffic

    @property
    def view(self) -> Key:
        return first_key_at(START + 1000 * self.number)

    def tracking(self) -> Tracking:
        whole = self.client.tracking()
        return Tracking(whole.repository, whole.remote, "main", clock=whole.clock, view=self.view)

    def pull(self) -> Fetched:
        session = self.client.session()
        self.traffic = session.traffic
        return Fetcher(session, self.tracking(), pull=True).run()

    def push(self) -> Pushed:
        session = self.client.session()
        self.traffic = session.traffic
        return Pusher(session, self.tracking()).run()

    def holds(self) -> set[Key]:
        return keys(self.client.repository)


def viewer(server: Server, number: int = 100) -> Viewer:
    return Viewer(Client(2, server), number, Traffic())


def test_a_slice_is_fetched_and_then_only_what_is_new_in_it() -> None:
    server = Server()
    made = add(server.repository, *map(message, range(300)))
    bob = viewer(server)
    got = bob.pull()
    assert (got.messages, got.count) == (200, 200)
    assert bob.holds() == set(made[100:])
    assert bob.pull().messages == 0
    assert bob.traffic.received < 800
    assert bob.traffic.round_trips == 2  # the greeting came first
    late = add(server.repository, message(1000), message(50, body="old, but late"))
    assert bob.pull().messages == 1
    assert bob.holds() == {*made[100:], late[0]}
    # What the remote is known to hold is what was seen of it.
    assert bob.client.tracking().known() == Ref(bob.client.repository.log("main").root, 201)


def test_a_push_within_a_view_sends_what_is_new_once() -> None:
    server = Server()
    made = add(server.repository, *map(message, range(300)))
    bob = viewer(server)
    bob.pull()
    fresh = bob.client.add(message(500), message(501))
    pushed = bob.push()
    assert (pushed.messages, pushed.count) == (2, 202)
    assert keys(server.repository) == {*made, *fresh}
    assert bob.push().messages == 0
    assert bob.traffic.sent < 400
    assert bob.pull().messages == 0


def test_agreed_roots_are_kept_for_each_view_alone() -> None:
    server = Server()
    add(server.repository, *map(message, range(300)))
    bob = viewer(server)
    bob.pull()
    remote = Remote("origin", server.repository.store.identity)
    for store, peer in (
        (bob.client.repository.store, remote.peer),
        (server.repository.store, "user:user2"),
    ):
        assert store.agreed(peer, "main", bob.view) == [bob.client.repository.log("main").root]
        assert store.agreed(peer, "main", FIRST_KEY) == []
    other = Viewer(bob.client, 200, Traffic())
    # Where nothing of a view was agreed, what we have of it is offered.
    assert other.tracking().have() == (other.tracking().part().root,)
    assert other.pull().messages == 0
    assert other.traffic.received < 800


def test_without_a_common_root_only_the_difference_of_the_view_travels() -> None:
    server = Server()
    everything = [message(number) for number in range(3000)]
    made = add(server.repository, *everything, message(9000))
    bob = viewer(server, 1000)
    bob.client.add(*everything[500:], message(8000), message(20, body="mine, older"))
    assert bob.push().messages == 2
    assert bob.traffic.sent + bob.traffic.received < 12_000
    assert keys(server.repository) == set(made) | bob.holds()
    assert bob.push().messages == 0
    assert bob.pull().messages == 1
    assert bob.holds() >= set(made[1000:])


def test_older_messages_of_ours_reach_a_server_that_has_none_of_them() -> None:
    server = Server()
    bob = viewer(server)
    mine = bob.client.add(*map(message, range(90, 110)))
    pushed = bob.push()
    assert pushed.messages == 20
    assert keys(server.repository) == set(mine)
    assert bob.push().messages == 0


@pytest.mark.parametrize("number", [0, 299, 300, 10**6])
def test_a_view_may_hold_all_or_one_or_nothing(number: int) -> None:
    server = Server()
    made = add(server.repository, *map(message, range(300)))
    bob = viewer(server, number)
    for _ in range(2):
        assert bob.pull().count == max(300 - number, 0)
        assert bob.holds() == set(made[number:])
        assert bob.push().messages == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "theirs", "pull", "push", "forget"]), st.integers(0, 400)
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 400))
def test_any_order_of_adding_and_exchanging_ends_with_equal_views(
    what: list[tuple[str, int]], number: int
) -> None:
    server = Server()
    bob = viewer(server, number)
    everything: set[Key] = set()
    for step, at in what:
        objects = [message(at + offset) for offset in range(1 + at % 90)]
        if step == "add":
            everything |= set(bob.client.add(*objects))
        elif step == "theirs":
            everything |= set(add(server.repository, *objects))
        elif step == "pull":
            bob.pull()
        elif step == "push":
            bob.push()
        else:
            kept = list(server.repository.messages(iter(sorted(keys(server.repository)))))
            forget_log(server.repository)
            add(server.repository, *[data for _, data in kept])
    bob.push()
    bob.pull()
    seen = {key for key in everything if key >= bob.view}
    assert {key for key in bob.holds() if key >= bob.view} == seen
    assert keys(server.repository) == everything
    assert bob.push().messages == 0


def test_widening_brings_what_is_older_alone() -> None:
    server = Server()
    made = add(server.repository, *map(message, range(3000)))
    bob = viewer(server, 2000)
    bob.pull()
    mine = bob.client.add(message(20, body="mine, older"))
    bob.push()
    wider = Viewer(bob.client, 1000, Traffic())
    assert wider.pull().messages == 1000
    assert bob.holds() == {*made[1000:], *mine}
    got = bob.client.pull()  # and now all of it
    assert (got.messages, got.lost) == (1000, 0)
    assert bob.holds() == {*made, *mine}
    assert bob.client.repository.log("main").root == server.repository.log("main").root
    assert bob.client.tracking().known().count == 3001


def test_widening_over_nothing_older_costs_no_descent() -> None:
    server = Server()
    add(server.repository, *map(message, range(2000, 3000)))
    bob = viewer(server, 2000)
    bob.pull()
    wider = Viewer(bob.client, 1000, Traffic())
    assert wider.pull().messages == 0
    assert wider.traffic.round_trips == 2


def test_our_log_may_go_on_while_its_view_is_offered() -> None:
    server = Server()
    everything = [message(number) for number in range(300)]
    add(server.repository, *everything)
    bob = viewer(server)
    bob.client.add(*everything)
    session = bob.client.session()
    tracking = bob.tracking()
    request = fetch_request(tracking)
    assert request.have == (tracking.part().root,)
    session.send(request)
    bob.client.add(message(150, body="written meanwhile"))
    got = Fetcher(session, tracking, pull=True, early=request).run()
    assert (got.messages, got.count) == (0, 200)


def test_what_was_fetched_before_is_not_sent_again_when_it_is_pulled() -> None:
    server = Server()
    add(server.repository, *map(message, range(300)))
    bob = viewer(server)
    assert Fetcher(bob.client.session(), bob.tracking(), pull=False).run().messages == 200
    forget_agreements(bob)
    bob.client.add(message(500))
    got = bob.pull()
    assert (got.messages, got.fetched_before, got.local.count) == (0, 200, 201)
    assert bob.pull().fetched_before == 0


def forget_agreements(bob: Viewer) -> None:
    bob.client.repository.store.forget_agreed("main")
    bob.client.server.repository.store.forget_agreed("main")


def test_a_tracking_ref_has_what_was_seen_of_a_view_and_what_was_known_before_it() -> None:
    server = Server()
    made = add(server.repository, *map(message, range(300)))
    bob = viewer(server)
    mine = bob.client.add(message(20, body="mine, older"))
    bob.pull()
    bob.push()
    forget_log(server.repository)
    add(server.repository, *[message(number) for number in range(300) if number != 200])
    assert bob.pull().lost == 1
    known = bob.client.repository.keys(bob.client.tracking().known().root)
    assert set(known) == {*made[100:200], *made[201:], *mine}


@pytest.mark.parametrize(("older", "rounds"), [(0, 3), (1, 4), (16, 4)])
def test_a_few_older_messages_cost_no_search_and_no_more_waiting(older: int, rounds: int) -> None:
    server = Server()
    add(server.repository, *map(message, range(3000)))
    bob = viewer(server, 2000)
    bob.pull()
    bob.client.add(message(9000), *[message(number, body="mine") for number in range(older)])
    assert bob.push().messages == older + 1
    assert bob.traffic.round_trips == rounds
    assert bob.push().messages == 0
    assert bob.traffic.round_trips == 2


def test_many_older_messages_that_the_remote_has_are_looked_for_and_not_sent() -> None:
    server = Server()
    everything = [message(number) for number in range(3000)]
    add(server.repository, *everything)
    bob = viewer(server, 2000)
    bob.client.add(*everything[:1500], message(70, body="mine"))
    bob.pull()
    assert bob.push().messages == 1
    assert bob.traffic.sent < 10_000


def test_who_used_to_have_the_whole_log_sends_nothing_of_it_again() -> None:
    server = Server()
    bob = viewer(server, 2000)
    bob.client.add(*map(message, range(3000)))
    bob.client.push()
    assert bob.push().messages == 0
    assert bob.traffic.sent < 700
    bob.client.add(message(3), message(2500), message(70, body="mine"), message(2600, body="mine"))
    assert bob.push().messages == 2


@pytest.mark.parametrize("role", [Role.APPEND, Role.WRITE])
def test_an_instrument_may_push_within_a_view(role: Role) -> None:
    server = Server()
    add(server.repository, *map(message, range(300)))
    bob = Viewer(Client(2, server, role), 100, Traffic())
    fresh = bob.client.add(message(20, body="mine"), message(400))
    for _ in range(2):
        bob.push()
        assert set(fresh) < keys(server.repository)
    assert bob.push().messages == 0


def test_a_refusal_of_one_log_leaves_the_answers_to_others_in_order() -> None:
    server = Server()
    bob = Viewer(Client(2, server, Role.READ), 100, Traffic())
    bob.client.add(message(20, body="mine"), message(400))
    session = bob.client.session()
    pushers = [Pusher(session, bob.tracking()) for _ in range(2)]
    for pusher in pushers:
        with pytest.raises(NotAuthorisedError):
            pusher.take_answer()
    assert [ref.log for ref in session.list_refs()] == ["main"]


moves = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "pull", "push", "fetch", "wider"]),
        st.integers(0, 2),
        st.integers(0, 400),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(moves, st.tuples(*[st.integers(0, 400)] * 3))
def test_replicas_of_differing_views_each_end_with_their_view_of_the_union(
    what: list[tuple[str, int, int]], numbers: tuple[int, int, int]
) -> None:
    server = Server()
    replicas = [
        Viewer(Client(who, server), number, Traffic()) for who, number in enumerate(numbers, 1)
    ]
    own: list[set[Key]] = [set(), set(), set()]
    for step, who, at in what:
        replica = replicas[who]
        if step == "add":
            body = f"of {who % 2}"  # so that two of them sometimes write the same
            many = [message(at + offset, body=body) for offset in range(1 + at % 70)]
            own[who] |= set(replica.client.add(*many))
        elif step == "pull":
            replica.pull()
        elif step == "fetch":
            Fetcher(replica.client.session(), replica.tracking(), pull=False).run()
        elif step == "push":
            replica.push()
        else:
            replica.number = min(replica.number, at)
    for replica in replicas:
        replica.push()
    union = set().union(*own)
    assert keys(server.repository) == union
    for replica, mine in zip(replicas, own, strict=True):
        got = replica.pull()
        assert got.lost == 0
        seen = {key for key in union if key >= replica.view}
        assert got.root == build(sorted(seen)).root == replica.tracking().part().root
        assert {key for key in replica.holds() if key >= replica.view} == seen
        assert replica.holds() >= mine
        assert replica.push().messages == 0
        assert keys(replica.client.repository) <= union
    for replica in replicas:  # widening gives what a clone of the whole would
        replica.client.pull()
        assert replica.client.repository.log("main").root == server.repository.log("main").root

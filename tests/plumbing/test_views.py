"""Views: a part of a log, from a key on, fetched and pushed as if it were all there is."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.key import FIRST_KEY, Key, first_key_at
from msglog.store.store import Ref
from plumbing.fetching import Fetched, Fetcher
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

"""Push and pull between clients and a server in memory: what arrives, and what it costs."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.account.role import Role
from msglog.errors import NotAuthorisedError
from msglog.index.node import EMPTY_ROOT
from msglog.wire.batch import Item
from plumbing import reception
from plumbing.fetching import Fetcher, fetch_request
from plumbing.pushing import Pusher, push_request
from tests.plumbing.peers import Client, Server, add, forget_log, keys, message


def test_a_message_goes_from_one_user_to_the_other_and_back() -> None:
    server = Server()
    ann, bob = Client(1, server), Client(2, server)
    ann.add(message(1))
    assert ann.push().messages == 1
    assert bob.pull().messages == 1
    bob.add(message(2))
    assert bob.push().messages == 1
    assert ann.pull().messages == 1
    roots = {site.repository.log("main").root for site in (ann, bob, server)}
    assert len(roots) == 1


def test_equal_logs_cost_one_round_trip_and_no_messages() -> None:
    server = Server()
    ann = Client(1, server)
    ann.add(*map(message, range(300)))
    ann.push()
    for _ in range(2):
        assert ann.pull().messages == 0
        assert ann.traffic.round_trips == 1
        assert ann.traffic.sent == 0
        assert ann.traffic.received < 700
        assert ann.push().messages == 0
        assert ann.traffic.round_trips == 1
        assert ann.traffic.sent == 0


def test_a_push_of_one_costs_two_waits_and_less_than_1200_bytes_in_all() -> None:
    server = Server()
    ann = Client(1, server)
    ann.add(*map(message, range(300)))
    for number in range(10):
        ann.push()
        ann.add(message(1000 + number, body="x" * 200))
    assert ann.push().messages == 1
    assert ann.traffic.round_trips == 2  # the greeting, then the push itself
    line = sum(len(word) + 1 for word in server.words[-1])
    assert line + ann.traffic.sent < 1024
    assert line + ann.traffic.sent + ann.traffic.received < 1200


def test_a_pull_with_a_common_root_costs_one_round_trip() -> None:
    server = Server()
    ann, bob = Client(1, server), Client(2, server)
    ann.add(*map(message, range(300)))
    ann.push()
    bob.pull()
    ann.add(message(1000))
    ann.push()
    assert bob.pull().messages == 1
    assert bob.traffic.round_trips == 1
    assert bob.traffic.received < 1500


def test_two_who_only_push_send_each_message_once() -> None:
    server = Server()
    clients = [Client(1, server), Client(2, server)]
    sent = 0
    for number in range(200):
        client = clients[number % 2]
        client.add(message(number))
        sent += client.push().messages
    assert sent == 200
    assert server.repository.log("main").count == 200


def test_a_clone_of_many_batches_arrives_whole() -> None:
    server = Server()
    add(server.repository, *map(message, range(9000)))
    bob = Client(2, server)
    got = bob.pull()
    assert (got.messages, got.count) == (9000, 9000)
    assert bob.repository.log("main").root == server.repository.log("main").root
    assert bob.traffic.round_trips <= 4


def test_a_big_push_arrives_whole_and_is_cut_by_bytes_too() -> None:
    server = Server()
    ann = Client(1, server)
    ann.add(*[message(number, body="z" * 300_000) for number in range(40)])
    ann.add(*map(message, range(100, 5000)))
    assert ann.push().messages == 4940
    assert server.repository.log("main").root == ann.repository.log("main").root


def test_one_message_larger_than_a_batch_travels_alone() -> None:
    server = Server()
    ann, bob = Client(1, server), Client(2, server)
    ann.add(message(1), message(2, body="m" * (9 << 20)), message(3))
    assert ann.push().messages == 3
    assert bob.pull().messages == 3


def _policy(item: Item) -> tuple[str, str] | None:
    return ("quota", "no more odd ones") if item.content.uuid[-1] & 1 else None


def test_a_push_of_which_all_is_refused_makes_no_log() -> None:
    server = Server(policy=lambda _: ("quota", "nothing"))
    ann = Client(1, server)
    ann.add(message(1), message(2))
    server.repository.delete_log("main", time=1)
    pushed = ann.push()
    assert (pushed.messages, len(pushed.refused)) == (0, 2)
    assert server.repository.logs() == []
    server.policy = lambda _: None
    assert ann.push().messages == 2
    assert server.repository.log("main").root == ann.repository.log("main").root


def test_an_empty_log_is_made_at_the_remote_once() -> None:
    server = Server()
    ann = Client(1, server)
    ann.repository.create_log("lab/p01", time=1)
    for _ in range(2):
        pushed = ann.push(log="lab/p01")
        assert (pushed.messages, pushed.root, pushed.count) == (0, EMPTY_ROOT, 0)
        assert [log.name for log in server.repository.logs()] == ["lab/p01", "main"]
    assert ann.traffic.round_trips == 1
    server.repository.delete_log("lab/p01", time=2)
    ann.push(log="lab/p01")
    assert [log.name for log in server.repository.logs()] == ["main"]
    ann.add(message(1), log="lab/p01")
    assert ann.push(log="lab/p01").count == 1


def test_who_may_only_append_makes_an_empty_log() -> None:
    server = Server()
    ann = Client(1, server, Role.APPEND)
    ann.repository.create_log("lab", time=1)
    assert ann.push(log="lab").root is None
    assert server.repository.log("lab").count == 0


def test_empty_logs_are_not_made_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "EMPTY_LOGS_LIMIT", 3)
    server = Server()
    ann = Client(1, server)
    for number in range(5):
        ann.repository.create_log(f"lab{number}", time=1)
        ann.push(log=f"lab{number}")
    assert [log.name for log in server.repository.logs()] == ["lab0", "lab1", "main"]
    ann.add(message(1), log="lab4")
    ann.push(log="lab4")
    assert server.repository.log("lab4").count == 1


def test_refused_messages_are_held_back_and_the_rest_is_taken() -> None:
    server = Server(policy=_policy)
    ann = Client(1, server)
    made = ann.add(*map(message, range(10_000)))
    pushed = ann.push()
    odd = sorted(key for number, key in enumerate(made) if number & 1)
    assert pushed.messages == 5000
    assert [refusal.key for refusal in pushed.refused] == odd
    assert {(refusal.code, refusal.why) for refusal in pushed.refused} == {
        ("quota", "no more odd ones")
    }
    tracking = ann.tracking()
    held = ann.repository.store.held_back(tracking.remote.peer, "main")
    assert [refusal.key for refusal in held] == odd
    assert keys(server.repository) == set(made) - set(odd)
    # They are offered again, alone, and taken when the policy has changed.
    again = ann.push()
    assert (again.messages, len(again.refused)) == (0, 5000)
    server.policy = lambda _: None
    final = ann.push()
    assert (final.messages, final.refused) == (5000, ())
    assert ann.repository.store.held_back(tracking.remote.peer, "main") == []
    assert ann.push().messages == 0
    assert ann.traffic.sent == 0


def test_without_a_common_root_only_the_difference_travels() -> None:
    server = Server()
    ann = Client(1, server)
    everything = [message(number) for number in range(20_000)]
    add(server.repository, *everything, message(90_000), message(90_001))
    ann.add(*everything, message(80_000))
    assert ann.push().messages == 1
    assert ann.traffic.sent + ann.traffic.received < 12_000
    assert ann.traffic.round_trips <= 7
    forget = Client(3, server)
    forget.add(*everything, message(80_000))
    got = forget.pull()
    assert got.messages == 2
    assert forget.traffic.sent + forget.traffic.received < 12_000
    assert forget.repository.log("main").root == server.repository.log("main").root
    # What was found out once is agreed from then on.
    assert forget.pull().messages == 0
    assert forget.traffic.round_trips == 1


def test_logs_with_nothing_in_common_are_exchanged_whole() -> None:
    server = Server()
    ann = Client(1, server)
    add(server.repository, *map(message, range(500)))
    ann.add(*map(message, range(1000, 1500)))
    assert ann.push().messages == 500
    assert ann.pull().messages == 500
    assert ann.repository.log("main").root == server.repository.log("main").root


def test_an_append_user_pushes_and_learns_nothing() -> None:
    server = Server()
    add(server.repository, *map(message, range(100)))
    probe = Client(1, server, Role.APPEND)
    probe.add(message(1000))
    pushed = probe.push()
    assert (pushed.messages, pushed.root, pushed.count) == (1, None, None)
    probe.add(message(1001))
    assert probe.push().messages == 1
    with pytest.raises(NotAuthorisedError):
        probe.pull()
    with pytest.raises(NotAuthorisedError):
        probe.pull("other")
    assert probe.session().list_refs() == []


def test_a_root_that_others_agreed_is_no_base_for_an_append_user() -> None:
    server = Server()
    ann = Client(1, server)
    made = [message(number) for number in range(100)]
    ann.add(*made)
    ann.push()
    probe = Client(2, server, Role.APPEND)
    probe.add(*made)
    assert probe.push().messages == 100


@pytest.mark.parametrize("role", [Role.READ, Role.NONE])
def test_who_may_not_push_is_told_so_and_nothing_is_written(role: Role) -> None:
    server = Server()
    reader = Client(1, server, role)
    reader.add(message(1))
    with pytest.raises(NotAuthorisedError, match="not authorised"):
        reader.push()
    assert server.repository.log("main").count == 0


def test_a_user_revoked_in_mid_session_writes_no_more() -> None:
    server = Server()
    ann = Client(1, server)
    ann.add(*map(message, range(5000)))
    tracking = ann.tracking()
    session = ann.session()
    ann.rights.revoked = True
    with pytest.raises(NotAuthorisedError):
        Pusher(session, tracking).run()
    assert server.repository.log("main").count == 0


def test_a_remote_that_lost_messages_is_noticed_and_gets_them_back() -> None:
    server = Server()
    ann, bob = Client(1, server), Client(2, server)
    ann.add(*map(message, range(300)))
    ann.push()
    bob.pull()
    bob.push()
    forget_log(server.repository)
    add(server.repository, *map(message, range(250)))
    got = bob.pull()
    assert (got.messages, got.lost) == (0, 50)
    pushed = ann.push()
    assert (pushed.messages, pushed.lost) == (50, 50)
    assert bob.push().messages == 0
    assert server.repository.log("main").root == ann.repository.log("main").root


def test_a_fetch_leaves_the_log_alone_and_the_next_pull_takes_it_in() -> None:
    server = Server()
    add(server.repository, *map(message, range(20)))
    bob = Client(2, server)
    assert bob.pull(pull=False).messages == 20
    assert bob.repository.log("main").count == 0
    assert bob.tracking().known().count == 20
    assert bob.pull().messages == 0
    assert bob.repository.log("main").count == 20


def test_a_new_log_is_made_by_pushing_and_by_pulling() -> None:
    server = Server()
    ann, bob = Client(1, server), Client(2, server)
    ann.repository.create_log("lab/x", time=0)
    ann.add(message(1), log="lab/x")
    assert ann.push("lab/x").messages == 1
    assert bob.pull("lab/x").messages == 1
    assert [log.name for log in bob.repository.logs()] == ["lab/x", "main"]
    assert [ref.log for ref in bob.session().list_refs()] == ["lab/x", "main"]


_steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["add", "add", "push", "pull", "fetch", "restore"]),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(_steps, st.integers(0, 2**32))
def test_any_order_of_adding_and_exchanging_ends_in_equal_logs(
    steps: list[tuple[int, str]], seed: int
) -> None:
    random_numbers = random.Random(seed)
    server = Server()
    clients = [Client(number, server) for number in range(3)]
    model: list[set[bytes]] = [set(), set(), set()]
    number = 0
    for who, what in steps:
        client = clients[who]
        if what == "add":
            fresh = [
                message(random_numbers.randrange(10**6))
                for _ in range(random_numbers.choice([1, 3, 90]))
            ]
            number += len(fresh)
            model[who] |= set(client.add(*fresh))
        elif what == "push":
            client.push()
        elif what == "pull":
            client.pull()
        elif what == "fetch":
            client.pull(pull=False)
        else:
            kept = list(server.repository.messages(iter(sorted(keys(server.repository))[::2])))
            forget_log(server.repository)
            add(server.repository, *[data for _, data in kept])
    for client in (*clients, *clients):
        client.pull()
        client.push()
    everything: set[bytes] = set().union(*model)
    assert keys(server.repository) == everything
    for client in clients:
        client.pull()
        assert keys(client.repository) == everything
        assert client.repository.log("main").root == server.repository.log("main").root
        client.push()
        assert client.traffic.sent == 0


def test_requests_for_several_logs_go_ahead_together() -> None:
    server = Server()
    ann = Client(1, server)
    names = [f"log{number}" for number in range(12)]
    for name in names:
        ann.repository.create_log(name, time=0)
        ann.add(*map(message, range(80)), log=name)
        server.repository.create_log(name, time=0)
        add(server.repository, *map(message, range(40, 200)), log=name)
    requests = [push_request(ann.tracking(name)) for name in names]
    session = ann.session(requests)
    pushers = [
        Pusher(session, ann.tracking(name), early=request)
        for name, request in zip(names, requests, strict=True)
    ]
    for pusher in pushers:
        pusher.take_answer()
    assert [pusher.run().messages for pusher in pushers] == [40] * 12
    session.close()
    fetches = [fetch_request(ann.tracking(name)) for name in names]
    session = ann.session(fetches)
    fetchers = [
        Fetcher(session, ann.tracking(name), pull=True, early=request)
        for name, request in zip(names, fetches, strict=True)
    ]
    for fetcher in fetchers:
        fetcher.take_answer()
    assert [fetcher.run().messages for fetcher in fetchers] == [120] * 12
    for name in names:
        assert keys(ann.repository, name) == keys(server.repository, name)

"""Repositories that were put back from old backups: nothing is lost, and what was lost is said."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.account.role import Role
from msglog.key import FIRST_KEY
from msglog.store.memory import MemoryStore
from tests.plumbing.peers import Client, Server, add, backup, forget_log, keys, message


def world() -> tuple[Server, Client, Client]:
    """Return a server and two clients who have exchanged 400 messages."""
    server = Server()
    ann, bob = Client(1, server), Client(2, server)
    ann.add(*map(message, range(300)))
    ann.push()
    bob.pull()
    bob.add(*map(message, range(300, 400)))
    bob.push()
    ann.pull()
    return server, ann, bob


def go_on(ann: Client, bob: Client, rounds: int = 12) -> None:
    """Exchange 20 more messages a round, until old agreed roots are far apart."""
    for number in range(rounds):
        ann.add(*[message(1000 + 20 * number + one) for one in range(10)])
        ann.push()
        bob.pull()
        bob.add(*[message(1010 + 20 * number + one) for one in range(10)])
        bob.push()
        ann.pull()


def without_agreement(store: MemoryStore) -> MemoryStore:
    """Take from a store what could be a common root: what it agreed on, and its past."""
    store._agreed.clear()
    for entries in store._reflog.values():
        del entries[1:]
    return store


def settle(server: Server, *clients: Client) -> None:
    """Exchange until nothing travels any more; all are equal then."""
    for client in (*clients, *clients):
        client.pull()
        client.push()
    places: list[Client | Server] = [server, *clients]
    roots = {one.repository.log("main").root for one in places}
    assert len(roots) == 1
    for client in clients:
        assert client.pull().lost == 0
        assert client.push().lost == 0


@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("who", ["server", "client", "both"])
@pytest.mark.parametrize("first", [Client.push, Client.pull])
def test_nothing_is_lost_whoever_was_restored(
    who: str,
    common: bool,  # noqa: FBT001
    first: Callable[[Client], object],
) -> None:
    server, ann, bob = world()
    saved = {one: backup(one.repository) for one in (server, ann)}
    go_on(ann, bob)
    everything = keys(server.repository) | keys(ann.repository) | keys(bob.repository)
    assert len(everything) == 640
    for one in (server, ann):
        if who in ("both", "server" if one is server else "client"):
            one.repository.store = saved[one] if common else without_agreement(saved[one])
            # A restored log is worked on before it is ever in touch again.
            more = message(9000 if one is server else 9001)
            add(one.repository, more)
    everything |= keys(server.repository) | keys(ann.repository)
    first(bob)
    first(ann)
    settle(server, ann, bob)
    assert keys(server.repository) == everything


@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("role", [Role.WRITE, Role.ADMIN])
def test_a_restored_server_is_told_what_it_lost_by_a_pull_and_by_a_push(
    common: bool,  # noqa: FBT001
    role: Role,
) -> None:
    server, ann, bob = world()
    ann.rights.given = bob.rights.given = role
    saved = backup(server.repository)
    go_on(ann, bob)
    server.repository.store = saved if common else without_agreement(saved)
    restored = backup(server.repository)
    assert ann.pull().lost == 240
    assert ann.push().messages == 240
    server.repository.store = restored
    assert bob.push().lost == 240
    assert ann.push().lost == 0
    assert bob.pull().lost == 0


def test_an_emptied_server_is_told_by_a_push_alone_what_it_lost() -> None:
    server, ann, _ = world()
    forget_log(server.repository)
    pushed = ann.push()
    assert (pushed.messages, pushed.lost) == (400, 400)


def test_what_others_have_pushed_since_is_not_taken_for_what_was_lost() -> None:
    server, ann, bob = world()
    saved = backup(server.repository)
    go_on(ann, bob, rounds=1)
    server.repository.store = saved
    carl = Client(3, server)
    carl.add(*[message(5000 + number) for number in range(15)])
    carl.push()
    ann.add(message(6000))
    assert 0 < ann.push().lost <= 20
    settle(server, ann, bob, carl)


def test_a_server_that_never_lost_anything_is_not_told_so() -> None:
    server, ann, bob = world()
    for number in range(5):
        add(server.repository, message(7000 + number))
        ann.add(message(8000 + number))
        assert ann.push().lost == 0
        bob.add(message(8100 + number))
        assert (bob.push().lost, bob.pull().lost) == (0, 0)
    settle(server, ann, bob)


def test_a_restored_client_hears_of_no_loss() -> None:
    server, ann, bob = world()
    saved = backup(ann.repository)
    go_on(ann, bob)
    ann.repository.store = saved
    ann.add(message(9999))
    assert ann.push().lost == 0
    pulled = ann.pull()
    assert (pulled.lost, pulled.messages >= 240) == (0, True)
    settle(server, ann, bob)


def test_a_copy_of_the_same_repository_is_a_remote_like_any_other() -> None:
    """What is put aside by `restore --replace` is pulled from, though its identity is the same."""
    server, ann, bob = world()
    old = Server()
    old.repository = ann.repository
    saved = backup(ann.repository)
    go_on(ann, bob)
    restored = Client(9, old)
    restored.repository = type(ann.repository)(saved, "memory")
    assert restored.repository.store.identity == old.repository.store.identity
    got = restored.pull()
    assert (got.messages, got.lost) == (240, 0)
    assert keys(restored.repository) == keys(server.repository)


_steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["add", "add", "push", "pull", "save", "restore", "strip"]),
    ),
    max_size=40,
)


@settings(max_examples=40)
@given(_steps, st.integers(0, 2**32))
def test_any_order_of_saving_and_restoring_loses_nothing_that_somebody_still_has(
    steps: list[tuple[int, str]], seed: int
) -> None:
    chance = random.Random(seed)
    server = Server()
    clients = [Client(number, server) for number in range(3)]
    places: list[Client | Server] = [*clients, server]
    saved = [backup(one.repository) for one in places]
    for who, what in steps:
        one = places[who]
        if what == "add":
            add(
                one.repository,
                *[message(chance.randrange(10**6)) for _ in range(chance.choice((1, 3, 80)))],
            )
        elif what == "save":
            saved[who] = backup(one.repository)
        elif what in ("restore", "strip"):
            one.repository.store = saved[who]
            saved[who] = backup(one.repository)
            if what == "strip":
                without_agreement(one.repository.store)
        elif isinstance(one, Client):
            one.push() if what == "push" else one.pull()
    everything = set().union(*[keys(one.repository) for one in places])
    settle(server, *clients)
    assert keys(server.repository) == everything
    assert server.repository.store.refs()
    assert FIRST_KEY not in everything

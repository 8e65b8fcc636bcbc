"""Which roots a client offers, and what it pays when the remote holds none of the first."""

from collections.abc import Callable

import pytest

from msglog.account.role import Role
from msglog.errors import IntegrityError
from msglog.objectid import object_id
from msglog.store.memory import MemoryStore
from msglog.store.store import Agreement, Commit
from plumbing.tracking import Remote
from tests.plumbing.peers import START, Client, Server, add, backup, keys, message

PUSHES = 9


def peer(server: Server) -> str:
    return Remote("origin", server.repository.store.identity).peer


def pushed(server: Server, role: Role = Role.WRITE) -> Client:
    """Return a client that has pushed one message after the other."""
    client = Client(1, server, role)
    client.add(*map(message, range(100)))
    for number in range(PUSHES):
        client.push()
        client.add(message(1000 + number))
    return client


def test_the_newest_agreed_root_alone_is_offered_first() -> None:
    server = Server()
    client = pushed(server)
    newest = client.repository.store.agreed(peer(server), "main", client.tracking().view)[0]
    assert client.tracking().have_first() == (newest,)
    client.push()
    assert server.words[-1] == [f"push:main={newest.hex()}"]
    client.pull()
    assert server.words[-1] == [f"fetch:main={client.repository.log('main').root.hex()}"]


@pytest.mark.parametrize(("more", "roots"), [(16, 1), (17, 2)])
def test_our_own_root_is_offered_where_it_could_save_many_messages(more: int, roots: int) -> None:
    server = Server()
    client = pushed(server)
    client.push()
    client.add(*[message(2000 + number) for number in range(more)])
    offered = client.tracking().have_first()
    assert len(offered) == roots
    assert (client.repository.log("main").root in offered) == (roots == 2)


def test_what_came_to_the_remote_another_way_is_not_sent_again() -> None:
    server = Server()
    client = pushed(server)
    client.push()
    more = [message(2000 + number) for number in range(200)]
    client.add(*more)
    add(server.repository, *more)
    assert client.push().messages == 0
    assert client.traffic.round_trips == 1


def test_without_an_agreed_root_our_own_is_offered() -> None:
    client = Client(1, Server())
    assert client.tracking().have_first() == ()
    client.add(message(1))
    assert client.tracking().have_first() == (client.repository.log("main").root,)


def test_an_agreed_root_that_is_gone_does_not_keep_us_from_offering() -> None:
    server = Server()
    client = Client(1, server)
    client.add(message(1))
    gone = object_id(b"gone")
    place = Agreement(peer(server), "main", client.tracking().view, gone)
    client.repository.store.commit(Commit(START, "made", agreed=[place]))
    own = client.repository.log("main").root
    assert client.tracking().have_first() == (own, gone)
    assert client.push().messages == 1


def restored(role: Role) -> tuple[Server, Client]:
    """Return a server restored from a backup, without the last three pushes of its client."""
    server = Server()
    client = Client(1, server, role)
    client.add(*map(message, range(100)))
    saved = backup(server.repository)
    for number in range(PUSHES):
        if number == PUSHES - 3:
            saved = backup(server.repository)
        client.push()
        client.add(message(1000 + number))
    server.repository.store = saved
    return server, client


@pytest.mark.parametrize("role", [Role.WRITE, Role.APPEND])
def test_a_restored_remote_is_offered_the_other_roots_in_a_second_request(role: Role) -> None:
    server, client = restored(role)
    assert client.push().messages == 4
    assert client.traffic.round_trips == 3
    assert keys(server.repository) == keys(client.repository)
    client.add(message(5000))
    assert client.push().messages == 1
    assert client.traffic.round_trips == 2


@pytest.mark.parametrize("more", [0, 1])
def test_a_pull_from_a_restored_remote_is_a_second_request_longer(more: int) -> None:
    server, client = restored(Role.WRITE)
    add(server.repository, *[message(7000 + number) for number in range(more)])
    got = client.pull()
    assert (got.messages, got.lost) == (more, 2 + 1)
    assert client.traffic.round_trips == 2


@pytest.mark.parametrize("act", [Client.push, Client.pull])
def test_a_client_restored_from_a_backup_pays_nothing(act: Callable[[Client], object]) -> None:
    server = Server()
    client = pushed(server)
    saved = backup(client.repository)
    for number in range(3):
        client.push()
        client.add(message(3000 + number))
    client.repository.store = saved
    act(client)
    assert client.traffic.round_trips == (2 if act is Client.push else 1)
    assert keys(client.repository) <= keys(server.repository)


@pytest.mark.parametrize("holes", [1, 2, PUSHES - 1])
@pytest.mark.parametrize("act", [Client.push, Client.pull])
def test_an_agreed_root_with_holes_at_the_server_is_passed_over(
    act: Callable[[Client], object], holes: int
) -> None:
    server = Server()
    client = pushed(server)
    add(server.repository, message(3000))
    store = server.repository.store
    assert isinstance(store, MemoryStore)
    for root in store.agreed(f"user:{client.rights.user}", "main", client.tracking().view)[:holes]:
        del store._nodes[root]
    act(client)
    if act is Client.push:
        assert (
            message(1000 + PUSHES - 1)
            in store.read_messages(sorted(keys(server.repository))).values()
        )
    else:
        assert keys(server.repository) < keys(client.repository)


@pytest.mark.parametrize("act", [Client.push, Client.pull])
def test_a_log_with_holes_is_damaged_whatever_was_offered(act: Callable[[Client], object]) -> None:
    server = Server()
    client = pushed(server)
    add(server.repository, message(3000))
    store = server.repository.store
    assert isinstance(store, MemoryStore)
    del store._nodes[server.repository.log("main").root]
    with pytest.raises(IntegrityError, match="remote reports an error"):
        act(client)

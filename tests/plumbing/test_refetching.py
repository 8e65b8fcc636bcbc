"""Fetching single messages again: those that were asked for travel, and no others."""

import pytest

from msglog.account.role import Role
from msglog.key import Key
from msglog.message import object_key
from msglog.wire.events import PATH_LIMIT
from plumbing.refetching import Source
from tests.plumbing.peers import Client, Server, add, keys, message


@pytest.fixture
def server() -> Server:
    made = Server()
    add(made.repository, *map(message, range(1000)))
    made.repository.create_log("empty", time=0)
    return made


def fetch(
    server: Server, wanted: list[Key], log: str = "main", role: Role = Role.WRITE
) -> tuple[dict[Key, bytes], int]:
    """Return what comes, and how many bytes come in all."""
    client = Client(1, server, role)
    session = client.session()
    found: dict[Key, bytes] = {}
    try:
        for messages in Source(session).fetch(log, (), wanted):
            found.update(messages)
        return found, session.traffic.received
    finally:
        session.close()


def test_only_what_was_asked_for_travels(server: Server) -> None:
    wanted = [object_key(message(number)) for number in (3, 500, 999)]
    found, few = fetch(server, wanted)
    assert found == {object_key(message(number)): message(number) for number in (3, 500, 999)}
    everything, all_bytes = fetch(server, sorted(keys(server.repository)))
    assert len(everything) == 1000
    assert few < all_bytes / 10


def test_what_the_remote_lacks_does_not_come(server: Server) -> None:
    wanted = [object_key(message(number)) for number in (3, 5000)]
    assert set(fetch(server, wanted)[0]) == {wanted[0]}
    assert fetch(server, wanted, log="empty")[0] == {}
    assert fetch(server, wanted, log="other")[0] == {}


def test_more_keys_than_a_request_may_name(server: Server) -> None:
    more = [message(100_000 + number) for number in range(PATH_LIMIT)]
    wanted = [object_key(data) for data in (*more, message(7))]
    found, _ = fetch(server, wanted)
    assert found == {object_key(message(7)): message(7)}


def test_who_may_not_read_gets_nothing(server: Server) -> None:
    assert fetch(server, [object_key(message(3))], role=Role.APPEND)[0] == {}

"""Many requests in one session: each is judged anew, and none leaves anything behind for good."""

from collections.abc import Callable

import pytest

from msglog.errors import NotAuthorisedError
from msglog.objectid import ObjectId
from msglog.wire.events import (
    AdvertisedRef,
    Batch,
    End,
    Event,
    Fetch,
    GetNodes,
    ListRefs,
    Push,
    Transfer,
)
from plumbing.fetching import Fetcher
from plumbing.known_roots import ROOTS_LIMIT
from plumbing.pushing import Pusher
from tests.plumbing.peers import Client, Server, add, message

REQUESTS: dict[str, Callable[[ObjectId], Event]] = {
    "list": lambda _: ListRefs(),
    "fetch": lambda _: Fetch("main"),
    "fetch of an advertised root": lambda root: Fetch("main", (), root=root, wants=((0, b""),)),
    "nodes": lambda root: GetNodes("main", root, 16, (((0, b""), b""),)),
    "push": lambda _: Push("main"),
}


@pytest.fixture
def server() -> Server:
    made = Server()
    add(made.repository, *map(message, range(200)))
    return made


@pytest.mark.parametrize("asked", REQUESTS)
def test_whoever_is_removed_is_refused_the_next_request(server: Server, asked: str) -> None:
    ann = Client(1, server)
    session = ann.session()
    (ref,) = session.list_refs()
    ann.rights.revoked = True
    session.send(REQUESTS[asked](ref.root))
    with pytest.raises(NotAuthorisedError):
        session.expect(AdvertisedRef, Transfer)


def test_whoever_is_removed_in_mid_stream_gets_no_further_batch(server: Server) -> None:
    add(server.repository, *map(message, range(200, 10_000)))
    ann = Client(1, server)
    session = ann.session([Fetch("main")])
    session.expect(Transfer)
    session.expect(Batch)
    ann.rights.revoked = True
    with pytest.raises(NotAuthorisedError):
        session.expect(Batch, End)


def test_a_session_serves_rounds_without_end_in_bounded_memory(server: Server) -> None:
    ann = Client(1, server)
    session = ann.session()
    number = 1000

    def turn(count: int) -> int:
        nonlocal number
        for _ in range(count):
            number += 2
            ann.add(message(number))
            add(server.repository, message(number + 1))
            Fetcher(session, ann.tracking(), pull=True).run()
            Pusher(session, ann.tracking()).run()
        return len(service._advertised) + len(service._bases)

    service = session._channel._service  # type: ignore[attr-defined]
    turn(2 * ROOTS_LIMIT)
    settled = turn(1)
    assert turn(3 * ROOTS_LIMIT) == settled
    assert server.repository.log("main").root == ann.repository.log("main").root

"""What is said of messages that a remote had once and has no more: all of them, and no others."""

from collections.abc import Sequence

import pytest

from msglog.account.role import Role
from msglog.key import first_key_at
from plumbing.fetching import Fetcher, fetch_request
from plumbing.pushing import Pusher, push_request
from plumbing.tracking import Tracking
from plumbing.transport.channel import Channel
from tests.plumbing.peers import START, Client, Server, add, backup, forget_log, keys, message


class HastyChannel:
    """A channel to a server that has answered all that it was asked before anybody reads."""

    def __init__(self, inner: Channel) -> None:
        self._inner = inner
        self._said: list[bytes] = []

    def send(self, data: bytes) -> None:
        self._inner.send(data)

    def receive(self) -> bytes:
        while data := self._inner.receive():
            self._said.append(data)
        return self._said.pop(0) if self._said else b""

    def close(self) -> None:
        self._inner.close()

    def diagnosis(self) -> str:
        return ""


def in_view(client: Client, number: int) -> Tracking:
    whole = client.tracking()
    view = first_key_at(START + 1000 * number)
    return Tracking(whole.repository, whole.remote, "main", clock=whole.clock, view=view)


@pytest.mark.parametrize("more", [0, 1])
def test_a_push_to_a_remote_whose_log_is_empty_says_what_it_lost(more: int) -> None:
    server = Server()
    client = Client(1, server)
    client.add(*map(message, range(10)))
    client.push()
    forget_log(server.repository)
    client.add(*[message(100 + number) for number in range(more)])
    pushed = client.push()
    assert (pushed.messages, pushed.lost) == (10 + more, 10)
    assert client.push().lost == 0


@pytest.mark.parametrize("others", [0, 1, 3])
def test_a_push_to_a_restored_remote_says_what_it_lost(others: int) -> None:
    server = Server()
    client = Client(1, server)
    client.add(*map(message, range(10)))
    client.push()
    saved = backup(server.repository)
    client.add(*map(message, range(10, 13)))
    client.push()
    server.repository.store = saved
    add(server.repository, *[message(100 + number) for number in range(others)])
    client.add(message(50))
    pushed = client.push()
    assert (pushed.messages, pushed.lost) == (4, 3)
    assert client.push().lost == 0


def test_who_may_only_append_is_told_of_no_loss() -> None:
    server = Server()
    client = Client(1, server, Role.APPEND)
    client.add(*map(message, range(10)))
    client.push()
    forget_log(server.repository)
    assert client.push().lost == 0
    assert server.repository.log("main").count == 10


@pytest.mark.parametrize("mine", [1, 30])
def test_what_was_fetched_and_is_not_in_our_log_is_not_lost(mine: int) -> None:
    server = Server()
    add(server.repository, *map(message, range(100)))
    client = Client(1, server)
    client.pull(pull=False)
    other = Client(2, server)
    other.add(message(500))
    other.push()
    client.add(*[message(200 + number) for number in range(mine)])
    pushed = client.push()
    assert (pushed.messages, pushed.lost) == (mine, 0)


def test_a_descent_does_not_take_what_was_fetched_for_lost() -> None:
    server = Server()
    add(server.repository, *map(message, range(100)))
    client = Client(1, server)
    client.pull(pull=False)
    messages = [message(number) for number in range(100) if number != 7]
    forget_log(server.repository)
    add(server.repository, *messages, message(800))
    client.add(message(900))
    pushed = client.push()
    assert (pushed.messages, pushed.lost) == (1, 1)


@pytest.mark.parametrize("by", ["fetch", "push"])
def test_what_lies_before_a_view_is_not_lost(by: str) -> None:
    server = Server()
    client = Client(1, server)
    client.add(*map(message, range(100)))
    client.push()
    client.pull()
    tracking = in_view(client, 60)
    session = client.session()
    assert Fetcher(session, tracking, pull=True).run().lost == 0
    forget_log(server.repository)
    add(server.repository, *map(message, range(95)))
    add(server.repository, message(500))
    client.add(message(600))
    if by == "fetch":
        assert Fetcher(client.session(), tracking, pull=False).run().lost == 5
    pushed = Pusher(client.session(), tracking).run()
    assert (pushed.messages, pushed.lost) == (6, 0 if by == "fetch" else 5)  # it is said once


@pytest.mark.parametrize("way", ["fetch", "push"])
def test_what_another_process_pushes_meanwhile_is_not_lost(way: str) -> None:
    server = Server()
    client = Client(1, server)
    client.add(*map(message, range(10)))
    client.push()
    server.wrap = HastyChannel
    tracking = client.tracking()
    known = tracking.known()
    request = fetch_request(tracking) if way == "fetch" else push_request(tracking)
    session = client.session([request])
    server.wrap = lambda channel: channel
    client.add(message(100), message(101))
    assert client.push().messages == 2
    if way == "fetch":
        got = Fetcher(session, tracking, pull=True, early=request, known=known).run()  # type: ignore[arg-type]
        assert (got.count, got.lost) == (10, 0)
    else:
        done = Pusher(session, tracking, early=request, known=known).run()  # type: ignore[arg-type]
        assert done.lost == 0
    assert len(keys(server.repository)) == 12


def _push_two(client: Client, logs: Sequence[str]) -> list[int]:
    """Push as commands do: the next log is prepared while the last one is answered."""
    requests = [push_request(client.tracking(log)) for log in logs]
    session = client.session(requests)
    pushers = [
        Pusher(session, client.tracking(log), early=request)
        for log, request in zip(logs, requests, strict=True)
    ]
    for pusher in pushers:
        pusher.take_answer()
    following = [*pushers[1:], None]
    return [
        pusher.run(meanwhile=None if after is None else after.prepare).messages
        for pusher, after in zip(pushers, following, strict=True)
    ]


def test_what_was_prepared_is_not_sent_on_another_base() -> None:
    """An append user's newest agreed root was never heard of by the server; an older one was."""
    server = Server()
    client = Client(1, server, Role.APPEND)
    client.repository.create_log("lab", time=0)
    client.add(*map(message, range(50)), log="lab")
    client.push("lab")
    client.add(*map(message, range(60, 90)), log="lab")
    client.tracking("lab").agree(client.repository.log("lab").root, reason="as after a cut")
    client.add(message(1))
    assert _push_two(client, ["main", "lab"]) == [1, 30]
    assert server.repository.log("lab").count == 80

"""Transfers that are cut: nothing is lost, nothing is half there, and little is sent twice."""

from dataclasses import dataclass

import pytest

from msglog.errors import MsglogError
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY
from plumbing.transport.channel import Channel, ChannelError, SilenceError
from tests.plumbing.peers import Client, Server, add, keys, message


@dataclass
class CutChannel:
    """A channel that breaks after so many bytes each way."""

    inner: Channel
    receive_limit: int = 1 << 62
    send_limit: int = 1 << 62
    received: int = 0
    sent: int = 0

    def send(self, data: bytes) -> None:
        room = self.send_limit - self.sent
        self.inner.send(data[:room])
        self.sent += min(len(data), room)
        if room < len(data):
            raise ChannelError("the remote closed the connection")

    def receive(self) -> bytes:
        room = self.receive_limit - self.received
        if room <= 0:
            raise ChannelError("the remote closed the connection")
        data = self.inner.receive()[:room]
        self.received += len(data)
        return data

    def close(self) -> None:
        self.inner.close()

    def diagnosis(self) -> str:
        return ""


def test_a_clone_cut_at_ninety_percent_does_not_send_the_ninety_again() -> None:
    server = Server()
    add(server.repository, *map(message, range(30_000)))
    whole = Client(1, server)
    whole.pull()
    size = whole.traffic.received
    bob = Client(2, server)
    server.wrap = lambda channel: CutChannel(channel, receive_limit=size * 9 // 10)
    with pytest.raises(ChannelError):
        bob.pull()
    reached = bob.repository.log("main").count
    assert 20_000 < reached < 30_000
    assert reached % 4096 == 0  # whole batches only
    server.wrap = lambda channel: channel
    got = bob.pull()
    assert got.messages == 30_000 - reached
    assert bob.traffic.received < size / 4
    assert bob.repository.log("main").root == server.repository.log("main").root


def test_a_push_cut_at_ninety_percent_does_not_send_the_ninety_again() -> None:
    server = Server()
    whole, ann = Client(1, server), Client(2, Server())
    for client in (whole, ann):
        client.add(*map(message, range(30_000)))
    whole.push()
    size = whole.traffic.sent
    other = ann.server
    other.wrap = lambda channel: CutChannel(channel, send_limit=size * 9 // 10)
    with pytest.raises(ChannelError):
        ann.push()
    reached = other.repository.log("main").count
    assert 20_000 < reached < 30_000
    other.wrap = lambda channel: channel
    # What was made durable is not sent again, even where its acknowledgement never came.
    assert ann.push().messages == 30_000 - reached
    assert ann.traffic.sent < size / 4
    assert other.repository.log("main").root == ann.repository.log("main").root


@pytest.mark.parametrize("way", ["pull", "push"])
def test_a_session_cut_at_any_byte_harms_nothing(way: str) -> None:
    def sites() -> tuple[Server, Client]:
        server = Server()
        client = Client(2, server)
        add(server.repository, *map(message, range(10)))
        client.add(*map(message, range(5, 12)))
        return server, client

    server, client = sites()
    getattr(client, way)()
    total = client.traffic.received + client.traffic.sent
    everything = keys(server.repository) | keys(client.repository)
    statuses: set[int] = set()
    for limit in range(total):
        server, client = sites()
        mine, theirs = keys(client.repository), keys(server.repository)
        server.wrap = lambda channel, limit=limit: CutChannel(  # type: ignore[misc]
            channel, receive_limit=limit, send_limit=limit
        )
        try:
            getattr(client, way)()
        except MsglogError as error:
            statuses.add(error.exit_status)
        assert mine <= keys(client.repository) <= everything
        assert theirs <= keys(server.repository) <= everything
        server.wrap = lambda channel: channel
        client.pull()
        client.push()
        assert keys(client.repository) == keys(server.repository) == everything
    assert statuses <= {4, 5}


def test_the_tracking_ref_never_claims_more_than_was_acknowledged() -> None:
    server = Server()
    ann = Client(1, server)
    ann.add(*map(message, range(9000)))
    server.wrap = lambda channel: CutChannel(channel, send_limit=100)
    with pytest.raises(ChannelError):
        ann.push()
    assert ann.tracking().known().root == EMPTY_ROOT


@dataclass
class DeadChannel:
    """A channel whose connection has ended behind so much that has arrived already."""

    inner: Channel
    error: ChannelError
    tries: int = 0

    def send(self, _data: bytes) -> None:
        self.tries += 1
        raise self.error

    def receive(self) -> bytes:
        return self.inner.receive()

    def close(self) -> None:
        self.inner.close()

    def diagnosis(self) -> str:
        return ""


def test_what_arrived_is_taken_although_it_cannot_be_acknowledged_any_more() -> None:
    server, channels = Server(), list[DeadChannel]()
    add(server.repository, *map(message, range(9000)))
    bob = Client(2, server)

    def wrap(channel: Channel) -> Channel:
        channels.append(DeadChannel(channel, ChannelError("the connection was lost")))
        return channels[-1]

    server.wrap = wrap
    assert bob.pull().messages == 9000
    assert keys(bob.repository) == keys(server.repository)
    assert [channel.tries for channel in channels] == [1]


def test_who_takes_no_acknowledgements_for_too_long_is_left() -> None:
    server = Server()
    add(server.repository, *map(message, range(9000)))
    bob = Client(2, server)
    server.wrap = lambda channel: DeadChannel(channel, SilenceError(1.0))
    with pytest.raises(SilenceError):
        bob.pull()


def test_what_could_not_be_acknowledged_does_not_travel_again() -> None:
    """The server knows of an early checkpoint only, which must not be where the rest begins."""
    server = Server()
    add(server.repository, *map(message, range(30_000)))
    whole = Client(1, server)
    whole.pull()
    size = whole.traffic.received
    bob = Client(2, server)
    server.wrap = lambda channel: CutChannel(channel, receive_limit=size * 9 // 10, send_limit=80)
    with pytest.raises(ChannelError):
        bob.pull()
    reached = bob.repository.log("main").count
    assert reached >= 20_000
    agreed = server.repository.store.agreed(f"user:{bob.rights.user}", "main", FIRST_KEY)
    assert len(agreed) == 1
    server.wrap = lambda channel: channel
    got = bob.pull()
    assert got.messages == 30_000 - reached
    assert bob.traffic.received < size * (30_000 - reached) / 30_000 + 20_000

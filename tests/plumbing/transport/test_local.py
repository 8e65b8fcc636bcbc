"""The channel to a service in this process."""

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.wire.encoder import encode_event
from msglog.wire.events import Batch, End, Fetch, ListRefs, Push, Transfer
from plumbing.service import Service
from plumbing.transport.channel import ChannelError
from plumbing.transport.local import LocalChannel
from tests.msglog.wire.samples import content_of
from tests.plumbing.peers import Client, Rights, Server, add, message


def test_closing_finishes_what_was_sent_to_be_written() -> None:
    source, server = Client(1, Server()), Server()
    source.add(message(1))
    root = source.repository.log("main").root
    channel = LocalChannel(server.service(Rights("ann")))
    channel.send(encode_event(Transfer("main", EMPTY_ROOT, root)))
    channel.send(encode_event(Batch(1, 1, root, content_of(message(1)))))
    channel.send(encode_event(End()))
    channel.close()
    assert server.repository.log("main").root == root


def test_closing_does_not_wait_for_what_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    add(server.repository, *map(message, range(10_000)))
    channel = LocalChannel(server.service(Rights("ann")))
    for request in (Fetch("main"), ListRefs(), Push("main")):
        channel.send(encode_event(request))
    assert channel.receive()  # the greeting
    assert channel.receive()  # the head of the transfer
    said: list[bytes] = []
    output = Service.output

    def record(self: Service) -> bytes | None:
        chunk = output(self)
        said.append(chunk or b"")
        return chunk

    monkeypatch.setattr(Service, "output", record)
    channel.close()
    assert said == [b""]


def test_a_closed_channel_is_closed() -> None:
    freed: list[int] = []
    channel = LocalChannel(Server().service(Rights("ann")), close=lambda: freed.append(1))
    channel.close()
    channel.close()
    assert freed == [1]
    assert channel.receive() == b""
    assert channel.diagnosis() == ""
    with pytest.raises(ChannelError):
        channel.send(b"0000")

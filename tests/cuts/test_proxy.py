"""The proxy does to a connection what its fault says, and tells what has passed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.cuts.fault import DOWN, UP, Fault
from tests.cuts.proxy import FaultProxy

Ends = tuple[FaultProxy, socket.socket, socket.socket]
SECONDS = 20.0


def link(listener: socket.socket, fault: Fault) -> Iterator[Ends]:
    with FaultProxy(listener.getsockname()[1]) as proxy:
        proxy.begin(fault)
        client = socket.create_connection(("127.0.0.1", proxy.port), SECONDS)
        server, _ = listener.accept()
        server.settimeout(SECONDS)
        with client, server:
            yield proxy, client, server


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(SECONDS)
        yield from link(listener, Fault.parse(request.param))


def read(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := source.recv(size - len(data))):
        data += more
    return data


@pytest.mark.parametrize("ends", ["fin:up:3:0:1"], indirect=True)
def test_an_end_in_order(ends: Ends) -> None:
    proxy, client, server = ends
    client.sendall(b"abcdef")
    assert read(server, 6) == b"abc"
    assert client.recv(1) == b""
    assert proxy.reached


@pytest.mark.parametrize("ends", ["rst:down:0:0:1"], indirect=True)
def test_a_reset(ends: Ends) -> None:
    _, client, server = ends
    server.sendall(b"abcdef")
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)


@pytest.mark.parametrize("ends", ["half:up:3:0:1", "stall:up:3:0:1"], indirect=True)
def test_the_other_direction_lives(ends: Ends) -> None:
    proxy, client, server = ends
    client.sendall(b"abcdef")
    assert read(server, 3) == b"abc"
    if proxy.fault.kind == "half":
        assert server.recv(1) == b""
    server.sendall(b"answer")
    assert read(client, 6) == b"answer"
    if proxy.fault.kind == "stall":
        # Silence until whoever fell silent has left.
        client.close()
        assert server.recv(1) == b""


@pytest.mark.parametrize("ends", ["flip:down:1:0:1", "none:up:0:0:1"], indirect=True)
def test_what_passes(ends: Ends) -> None:
    proxy, client, server = ends
    client.sendall(b"abc")
    assert read(server, 3) == b"abc"
    server.sendall(b"abcd")
    assert read(client, 4) == (b"accd" if proxy.fault.kind == "flip" else b"abcd")
    assert (proxy.passed(UP), proxy.passed(DOWN)) == (3, 4)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""

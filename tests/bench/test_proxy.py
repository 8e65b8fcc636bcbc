"""The delaying proxy: when chunks leave, and that bytes arrive as they were."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.proxy import DelayingProxy, Flow

SECONDS = 30.0


def test_a_chunk_leaves_after_the_delay() -> None:
    flow = Flow(0.05, 0.0)
    assert [flow.due(1.0), flow.due(1.01)] == [1.05, 1.06]


def test_nothing_counts_as_sent_before_the_connection_is_made() -> None:
    flow = Flow(0.05, 2.0)
    assert [flow.due(1.0), flow.due(1.9), flow.due(3.0)] == [2.05, 2.05, 3.05]


@given(st.lists(st.floats(0, 100)), st.floats(0, 1), st.floats(0, 10))
def test_chunks_never_overtake(moments: list[float], delay: float, opened: float) -> None:
    flow = Flow(delay, opened)
    due = [flow.due(moment) for moment in moments]
    assert due == sorted(due)
    assert all(leaves >= came + delay for came, leaves in zip(moments, due, strict=True))


@contextmanager
def echo() -> Iterator[int]:
    """A server that sends back what it is sent, and ends when the client does."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(SECONDS)


def test_bytes_arrive_as_they_were_and_are_counted() -> None:
    data = bytes(range(256)) * 4096
    with echo() as port, DelayingProxy(port, 0.002) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as client:

            def send() -> None:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            received = bytearray()
            while part := client.recv(1 << 16):
                received += part
            sender.join(SECONDS)
        assert bytes(received) == data
        assert (proxy.traffic.sent, proxy.traffic.received) == (len(data), len(data))


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        DelayingProxy(port, 0.0) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as client,
    ):
        assert client.recv(1) == b""

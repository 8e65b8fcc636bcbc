"""Peers that are a version older or newer: understood, or refused in one line."""

from collections.abc import Callable, Iterable

import pytest

from msglog.errors import RemoteError
from msglog.wire.encoder import encode_event
from msglog.wire.events import Event, Greeting, PeerError
from plumbing.transport.channel import Channel
from tests.hostile.liars import Tampering
from tests.plumbing.peers import Client, Rights, Server, keys, message

Change = Callable[[Event, int], Iterable[Event | bytes]]


def packet(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def greeted(edit: Callable[[bytes], bytes]) -> Client:
    """Return a client of a server whose greeting is another."""

    def change(event: Event, _: int) -> Iterable[Event | bytes]:
        yield edit(encode_event(event)) if isinstance(event, Greeting) else event

    def wrap(channel: Channel) -> Channel:
        return Tampering(channel, change)

    server = Server()
    server.wrap = wrap
    client = Client(1, server)
    client.add(message(1))
    return client


@pytest.mark.parametrize("version", ["0", "2", "3", "10", "1.1", "01", "-1", "x", ""])
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_another_version_of_the_protocol_is_refused_in_one_line(version: str, verb: str) -> None:
    words = packet(f"msglog {version}")
    client = greeted(lambda said: said.replace(packet("msglog 1"), words))
    with pytest.raises(RemoteError) as caught:
        getattr(client, verb)()
    assert caught.value.exit_status == 4
    assert f"version {version!r}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert keys(client.server.repository) == set()


@pytest.mark.parametrize("later", ["shiny=1", "limits=a b c", "later-requests=2x"], ids=str)
def test_what_a_newer_server_says_of_itself_besides_is_passed_over(later: str) -> None:
    client = greeted(lambda said: said[: -len(b"0000")] + packet(later) + b"0000")
    client.push()
    client.pull()
    assert keys(client.repository) == keys(client.server.repository) != set()


def test_a_server_that_names_things_by_another_digest_is_refused() -> None:
    words = packet("object-format=sha512")
    client = greeted(lambda said: said.replace(packet("object-format=sha256"), words))
    with pytest.raises(RemoteError) as caught:
        client.pull()
    assert caught.value.exit_status == 4
    assert len(str(caught.value).splitlines()) == 1


def test_a_code_of_a_newer_server_is_shown_by_its_text() -> None:
    client = greeted(lambda said: said + encode_event(PeerError("eclipse", "the moon is away")))
    with pytest.raises(RemoteError, match="the moon is away") as caught:
        client.pull()
    assert caught.value.exit_status == 4


@pytest.mark.parametrize("request_of_later", ["shine", "fetch2 log=main", "fetch"])
def test_a_request_of_a_newer_client_is_answered_by_an_error(request_of_later: str) -> None:
    server = Server()
    service = server.service(Rights("ann"))
    greeting = service.output()
    assert greeting
    service.receive(packet(request_of_later) + packet("glitter=1") + b"0000")
    said = service.output()
    assert said
    assert b"error" in said
    assert b"\n" not in said
    assert service.failed

"""Carrying bytes between a service and its client."""

import os
import socket

import pytest

from msglog.wire.encoder import encode_event
from msglog.wire.events import AdvertisedRef, Greeting, ListRefs
from msglog.wire.pktline import FramingError
from msglog.wire.reader import EventReader
from plumbing.conversation import converse
from plumbing.heartbeat import Heartbeat
from plumbing.transport.patience import Patience
from plumbing.transport.pipe import PipeChannel
from tests.plumbing.peers import Rights, Server


def talk(said: bytes) -> bytes:
    """Say something to a server, close, and return all that it answers."""
    ours, theirs = socket.socketpair()
    ours.sendall(said)
    ours.shutdown(socket.SHUT_WR)
    descriptor = theirs.detach()
    patience = Patience(60)
    channel = PipeChannel(descriptor, os.dup(descriptor), patience=patience)
    heard = b""
    with ours:
        try:
            converse(Server().service(Rights("ann")), channel, patience, Heartbeat(descriptor, b""))
        finally:
            channel.close()
            while data := ours.recv(65536):
                heard += data
    return heard


def test_all_that_is_asked_is_answered_before_the_end() -> None:
    events = list(EventReader().receive(talk(encode_event(ListRefs()))))
    assert [type(event) for event in events[:2]] == [Greeting, AdvertisedRef]


def test_an_end_in_mid_sentence_is_said() -> None:
    with pytest.raises(FramingError, match="it was cut"):
        talk(encode_event(ListRefs())[:-4])

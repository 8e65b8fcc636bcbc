"""A server with a client that watches: what it tells, when, and how it waits."""

import os
import socket
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from msglog.account.role import Role
from msglog.index.node import EMPTY_ROOT
from msglog.store.store import StoreError
from msglog.wire.connection import Connection, Side
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    AdvertisedRef,
    End,
    Event,
    Fetch,
    Gone,
    Greeting,
    PeerError,
    Transfer,
    Watch,
)
from plumbing.conversation import converse
from plumbing.heartbeat import Heartbeat
from plumbing.lookout import attend
from plumbing.service import WATCH_SECONDS, Service
from plumbing.transport.patience import Patience
from plumbing.transport.pipe import PipeChannel
from tests.plumbing.peers import Rights, Server, add, message


class Talk:
    """A client that says what it likes to a service in memory."""

    def __init__(self, server: Server, rights: Rights | None = None) -> None:
        self.server = server
        self.rights = rights or Rights("ann")
        self.service: Service = server.service(self.rights)
        self.connection = Connection(Side.CLIENT)
        assert isinstance(self.heard()[0], Greeting)

    def say(self, *events: Event) -> list[Event]:
        for event in events:
            self.service.receive(self.connection.send(event))
        return self.heard()

    def heard(self) -> list[Event]:
        """What the service has to say now."""
        events: list[Event] = []
        while (data := self.service.output()) is not None:
            events += self.connection.receive(data)
        return events

    def look(self, *, at_last: bool = False) -> list[Event]:
        self.service.look(at_last=at_last)
        return self.heard()


@pytest.fixture
def server() -> Server:
    server = Server()
    for log in ("beamline/one", "lab"):
        server.repository.create_log(log, time=0)
    return server


@pytest.fixture
def talk(server: Server) -> Iterator[Talk]:
    talk = Talk(server)
    yield talk
    talk.service.close()


def state(server: Server, log: str) -> AdvertisedRef:
    found = server.repository.log(log)
    return AdvertisedRef(log, found.root, found.count)


def test_the_first_answer_has_all_logs_and_the_next_only_what_has_changed(
    server: Server, talk: Talk
) -> None:
    logs = ("beamline/one", "lab", "main")
    assert talk.say(Watch()) == [*[state(server, log) for log in logs], End()]
    assert talk.say(Watch()) == []
    assert talk.service.lookout is not None
    assert talk.look() == []
    add(server.repository, message(1), log="lab")
    assert talk.look() == [state(server, "lab"), End()]
    assert talk.service.lookout is None


def test_what_changes_between_two_requests_is_told_at_once(server: Server, talk: Talk) -> None:
    talk.say(Watch())
    add(server.repository, message(1), log="lab")
    server.repository.create_log("more", time=0)
    server.repository.delete_log("beamline/one", time=0)
    told = [Gone("beamline/one"), state(server, "lab"), state(server, "more"), End()]
    assert talk.say(Watch()) == told
    assert talk.say(Watch()) == []


def test_patterns_choose_logs(server: Server, talk: Talk) -> None:
    told = [state(server, "beamline/one"), state(server, "lab"), End()]
    patterns = ("beamline/*", "lab", "none")
    assert talk.say(Watch(patterns)) == told
    talk.say(Watch(patterns))
    add(server.repository, message(1), log="main")
    assert talk.look() == []
    server.repository.create_log("beamline/two", time=0)
    assert talk.look() == [state(server, "beamline/two"), End()]


def test_other_patterns_begin_anew(server: Server, talk: Talk) -> None:
    assert talk.say(Watch(("lab",))) == [state(server, "lab"), End()]
    told = [state(server, "lab"), state(server, "main"), End()]
    assert talk.say(Watch(("lab", "main"))) == told


def test_a_list_without_a_log_is_an_answer_too(talk: Talk) -> None:
    assert talk.say(Watch(("none",))) == [End()]


def test_a_wait_ends_without_news(talk: Talk) -> None:
    talk.say(Watch())
    talk.say(Watch())
    assert talk.look(at_last=True) == [End()]
    assert talk.say(Watch()) == []


def test_another_request_ends_the_wait(server: Server, talk: Talk) -> None:
    talk.say(Watch())
    talk.say(Watch())
    answers = talk.say(Fetch("lab"))
    assert answers == [End(), Transfer("lab", EMPTY_ROOT, EMPTY_ROOT, 0), End()]
    talk.say(Watch())
    add(server.repository, message(1), log="lab")
    assert talk.say(Fetch("lab"))[:2] == [state(server, "lab"), End()]


def test_what_a_session_writes_itself_is_told_too(
    server: Server, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store need not tell a connection what that connection has written."""
    monkeypatch.setattr("msglog.store.memory_notice.MemoryNotice.changed", lambda _: False)
    talk.say(Watch())
    add(server.repository, message(1), log="lab")
    assert talk.say(Watch()) == [state(server, "lab"), End()]


def test_whoever_may_not_read_is_told_nothing(server: Server) -> None:
    talk = Talk(server, Rights("ann", Role.APPEND))
    assert talk.say(Watch()) == [End()]
    talk.say(Watch())
    add(server.repository, message(1), log="lab")
    assert talk.look() == []
    talk.service.close()


def test_rights_that_are_taken_end_the_wait(talk: Talk) -> None:
    talk.say(Watch())
    talk.say(Watch())
    talk.rights.revoked = True
    assert talk.look() == [PeerError("not-authorised", "not authorised")]
    assert talk.service.lookout is None
    assert talk.say(Watch()) == [PeerError("not-authorised", "not authorised")]


def test_a_store_that_is_gone_ends_the_wait(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    talk.say(Watch())
    talk.say(Watch())
    lookout = talk.service.lookout
    assert lookout is not None

    def gone() -> bool:
        raise StoreError("store.db is gone")

    monkeypatch.setattr(lookout.notice, "changed", gone)
    (answer,) = talk.look()
    assert isinstance(answer, PeerError)
    assert answer.code == "storage"


def test_attending_ends_at_the_deadline_and_wakes_for_news(server: Server, talk: Talk) -> None:
    now = 0.0

    def clock() -> float:
        return now

    talk.say(Watch())
    talk.say(Watch())
    lookout = talk.service.lookout
    assert lookout is not None
    add(server.repository, message(1), log="lab")
    assert not attend(talk.service, None, clock)
    assert talk.heard() == [state(server, "lab"), End()]
    talk.say(Watch())
    lookout.deadline = None
    waits: list[float] = []

    def wait(_descriptor: int, seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += 20

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plumbing.lookout._wait", wait)
        assert not attend(talk.service, None, clock)
        assert talk.heard() == []
        assert not attend(talk.service, None, clock)
        assert talk.heard() == [End()]
    assert waits == [WATCH_SECONDS, WATCH_SECONDS - 20]


def test_who_trickles_is_answered_in_time_too(talk: Talk) -> None:
    now = 0.0

    class Trickling:
        def wait_for_peer(self, _seconds: float, _other: int) -> bool:
            nonlocal now
            now += 1
            return True

    talk.say(Watch())
    talk.say(Watch())
    channel = cast("PipeChannel", Trickling())
    while talk.service.lookout is not None:
        assert attend(talk.service, channel, lambda: now)
        if talk.heard():
            break
    assert now == WATCH_SECONDS
    assert talk.service.lookout is None


def over_a_socket(server: Server, rights: Rights) -> tuple[socket.socket, threading.Thread]:
    """A server as it runs under sshd, in a thread."""
    ours, theirs = socket.socketpair()
    descriptor = theirs.detach()
    patience = Patience(60)
    channel = PipeChannel(descriptor, os.dup(descriptor), patience=patience)
    service = server.service(rights)

    def serve() -> None:
        try:
            converse(service, channel, patience, Heartbeat(descriptor, b""))
        finally:
            channel.close()
            service.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return ours, thread


def read(ours: socket.socket, connection: Connection, until: type[Event]) -> list[Event]:
    events: list[Event] = []
    while not events or not isinstance(events[-1], until):
        data = ours.recv(65536)
        assert data
        events += connection.receive(data)
    return events


def test_a_waiting_server_wakes_for_news_for_a_request_and_for_the_end(server: Server) -> None:
    ours, thread = over_a_socket(server, Rights("ann"))
    connection = Connection(Side.CLIENT)
    with ours:
        read(ours, connection, Greeting)
        ours.sendall(connection.send(Watch()))
        assert len(read(ours, connection, End)) == 4
        ours.sendall(connection.send(Watch()))
        add(server.repository, message(1))
        assert read(ours, connection, End) == [state(server, "main"), End()]
        ours.sendall(connection.send(Watch()))
        ours.sendall(connection.send(Fetch("lab")))
        assert read(ours, connection, End)[0] == End()
        ours.sendall(encode_event(Watch()))
        ours.shutdown(socket.SHUT_WR)
        while ours.recv(65536):
            pass
    thread.join()
    assert server.repository.store._notices == []  # type: ignore[attr-defined]


def test_nobody_waits_who_did_not_ask(talk: Talk) -> None:
    assert talk.service.lookout is None
    with pytest.raises(AssertionError):
        attend(talk.service, None)


def test_logs_are_told_in_the_order_of_their_names(server: Server, talk: Talk) -> None:
    talk.say(Watch())
    for log in ("a", "z", "c/d"):
        server.repository.create_log(log, time=0)
    server.repository.delete_log("lab", time=0)
    told = talk.say(Watch())[:-1]
    assert [one.log for one in told if isinstance(one, AdvertisedRef | Gone)] == [
        "a",
        "c/d",
        "lab",
        "z",
    ]

"""A server that lies to those who watch: they notice, and show nothing that is not a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from msglog.errors import IntegrityError, RemoteError
from msglog.index.node import EMPTY_ROOT
from msglog.objectid import ObjectId
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    AdvertisedRef,
    Base,
    Batch,
    End,
    Event,
    Gone,
    Greeting,
    NodeData,
    PeerError,
    Transfer,
)
from plumbing.news import CannotWatchError
from plumbing.session import Session
from plumbing.watched_logs import WatchedLogs
from plumbing.watching import RemoteWatch
from tests.hostile.liars import Script
from tests.msglog.wire.samples import content_of
from tests.plumbing.peers import Server, add, message
from tests.plumbing.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Server:
    return Server()


def said(events: list[Event]) -> Script:
    """A server that says these events, whatever it is asked."""
    return Script(map(encode_event, events))


def test_an_older_server_is_told_apart(server: Server) -> None:
    session = Session(lambda _: said([Greeting("m", bytes(16), "ann", "read")]))
    for watch in (RemoteWatch(WatchedLogs()), Viewer(server, pull=True).watch):
        with pytest.raises(CannotWatchError, match="is older and cannot watch") as caught:
            watch.begin(session)
        assert caught.value.exit_status == 4


class Liar:
    """A server whose words are changed before they are read."""

    def __init__(self, server: Server, change: Callable[[Event], list[Event]]) -> None:
        self.change = change
        self.viewer = Viewer(server)
        self.honest = True
        self.held: list[Event] = []
        session = self.viewer.client.session()
        self.viewer.session = session
        self.viewer.watch.begin(session)
        inner = session.next

        def next_event() -> Event:
            if self.held:
                return self.held.pop(0)
            event = inner()
            if self.honest:
                return event
            self.held = self.change(event)
            return self.held.pop(0)

        session.next = next_event  # type: ignore[method-assign]


def forged(event: Event) -> Iterator[tuple[str, list[Event]]]:
    other = message(150)
    match event:
        case Transfer():
            for root in (ObjectId(bytes(32)), EMPTY_ROOT):
                yield "base", [Transfer(event.log, root, event.root, event.count)]
            yield "log", [Transfer("other", event.base, event.root, event.count)]
            yield "no count", [Transfer(event.log, event.base, event.root)]
            for count in (0, 3, 10**9):
                yield "count", [Transfer(event.log, event.base, event.root, count)]
            yield "none", [Base(event.log, None)]
        case Batch():
            yield "twice", [event, event]
            yield "empty", [End()]
            more = Batch(2, 1, event.root, content_of(other))
            yield "more", [event, more]
            yield "other", [Batch(1, 2, event.root, content_of(other))]
            broken = event.content[:-1] + b"?"
            yield "broken", [Batch(1, event.messages, event.root, broken)]


LIES = [
    (kind, name, position)
    for kind, example in (
        (Transfer, Transfer("main", EMPTY_ROOT, EMPTY_ROOT, 0)),
        (Batch, Batch(1, 1, EMPTY_ROOT, content_of(message(1)))),
    )
    for position, (name, _) in enumerate(forged(example))
]


@pytest.mark.parametrize(("kind", "name", "position"), LIES)
def test_a_lie_is_noticed_and_shows_nothing_that_is_not_a_message(
    server: Server, kind: type[Event], name: str, position: int
) -> None:
    add(server.repository, message(1), message(2))

    def change(event: Event) -> list[Event]:
        return list(forged(event))[position][1] if isinstance(event, kind) else [event]

    liar = Liar(server, change)
    liar.viewer.look()
    add(server.repository, message(3), message(4))
    liar.honest = False
    with pytest.raises((IntegrityError, RemoteError)) as caught:
        liar.viewer.look()
    assert caught.value.exit_status in (4, 5), name
    shown = liar.viewer.shown.get("main", [])
    assert len(shown) == len(set(shown))


def test_what_is_told_of_logs_that_nobody_watches_is_passed_over(server: Server) -> None:
    viewer = Viewer(server, "main")
    told: list[Event] = [
        Greeting("m", bytes(16), "ann", "read", 0, 30),
        AdvertisedRef("lab", ObjectId(bytes(32)), 7),
        AdvertisedRef("main", EMPTY_ROOT, 0),
        End(),
        Gone("lab"),
        Gone("never"),
        End(),
        PeerError("storage", "the disk is full"),
    ]
    session = Session(lambda _: said(told))
    viewer.watch.begin(session)
    assert list(viewer.watch.news(session)) == []
    assert list(viewer.watch.news(session)) == []
    with pytest.raises(RemoteError, match="the disk is full"):
        list(viewer.watch.news(session))


@pytest.mark.parametrize("answers", [[], [b"\x85\x01\x00\x40\x01\x80"], [b"x"], [b"x", b"y"]])
def test_false_nodes_are_refused_where_the_newest_are_looked_for(answers: list[bytes]) -> None:
    told: list[Event] = [
        Greeting("m", bytes(16), "ann", "read", 0, 30),
        AdvertisedRef("main", ObjectId(bytes(32)), 7),
        End(),
        *map(NodeData, answers),
        End(),
    ]
    session = Session(lambda _: said(told))
    watch = RemoteWatch(WatchedLogs(), newest=3)
    watch.begin(session)
    with pytest.raises((IntegrityError, RemoteError)):
        list(watch.news(session))

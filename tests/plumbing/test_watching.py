"""Watching a remote: each message is shown once, whatever is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msglog.account.role import Role
from msglog.key import FIRST_KEY
from msglog.message import object_key
from msglog.store.collection import Retention
from msglog.timestamp import DAY
from msglog.wire.events import Event, GetNodes
from plumbing import outgoing, shown_log
from plumbing.news import Arrived, NothingLeftError
from plumbing.session import RemoteRefusedError, UnknownRemoteLogError
from plumbing.shown_log import LostTrackError
from tests.plumbing.peers import (
    Client,
    Rights,
    Server,
    add,
    backup,
    forget_log,
    make_repository,
    message,
)
from tests.plumbing.viewer import Scissors, Viewer, numbers

if TYPE_CHECKING:
    from msglog.key import Key


@pytest.fixture
def server() -> Server:
    return Server()


KINDS = pytest.mark.parametrize("pull", [False, True], ids=["remote", "pull"])


@KINDS
def test_only_what_comes_after_the_beginning_is_shown(server: Server, pull: bool) -> None:  # noqa: FBT001
    add(server.repository, message(1), message(2))
    viewer = Viewer(server, pull=pull)
    assert viewer.look() == []
    viewer.events = [
        lambda: add(server.repository, message(3)),
        lambda: add(server.repository, message(4), message(5)),
    ]
    viewer.look_until_quiet()
    assert numbers(viewer) == [3, 4, 5]
    viewer.close()


@KINDS
@pytest.mark.parametrize("newest", [1, 2, 64, 65, 99, 100, 1000])
def test_it_begins_with_the_newest_that_were_asked_for(
    server: Server,
    newest: int,
    pull: bool,  # noqa: FBT001
) -> None:
    add(server.repository, *map(message, range(100)))
    viewer = Viewer(server, newest=newest, pull=pull)
    viewer.look_until_quiet()
    add(server.repository, message(100))
    viewer.look_until_quiet()
    assert numbers(viewer) == list(range(max(100 - newest, 0), 101))
    viewer.close()


def test_the_newest_of_many_at_one_instant(server: Server) -> None:
    objects = sorted([message(number, time=7) for number in range(300)], key=object_key)
    add(server.repository, *objects)
    viewer = Viewer(server, newest=130)
    viewer.look()
    assert viewer.shown["main"] == [object_key(data) for data in objects[-130:]]


@KINDS
def test_new_logs_are_shown_from_their_beginning_and_gone_ones_named(
    server: Server,
    pull: bool,  # noqa: FBT001
) -> None:
    viewer = Viewer(server, "beamline/*", "main", pull=pull)
    viewer.look()
    server.repository.create_log("beamline/one", time=0)
    add(server.repository, message(1), log="beamline/one")
    server.repository.create_log("other", time=0)
    add(server.repository, message(2), log="other")
    viewer.look_until_quiet()
    assert numbers(viewer, "beamline/one") == [1]
    server.repository.delete_log("beamline/one", time=0)
    viewer.look_until_quiet()
    assert viewer.vanished == ["beamline/one"]
    server.repository.create_log("beamline/two", time=0)
    viewer.close()
    server.repository.delete_log("beamline/two", time=0)
    add(server.repository, message(3))
    viewer.look_until_quiet()
    assert set(viewer.shown) == {"beamline/one", "main"}
    assert numbers(viewer) == [3]
    assert viewer.vanished == ["beamline/one"]
    viewer.close()


def test_a_log_that_was_deleted_while_nobody_was_connected_is_named(server: Server) -> None:
    server.repository.create_log("lab", time=0)
    viewer = Viewer(server)
    viewer.look()
    viewer.close()
    server.repository.delete_log("lab", time=0)
    viewer.look_until_quiet()
    assert viewer.vanished == ["lab"]


@KINDS
def test_a_renamed_log_goes_on_under_its_new_name(server: Server, pull: bool) -> None:  # noqa: FBT001
    server.repository.create_log("lab", time=0)
    add(server.repository, message(1), message(2), log="lab")
    viewer = Viewer(server, pull=pull)
    viewer.look()
    server.repository.rename_log("lab", "workshop", time=0)
    add(server.repository, message(3), log="workshop")
    viewer.look_until_quiet()
    assert viewer.vanished == ["lab"]
    assert numbers(viewer, "workshop") == [3]
    server.repository.rename_log("workshop", "shed", time=0)
    viewer.look_until_quiet()
    assert "shed" not in viewer.shown
    viewer.close()


def test_a_new_log_that_came_in_part_before_a_cut_is_shown_whole(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "BATCH_MESSAGES_LIMIT", 3)
    scissors = Scissors(server)
    viewer = Viewer(server, pull=True)
    viewer.look()
    server.repository.create_log("lab", time=0)
    add(server.repository, *map(message, range(40)), log="lab")
    viewer.close()
    scissors.after = list(range(300, 6000, 100))
    viewer.look_until_quiet()
    assert numbers(viewer, "lab") == list(range(40))
    viewer.close()


def test_what_is_here_already_is_not_new_in_a_log_that_comes_up(server: Server) -> None:
    viewer = Viewer(server, pull=True)
    viewer.look()
    viewer.client.repository.create_log("lab", time=0)
    add(viewer.client.repository, message(1), log="lab")
    server.repository.create_log("lab", time=0)
    add(server.repository, message(2), log="lab")
    viewer.look_until_quiet()
    assert numbers(viewer, "lab") == [2]
    server.repository.delete_log("lab", time=0)
    viewer.look_until_quiet()
    add(viewer.client.repository, message(3), log="lab")
    server.repository.create_log("lab", time=0)
    add(server.repository, message(2), message(4), log="lab")
    viewer.look_until_quiet()
    assert numbers(viewer, "lab") == [2, 3, 4]
    viewer.close()


@KINDS
def test_a_name_that_is_not_there_is_an_error_and_a_pattern_is_not(
    server: Server,
    pull: bool,  # noqa: FBT001
) -> None:
    with pytest.raises(UnknownRemoteLogError):
        Viewer(server, "main", "nowhere", pull=pull).look()
    viewer = Viewer(server, "nowhere*", pull=pull)
    assert viewer.look() == []
    stranger = Viewer(server, "main", pull=pull)
    stranger.client.rights.given = Role.APPEND
    with pytest.raises(RemoteRefusedError):
        stranger.look()


@KINDS
def test_it_ends_when_the_last_log_that_was_named_is_gone(
    server: Server,
    pull: bool,  # noqa: FBT001
) -> None:
    server.repository.create_log("lab", time=0)
    viewer = Viewer(server, "lab", pull=pull)
    viewer.look()
    viewer.events = [lambda: server.repository.delete_log("lab", time=0)]
    with pytest.raises(NothingLeftError):
        viewer.look_until_quiet()
    assert viewer.vanished == ["lab"]


@KINDS
def test_a_right_that_is_taken_is_noticed(server: Server, pull: bool) -> None:  # noqa: FBT001
    viewer = Viewer(server, pull=pull)
    viewer.look()

    def revoke() -> None:
        viewer.client.rights.revoked = True

    viewer.events = [revoke]
    with pytest.raises(RemoteRefusedError):
        viewer.look()


def test_what_one_pushes_oneself_is_shown_too(server: Server) -> None:
    viewer, ann = Viewer(server), Client(1, server)
    viewer.look()
    ann.add(message(1))
    ann.push()
    viewer.look_until_quiet()
    assert numbers(viewer) == [1]


def test_another_repository_in_its_place_ends_it(server: Server) -> None:
    viewer = Viewer(server)
    viewer.look()
    viewer.close()
    server.repository = make_repository(77)
    with pytest.raises(LostTrackError, match="another repository"):
        viewer.look()


def test_a_remote_that_forgot_what_was_shown_ends_it_but_for_who_keeps_it(server: Server) -> None:
    add(server.repository, *map(message, range(3)))
    old = backup(server.repository)
    watching, pulling = Viewer(server), Viewer(server, pull=True)
    for viewer in (watching, pulling):
        server.idle = viewer.idle
        viewer.look()
        add(server.repository, message(3 + viewer.connections))
        viewer.look_until_quiet()
    before = [*numbers(watching), *numbers(pulling)]
    add(server.repository, message(9))
    for viewer in (watching, pulling):
        server.idle = viewer.idle
        viewer.look_until_quiet()
        viewer.close()
    assert [*numbers(watching), *numbers(pulling)][-1] == 9
    assert before
    server.repository.store = old
    add(server.repository, message(20))
    server.idle = watching.idle
    with pytest.raises(LostTrackError, match="restored, or made anew"):
        watching.look()
    server.idle = pulling.idle
    pulling.look_until_quiet()
    assert numbers(pulling)[-1] == 20
    assert len(set(numbers(pulling))) == len(numbers(pulling))


def forget_changes(server: Server) -> None:
    """Remove what the server remembers of its logs but what they are, as gc does one day."""
    now = server.clock()
    server.repository.store.collect(Retention(now + DAY, grace=0, reflog_limit=1))


def test_a_server_that_forgets_changes_keeps_what_was_acknowledged(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_log, "SINCE_LIMIT", 10)
    add(server.repository, *map(message, range(0, 100, 2)))
    viewer = Viewer(server)
    for _ in range(3):
        viewer.look()
    agreed = server.repository.store.agreed("user:user9", "main", FIRST_KEY)
    assert len(agreed) == 1  # an idle moment was used for it
    for numbers_added in ((1, 3, 5), (7, 9), (11,)):
        add(server.repository, *map(message, numbers_added))
        viewer.look_until_quiet()
    assert len(server.repository.store.agreed("user:user9", "main", FIRST_KEY)) == 1
    viewer.close()
    add(server.repository, message(13), message(2, body="another"))
    add(server.repository, message(15))
    forget_changes(server)
    viewer.look_until_quiet()
    shown = viewer.shown["main"]
    assert len(shown) == len(set(shown)) == 9
    assert object_key(message(2, body="another")) in shown
    add(server.repository, *map(message, range(101, 121)))
    viewer.look_until_quiet()
    assert len(server.repository.store.agreed("user:user9", "main", FIRST_KEY)) == 2


def test_an_acknowledgement_that_was_lost_is_not_relied_on(server: Server) -> None:
    add(server.repository, message(1))
    viewer = Viewer(server)
    for _ in range(3):
        viewer.look()
    shown = viewer.watch._shown["main"]  # type: ignore[union-attr]
    anchored = shown.starts()
    add(server.repository, *map(message, range(2, 9)))
    viewer.look()
    shown.hope()  # as if this had been acknowledged, and never arrived
    viewer.close()
    add(server.repository, message(10))
    forget_changes(server)
    viewer.look_until_quiet()
    assert anchored
    assert numbers(viewer) == [*range(2, 9), 10]


def test_a_log_that_is_deleted_while_its_newest_are_looked_for_is_passed_over(
    server: Server,
) -> None:
    server.repository.create_log("lab", time=0)
    add(server.repository, message(1), log="lab")
    add(server.repository, message(2))
    viewer = Viewer(server, newest=1)
    session = viewer.client.session()
    viewer.session = session
    viewer.watch.begin(session)
    send = session.send

    def late(event: Event) -> None:
        if isinstance(event, GetNodes) and event.log == "lab":
            server.repository.delete_log("lab", time=0)
        send(event)

    session.send = late  # type: ignore[method-assign]
    viewer.look_until_quiet()
    assert viewer.shown.keys() == {"main"}
    assert viewer.vanished == ["lab"]


def test_a_log_that_was_emptied_ends_it(server: Server) -> None:
    add(server.repository, message(1))
    viewer = Viewer(server)
    viewer.look()
    viewer.close()
    forget_log(server.repository)
    with pytest.raises(LostTrackError):
        viewer.look()


def test_a_large_burst_comes_in_parts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "BATCH_MESSAGES_LIMIT", 10)
    viewer = Viewer(server)
    viewer.look()
    add(server.repository, *map(message, range(100)))
    seen = viewer.look()
    assert [len(news.keys) for news in seen if isinstance(news, Arrived)] == [10] * 10
    assert numbers(viewer) == list(range(100))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(["main", "lab"]), st.integers(1, 12)),
        st.tuples(st.just("push"), st.sampled_from(["main", "lab"]), st.integers(1, 9)),
        st.tuples(st.just("look"), st.just(""), st.just(0)),
        st.tuples(st.just("cut"), st.just(""), st.integers(0, 6000)),
        st.tuples(st.just("gc"), st.just(""), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)


@KINDS
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, data=st.data())
def test_whatever_is_cut_each_message_is_shown_once(
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[str, str, int]],
    data: st.DataObject,
    pull: bool,  # noqa: FBT001
) -> None:
    """Several writers, with clocks that disagree, and a connection that is cut at any byte."""
    monkeypatch.setattr(outgoing, "BATCH_MESSAGES_LIMIT", 3)
    monkeypatch.setattr(shown_log, "SINCE_LIMIT", 5)
    server = Server()
    server.repository.create_log("lab", time=0)
    for log in ("main", "lab"):
        add(server.repository, *[message(5 * number) for number in range(4)], log=log)
    scissors = Scissors(server)
    writer, viewer = Client(1, server), Viewer(server, pull=pull)
    writer.repository.create_log("lab", time=0)
    for _ in range(4):  # so that it has been idle for a while
        viewer.look()
    expected: dict[str, set[Key]] = {"main": set(), "lab": set()}
    made = iter(range(1000, 2000))

    def objects(count: int) -> list[bytes]:
        return [
            message(next(made), time=data.draw(st.integers(0, 40)) * 1000) for _ in range(count)
        ]

    def change(kind: str, log: str, count: int) -> None:
        new = objects(count)
        expected[log].update(map(object_key, new))
        if kind == "add":
            add(server.repository, *new, log=log)
        else:
            writer.add(*new, log=log)
            after, scissors.after = scissors.after, []
            writer.push(log)
            scissors.after = after

    for kind, log, count in steps:
        if kind == "look":
            viewer.look()
        elif kind == "gc":
            forget_changes(server)
        elif kind == "cut":
            viewer.close()
            scissors.after = [data.draw(st.integers(150, 150 + count)) for _ in range(3)]
        else:
            change(kind, log, count)
    viewer.look_until_quiet()
    for log, keys in expected.items():
        shown = viewer.shown.get(log, [])
        assert len(shown) == len(set(shown))
        assert set(shown) == keys
    viewer.close()


def test_what_waits_is_not_shown_to_who_may_not_read(server: Server) -> None:
    viewer = Viewer(server)
    viewer.client.rights = Rights("ann", Role.APPEND)
    assert viewer.look() == []
    add(server.repository, message(1))
    assert viewer.look() == []

"""The client's side of a session: what it says of remotes that are none, and what it bears."""

from collections.abc import Sequence

import pytest

from msglog.errors import IntegrityError, MsglogError, NotAuthorisedError, RemoteError
from msglog.index.node import EMPTY_ROOT
from msglog.objectid import DamagedObjectError
from msglog.wire.connection import AHEAD_LIMIT
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    AdvertisedRef,
    Batch,
    End,
    Event,
    Fetch,
    Greeting,
    KeepAlive,
    ListRefs,
    PeerError,
    Transfer,
)
from msglog.wire.pktline import encode_packet
from msglog.wire.reader import VersionError
from msglog.wire.request_line import EarlyRequest
from plumbing.fetching import Fetcher
from plumbing.pushing import Pusher, push_request
from plumbing.session import NotMsglogError, Session
from plumbing.tracking import Remote, Tracking
from plumbing.transport.channel import Channel, ChannelError
from tests.hostile.liars import Script
from tests.msglog.wire.samples import ROOT, content_of
from tests.plumbing.peers import Client, Clock, Server, keys, make_repository, message

GREETING = encode_event(Greeting("m", bytes(16), "ann", "write"))


def session(*said: bytes, diagnosis: str = "") -> Session:
    def connect(_: Sequence[str]) -> Channel:
        return Script(said, diagnosis=diagnosis)

    return Session(connect)


@pytest.mark.parametrize(
    "said",
    [
        [b"Welcome to example.org!\n"],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [b"0000"],
        [b"0001"],
        [encode_packet(b"msglog 1"), b"Last login: today"],
        [encode_event(End())],
        [encode_event(Transfer("main", ROOT, ROOT))],
        [encode_packet(b"SSH-2.0-OpenSSH_9.2")],
        [encode_packet(b"# service=git-upload-pack\n")],
    ],
)
def test_what_is_no_greeting_is_said_to_be_no_msglog(said: list[bytes]) -> None:
    with pytest.raises(NotMsglogError) as caught:
        session(*said)
    assert caught.value.exit_status == 4
    assert caught.value.what == "the remote does not speak msglog"


@pytest.mark.parametrize("size", range(len(GREETING)))
def test_a_connection_that_closes_before_the_greeting_is_over_is_none_of_msglogs(
    size: int,
) -> None:
    with pytest.raises(NotMsglogError, match="closed the connection without a greeting"):
        session(GREETING[:size])


def test_what_stands_on_standard_error_is_the_better_reason() -> None:
    with pytest.raises(NotMsglogError, match="bash: msglog: command not found"):
        session(diagnosis="\nbash: msglog: command not found\n")


def test_another_version_and_a_refusal_are_what_they_are() -> None:
    with pytest.raises(VersionError):
        session(encode_packet(b"msglog 3"))
    with pytest.raises(RemoteError, match="no repository"):
        session(encode_event(PeerError("no-such-repository", "no repository 'x'")))


@pytest.mark.parametrize(
    ("code", "status", "hint"),
    [
        ("not-authorised", 3, "administrator"),
        ("no-such-log", 2, "msglog ls-remote"),
        ("no-such-repository", 4, "msglog admin repository add"),
        ("damaged", 5, "msglog verify"),
        ("forged", 5, "msglog verify"),
        ("busy", 4, "Try again"),
        ("storage", 4, "msglog admin doctor"),
        ("internal", 4, "msglog admin doctor"),
        ("protocol", 4, "another version"),
        ("too-much", 4, ""),
        ("of-the-future", 4, ""),
    ],
)
def test_what_a_server_reports_comes_with_what_to_do(code: str, status: int, hint: str) -> None:
    with pytest.raises(MsglogError) as caught:
        session(encode_event(PeerError(code, "it went wrong (somehow).")))
    assert caught.value.exit_status == status
    assert "(it went wrong (somehow))." in str(caught.value)
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


def test_what_is_not_allowed_is_said_once() -> None:
    for text, shown in (
        ("not authorised", "not authorised."),
        ("not authorised to append main", "not authorised (to append main)."),
    ):
        with pytest.raises(NotAuthorisedError) as caught:
            session(encode_event(PeerError("not-authorised", text)))
        assert str(caught.value).startswith(f"{shown} The administrator")


def test_keep_alives_before_the_greeting_are_borne_for_a_while() -> None:
    alive = encode_event(KeepAlive())
    assert session(alive * 20 + GREETING).greeting.user == "ann"
    with pytest.raises(NotMsglogError, match="keep-alives"):
        session(*[alive * 100] * 50)


def test_an_error_that_comes_with_a_batch_does_not_overtake_it() -> None:
    """The batch is kept and acknowledged, then the error is raised, however they were cut."""
    source = Client(1, Server())
    made = source.add(message(1))
    root = source.repository.log("main").root
    events: list[Event] = [
        Transfer("main", EMPTY_ROOT, root, 1),
        Batch(1, 1, root, content_of(message(1))),
        PeerError("damaged", "no more"),
    ]
    repository = make_repository(3)
    said = b"".join(map(encode_event, events))
    with pytest.raises(IntegrityError, match="no more"):
        Fetcher(
            session(GREETING + said),
            Tracking(repository, Remote("origin", bytes(16)), "main", clock=Clock()),
            pull=True,
        ).run()
    assert keys(repository) == set(made)


def test_many_more_requests_than_may_wait_are_all_answered() -> None:
    server = Server()
    ann = Client(1, server)
    logs = [f"log{number}" for number in range(AHEAD_LIMIT + 50)]
    requests = [push_request(ann.tracking(log)) for log in logs]
    one = ann.session(requests)
    for log, request in zip(logs, requests, strict=True):
        assert Pusher(one, ann.tracking(log), early=request).take_answer().log == log
    assert one.list_refs() != []


def two_pushers(ann: Client) -> list[Pusher]:
    ann.repository.create_log("other", time=0)
    ann.server.repository.create_log("other", time=0)
    ann.add(message(1))
    ann.add(message(2), log="other")
    requests = {log: push_request(ann.tracking(log)) for log in ("main", "other")}
    one = ann.session([*requests.values()])
    pushers = [Pusher(one, ann.tracking(log), early=early) for log, early in requests.items()]
    for pusher in pushers:
        pusher.take_answer()
    return pushers


def test_what_was_prepared_meanwhile_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ann = Client(1, Server())
    first, second = two_pushers(ann)
    assert first.run(meanwhile=second.prepare).messages == 1
    with monkeypatch.context() as patch:
        patch.setattr(ann.repository.store, "read_some", None)
        assert second.run().messages == 1
    assert ann.server.repository.log("other").count == 1


def test_what_cannot_be_prepared_does_no_harm_to_what_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = Client(1, Server())
    first, second = two_pushers(ann)

    def prepare() -> None:
        def damaged(*_: object) -> list[bytes]:
            raise DamagedObjectError(ROOT, where="in the store")

        monkeypatch.setattr(ann.repository.store, "read_some", damaged)
        second.prepare()

    assert first.run(meanwhile=prepare).messages == 1
    assert ann.tracking().known().count == 1
    with pytest.raises(DamagedObjectError):
        second.run()


def test_a_list_of_refs_can_be_asked_for_twice() -> None:
    one = Client(1, Server()).session([ListRefs()])
    assert one.listed_refs() == one.list_refs()


def test_a_connection_that_closes_later_is_a_broken_one() -> None:
    for said in (GREETING, GREETING + b"00", GREETING + encode_event(AdvertisedRef("a", ROOT, 1))):
        one = session(said)
        with pytest.raises(ChannelError, match="closed the connection"):
            one.list_refs()


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_requests_that_a_forced_command_drops_are_sent_again(kept: int) -> None:
    server = Server()
    ann = Client(1, server)
    ann.add(message(1))
    full = server.connect(ann.rights)
    request = push_request(ann.tracking())
    requests: list[EarlyRequest] = [ListRefs(), request]
    talk = Session(lambda words: full(words[:kept]), requests)
    assert [ref.log for ref in talk.listed_refs()] == ["main"]
    assert Pusher(talk, ann.tracking(), early=request).run().messages == 1
    talk.close()
    assert keys(server.repository) == keys(ann.repository)


def test_a_server_that_took_more_requests_than_were_made_is_refused() -> None:
    greeting = encode_event(Greeting("m", bytes(16), "ann", "write", 1))
    with pytest.raises(RemoteError, match="not made"):
        session(greeting)


class DeafAfterGreeting(Script):
    """A channel that cannot be written to any more, with some left to read."""

    def send(self, data: bytes) -> None:  # noqa: ARG002 - nobody hears it
        raise ChannelError("the remote closed the connection")


def test_an_error_that_answers_another_request_is_not_why_a_connection_broke() -> None:
    said = [
        GREETING,
        encode_event(Transfer("lab", EMPTY_ROOT, EMPTY_ROOT, 0)),
        encode_event(End()) + encode_event(PeerError("no-such-log", "there is no log 'main'")),
    ]
    early: list[EarlyRequest] = [Fetch("lab"), Fetch("main")]
    conversation = Session(lambda _: DeafAfterGreeting(said), early)
    conversation.expect(Transfer)
    with pytest.raises(ChannelError):
        conversation.send(ListRefs())


def test_an_error_that_ended_the_session_is_why_a_connection_broke() -> None:
    said = [
        GREETING,
        encode_event(Transfer("lab", EMPTY_ROOT, EMPTY_ROOT, 0)),
        encode_event(PeerError("not-authorised", "not authorised any more")),
    ]
    conversation = Session(lambda _: DeafAfterGreeting(said), [Fetch("lab")])
    conversation.expect(Transfer)
    with pytest.raises(NotAuthorisedError):
        conversation.send(ListRefs())

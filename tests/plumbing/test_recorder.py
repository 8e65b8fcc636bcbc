"""What the audit is told of whole sessions between the real client and the real service."""

import pytest

from msglog.account.audit import Act
from msglog.account.database import AccountError
from msglog.account.role import Role
from msglog.errors import NotAuthorisedError
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY
from msglog.wire.events import Batch, Event, Fetch, ListRefs, Push, Transfer, Watch
from plumbing.recorder import EMPTY_PUSHES_LIMIT, SUM_MICROSECONDS, SUMS_LIMIT, Recorder
from plumbing.session import RemoteFailureError, RemoteRefusedError
from tests.plumbing.peers import Client, Clock, Server, message


class Sheet:
    """An Audit in memory, which can be full."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.durable: list[bool] = []
        self.full = False

    def record(self, act: Act, *, durable: bool = False) -> None:
        if self.full:
            raise AccountError("cannot use account.db", why="the disk is full")
        self.acts.append(act)
        self.durable.append(durable)

    @property
    def summary(self) -> list[tuple[str, str, int, str]]:
        return [(act.operation, act.log, act.messages, act.result) for act in self.acts]


@pytest.fixture
def sheet() -> Sheet:
    return Sheet()


@pytest.fixture
def server(sheet: Sheet) -> Server:
    return Server(audit=sheet)


def test_each_operation_has_one_record(server: Server, sheet: Sheet) -> None:
    ann, bob = Client(1, server), Client(2, server)
    data = [message(1), message(2)]
    ann.add(*data)
    ann.push()
    assert sheet.acts == [Act("push", "main", 2, sum(map(len, data)), duration=2)]
    assert sheet.durable == [True]
    bob.pull()
    bob.pull()
    ann.push()
    assert sheet.summary[1:] == [
        ("fetch", "main", 2, "ok"),
        ("fetch", "main", 0, "ok"),
        ("push", "main", 0, "ok"),
    ]
    assert sheet.acts[1].size > sheet.acts[0].size
    assert sheet.durable[1:] == [False] * 3


def test_a_list_and_a_descent_are_recorded(server: Server, sheet: Sheet) -> None:
    ann, bob = Client(1, server), Client(2, server)
    session = bob.session([ListRefs()])
    session.listed_refs()
    session.close()
    assert sheet.summary == [("list", "", 0, "ok")]
    both = [message(number) for number in range(50)]
    ann.add(*both)
    ann.push()
    bob.add(*both[:-1], message(99))
    bob.pull()
    operations = [act.operation for act in sheet.acts]
    assert operations[2:] == ["fetch", "get-nodes", "fetch"]
    assert sheet.acts[3].size > 0


def test_a_batch_is_recorded_before_it_is_acknowledged(server: Server, sheet: Sheet) -> None:
    ann = Client(1, server)
    ann.add(message(1))
    sheet.full = True
    with pytest.raises(RemoteFailureError):
        ann.push()
    assert ann.repository.store.agreed(ann.tracking().remote.peer, "main", FIRST_KEY) == []
    sheet.full = False
    ann.push()  # what is stored already is not sent again
    assert [act.operation for act in sheet.acts] == ["push"]


def test_a_refusal_is_recorded_at_once(server: Server, sheet: Sheet) -> None:
    reader, instrument = Client(1, server, Role.READ), Client(2, server, Role.APPEND)
    reader.add(message(1))
    with pytest.raises(NotAuthorisedError):
        reader.push()
    with pytest.raises(RemoteRefusedError):
        instrument.pull()
    assert sheet.summary == [
        ("push", "main", 0, "not-authorised"),
        ("fetch", "main", 0, "not-authorised"),
    ]


def test_a_revoked_users_batch_is_recorded_as_refused(server: Server, sheet: Sheet) -> None:
    ann = Client(1, server)
    ann.add(message(1))
    ann.rights.revoked = True
    with pytest.raises(NotAuthorisedError):
        ann.push()
    assert sheet.summary == [("push", "main", 0, "not-authorised")]


def test_refused_messages_are_counted(server: Server, sheet: Sheet) -> None:
    server.policy = lambda item: ("odd", "odd") if item.content.uuid[-1] & 1 else None
    ann = Client(1, server)
    ann.add(*map(message, range(5)))
    ann.push()
    (act,) = sheet.acts
    assert (act.messages, act.refused, act.result) == (3, 2, "refused")


def test_what_a_client_did_not_wait_for_is_recorded(server: Server, sheet: Sheet) -> None:
    ann = Client(1, server)
    ann.add(*map(message, range(5)))
    ann.push()
    service = server.service(ann.rights, [Fetch("main")])
    service.output()  # the greeting
    service.output()  # the head of the transfer
    service.output()  # its only batch
    service.close()
    assert sheet.summary[1:] == [("fetch", "main", 5, "cut")]


def test_what_a_watcher_fetches_is_summed_up(sheet: Sheet) -> None:
    clock = Clock()
    recorder = Recorder(sheet, clock)

    def act(event: Event, messages: int = 0) -> None:
        recorder.begin(event)
        if messages:
            recorder.sent(messages, 100 * messages)
        recorder.over()

    for _ in range(3):
        act(Watch())
        act(Fetch("main"), 2)
        act(Fetch("lab"), 1)
    assert sheet.summary == [("watch", "", 0, "ok")]
    clock.now += SUM_MICROSECONDS
    act(Fetch("main"), 1)
    assert sheet.summary[1:] == [("fetch", "main", 7, "ok"), ("fetch", "lab", 3, "ok")]
    act(Fetch("lab"), 5)
    recorder.begin(Watch())
    recorder.close()
    assert sheet.summary[3:] == [("fetch", "lab", 5, "ok")]
    assert [act.size for act in sheet.acts] == [0, 700, 300, 500]


def test_a_session_that_comes_back_for_nothing_has_no_record_for_each_time(sheet: Sheet) -> None:
    clock = Clock()
    recorder = Recorder(sheet, clock)

    def round_of(messages: int = 0) -> None:
        for event in (ListRefs(), Fetch("main")):
            recorder.begin(event)
            if messages and isinstance(event, Fetch):
                recorder.sent(messages, 100 * messages)
            recorder.over()

    round_of(3)
    assert sheet.summary == [("list", "", 0, "ok"), ("fetch", "main", 3, "ok")]
    round_of()
    assert sheet.summary[2:] == [("fetch", "main", 0, "ok")]
    for _ in range(100):
        round_of()
    round_of(2)
    assert sheet.summary[3:] == [("fetch", "main", 2, "ok")]
    clock.now += SUM_MICROSECONDS
    round_of()
    assert sheet.summary[4:] == [("list", "", 0, "ok"), ("fetch", "main", 0, "ok")]
    recorder.close()
    assert sheet.summary[6:] == [("fetch", "main", 0, "ok")]


def test_of_how_many_logs_it_is_known_that_they_are_recorded(sheet: Sheet) -> None:
    recorder = Recorder(sheet, Clock())
    for _ in range(2):
        for number in range(2 * SUMS_LIMIT):
            recorder.begin(Fetch(f"log{number}"))
            recorder.over()
    assert len(sheet.acts) == 3 * SUMS_LIMIT


def test_a_watcher_of_many_logs_makes_no_more_sums_than_are_kept(sheet: Sheet) -> None:
    recorder = Recorder(sheet, Clock())
    recorder.begin(Watch())
    recorder.over()
    for number in range(SUMS_LIMIT + 1):
        recorder.begin(Fetch(f"log{number}"))
        recorder.over()
    assert len(sheet.acts) == 1 + SUMS_LIMIT + 1


def test_what_a_watcher_is_refused_is_recorded_at_once(sheet: Sheet) -> None:
    recorder = Recorder(sheet, Clock())
    recorder.begin(Watch())
    recorder.over()
    recorder.begin(Watch())
    recorder.failed("not-authorised")
    recorder.close()
    assert sheet.summary == [("watch", "", 0, "ok"), ("watch", "", 0, "not-authorised")]


def test_a_protocol_error_is_the_sessions(server: Server, sheet: Sheet) -> None:
    service = server.service(Client(1, server).rights)
    service.receive(b"GET / HTTP/1.1\r\n\r\n")
    while service.output() is not None:
        pass
    service.close()
    assert sheet.summary == [("session", "", 0, "protocol")]


def test_an_interrupted_push_keeps_the_records_of_its_batches(sheet: Sheet) -> None:
    recorder = Recorder(sheet, Clock())
    recorder.begin(Transfer("a/b", EMPTY_ROOT, EMPTY_ROOT))
    recorder.over()
    recorder.begin(Batch(1, 2, EMPTY_ROOT, b""))
    recorder.took(2, 30, 0)
    recorder.over()
    recorder.close()
    assert sheet.summary == [("push", "a/b", 2, "ok"), ("push", "a/b", 0, "cut")]


def test_pushes_of_nothing_are_bounded(sheet: Sheet) -> None:
    recorder = Recorder(sheet, Clock())
    for number in range(2 * EMPTY_PUSHES_LIMIT + 1):
        recorder.begin(Push(f"log{number}"))
        recorder.answered_push(f"log{number}")
        recorder.over()
    assert len(sheet.acts) == 2 * EMPTY_PUSHES_LIMIT
    recorder.close()
    assert len(sheet.acts) == 2 * EMPTY_PUSHES_LIMIT + 1


def test_time_is_counted_from_the_request_to_the_end_of_the_answer(sheet: Sheet) -> None:
    clock = Clock()
    recorder = Recorder(sheet, clock)

    def spend(microseconds: int) -> None:
        clock.now += microseconds - 1  # asking it takes one

    recorder.begin(Fetch("main"))
    spend(40)
    recorder.over()
    recorder.begin(Push("a"))
    recorder.answered_push("a")
    spend(20)
    recorder.over()
    spend(1000)  # the client thinks
    recorder.begin(Transfer("b", EMPTY_ROOT, EMPTY_ROOT))
    recorder.over()
    spend(1000)
    recorder.begin(Batch(1, 2, EMPTY_ROOT, b""))
    spend(30)
    recorder.took(2, 30, 0)
    recorder.over()
    recorder.begin(Batch(2, 2, EMPTY_ROOT, b""))
    spend(50)
    recorder.failed("forged")
    recorder.failed("protocol")
    recorder.begin(ListRefs())
    clock.now -= 5000  # set back
    recorder.over()
    recorder.begin(Fetch("main"))
    recorder.close()
    assert [(act.operation, act.result, act.duration) for act in sheet.acts] == [
        ("fetch", "ok", 40),
        ("push", "ok", 30),
        ("push", "forged", 50),
        ("session", "protocol", None),
        ("list", "ok", 0),
        ("fetch", "cut", None),
        ("push", "ok", 20),
    ]

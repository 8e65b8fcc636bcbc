"""Clients that do a little just before each deadline: they keep a process, for a while, and no more.

No time passes here: the clock goes on by itself when somebody looks at it.
"""

import fcntl
import os
import random
import socket
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from itertools import chain, cycle, repeat
from pathlib import Path

import pytest

from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.message import object_key
from msglog.repository import Repository
from msglog.wire.encoder import encode_event
from msglog.wire.events import Batch, End, Event, Fetch, KeepAlive, ListRefs, Push, Transfer
from plumbing.conversation import converse
from plumbing.heartbeat import Heartbeat
from plumbing.receive_pack import IDLE_SECONDS
from plumbing.service import Service
from plumbing.transport.patience import BYTES_A_SECOND, COUNTED_BYTES, Patience, SlowPeerError
from plumbing.transport.pipe import PipeChannel
from tests.msglog.wire.samples import OTHER, an_object, content_of
from tests.plumbing.peers import START, Clock, Rights, add, message

STEP = IDLE_SECONDS - 1
F_SETPIPE_SZ = 1031


class Peer:
    """A client that says its pieces one by one, and a clock that goes on with each of them.

    takes: how many bytes it takes of what the server says, each time. at: what happens meanwhile,
    by the number of the look.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        step: float = STEP,
        takes: int = 1 << 16,
        at: dict[int, Callable[[], object]] | None = None,
    ) -> None:
        self.now = 0.0
        self.looks = 0
        self.said = 0
        self.heard = 0
        self._pieces = iter(pieces)
        self._step = step
        self._takes = takes
        self._at = at or {}
        self._ours, theirs = socket.socketpair()
        self._output, write_fd = os.pipe()
        os.set_blocking(self._output, False)
        fcntl.fcntl(write_fd, F_SETPIPE_SZ, 4096)
        self._read_fd, self._write_fd = theirs.detach(), write_fd

    def __call__(self) -> float:
        self.now += self._step
        self.looks += 1
        self._at.get(self.looks, lambda: None)()
        with suppress(BlockingIOError):
            self.heard += len(os.read(self._output, self._takes))
        piece = next(self._pieces, None)
        if piece is None:
            self._ours.shutdown(socket.SHUT_WR)
        else:
            self._ours.sendall(piece)
            self.said += len(piece)
        return self.now

    def talk_to(self, service: Service) -> None:
        """Let a server serve this client as receive-pack does."""
        patience = Patience(IDLE_SECONDS)
        channel = PipeChannel(
            self._read_fd,
            self._write_fd,
            idle_seconds=IDLE_SECONDS,
            patience=patience,
            clock=self,
        )
        try:
            converse(service, channel, patience, Heartbeat(self._write_fd, b""))
        finally:
            channel.close()
            self._ours.close()
            os.close(self._output)


def single(data: Iterable[bytes]) -> Iterator[bytes]:
    return (bytes([byte]) for piece in data for byte in piece)


def large(number: int, size: int) -> bytes:
    """A message that no compression makes small."""
    return an_object(number, random.Random(number).randbytes(size // 2).hex())


def a_push(*batches: list[bytes], first: int = 1) -> bytes:
    """All that a client says to push objects onto nothing; its batches are numbered from first."""
    keys = [object_key(data) for some in batches for data in some]
    said: list[Event] = [Transfer("main", EMPTY_ROOT, build(sorted(keys)).root)]
    there: list[bytes] = []
    for number, some in enumerate(batches, first):
        there += some
        root = build(sorted(map(object_key, there))).root
        said.append(Batch(number, len(some), root, content_of(*some)))
    return b"".join(map(encode_event, [*said, End()]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository = Repository.create(tmp_path / "log", identity=bytes(16), time=START)
    add(repository, *map(message, range(2000)))
    repository.close()
    return tmp_path / "log"


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    repository = Repository.open(folder)
    made = Service(repository, Rights("mallory"), agent="msglog/test", clock=Clock())
    made.open()
    yield made
    repository.close()


TALK: dict[str, Iterable[bytes]] = {
    "a batch": [a_push([large(1, 100_000)])],
    "haves": [encode_event(Fetch("main", (OTHER,) * 8))] * 1000,
    "keep-alives": repeat(encode_event(KeepAlive())),
    "lists": repeat(encode_event(ListRefs())),
    "questions": cycle([encode_event(Push("main", (OTHER,))), encode_event(ListRefs())]),
}


@pytest.mark.parametrize("said", TALK)
def test_a_byte_before_each_deadline_ends_with_the_patience(service: Service, said: str) -> None:
    peer = Peer(single(TALK[said]))
    with pytest.raises(SlowPeerError):
        peer.talk_to(service)
    assert peer.now <= IDLE_SECONDS + 4 * STEP + (peer.said + peer.heard) / BYTES_A_SECOND


@pytest.mark.parametrize("said", ["keep-alives", "lists", "questions"])
def test_whole_requests_before_each_deadline_are_no_progress(service: Service, said: str) -> None:
    peer = Peer(TALK[said])
    with pytest.raises(SlowPeerError):
        peer.talk_to(service)
    assert peer.now <= IDLE_SECONDS + 4 * STEP + (peer.said + peer.heard) / BYTES_A_SECOND


def test_a_client_that_takes_a_little_before_each_deadline_is_left(service: Service) -> None:
    peer = Peer(chain([encode_event(Fetch("main"))], repeat(b"")), takes=4096)
    with pytest.raises(SlowPeerError):
        peer.talk_to(service)
    assert peer.heard < 100_000  # of 300 KB
    assert peer.now < 5 * IDLE_SECONDS


def test_a_slow_line_gets_through(folder: Path, service: Service) -> None:
    some = [[large(100 * number + one, 20_000) for one in range(50)] for number in (1, 2)]
    said = a_push(*some)
    seconds, rate = 10.0, 2 * BYTES_A_SECOND
    size = 2 * int(seconds * rate)  # looked at twice for each piece
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    peer = Peer(chain.from_iterable((piece, b"") for piece in pieces), step=seconds)
    peer.talk_to(service)
    assert peer.now > IDLE_SECONDS
    with closing(Repository.open(folder)) as repository:
        assert repository.log("main").count == 2100


def test_a_session_lives_on_while_batches_become_durable(folder: Path, service: Service) -> None:
    said = a_push(*([an_object(number)] for number in range(1, 31)))
    size = len(said) // 100
    peer = Peer((said[at : at + size] for at in range(0, len(said), size)), step=10.0)
    peer.talk_to(service)
    assert peer.now > 3 * IDLE_SECONDS
    with closing(Repository.open(folder)) as repository:
        assert repository.log("main").count == 2030


def test_meanwhile_others_push_and_no_lock_is_held(folder: Path, service: Service) -> None:
    tries: list[int] = []

    def others() -> None:
        tries.append(peer.said)
        with closing(Repository.open(folder)) as repository:
            add(repository, *map(message, range(5000, 5010)))
        with closing(sqlite3.connect(folder / "store.db", timeout=0)) as store:
            assert store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            store.execute("BEGIN EXCLUSIVE")

    every = range(10, 2000, 100)
    begun = a_push([large(1, 100_000)], first=2)
    pushed = a_push([an_object(2)])
    at: dict[int, Callable[[], object]] = {2000: _stop, **dict.fromkeys(every, others)}
    peer = Peer(chain([pushed], single([begun])), step=0.01, at=at)
    with pytest.raises(_StopError):
        peer.talk_to(service)
    assert len(tries) == len(every)
    assert tries[-1] > tries[0] > 0
    with closing(Repository.open(folder)) as repository:
        assert repository.log("main").count == 2011


class _StopError(Exception):
    """The test has seen enough."""


def _stop() -> None:
    raise _StopError


@pytest.mark.parametrize("said", TALK)
def test_a_byte_a_time_takes_no_more_memory(service: Service, said: str) -> None:
    while service.output() is not None:
        pass
    size = 40_000
    peaks = []
    data = single(TALK[said])
    tracemalloc.start()
    try:
        for _ in range(2):
            tracemalloc.reset_peak()
            for _ in range(size):
                byte = next(data, None)
                if byte is None or service.failed:
                    break
                service.receive(byte)
                while service.output() is not None:
                    pass
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert max(peaks) < 1_000_000


def test_the_bounds_are_those_of_the_document() -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    waits = f"{IDLE_SECONDS:g} seconds"
    assert f"| silence of a client | {waits} |" in text
    assert f"| {waits}, and one more for each {BYTES_A_SECOND} bytes |" in text
    assert f"| bytes that buy such time | {COUNTED_BYTES} |" in text

"""The cost curves, as far as no sshd is needed for them."""

import pytest

from msglog.repository import Repository
from tests.bench import curves, rows, scale
from tests.bench.corpus import vocabulary
from tests.bench.msglog import Msglog
from tests.bench.result import Result
from tests.bench.scale import PLACE, Scale
from tests.bench.site import Site
from tests.bench.stock import copy_store, fill, honest_messages

WORDS = vocabulary(["the cat and the dog", "the end of it"], "test")
SIZE = 300


@pytest.fixture
def measuring(site: Site) -> Scale:
    return Scale(site, WORDS, 1, Result(), lambda _: None, turns=2)


def values(measuring: Scale, operation: curves.Operation, measure: str) -> list[float]:
    series = measuring.result.find(operation.row(measure), rows.OURS, SIZE)
    return [] if series is None else series.values


def filled(peer: Msglog) -> None:
    peer.begin()
    peer.make_server(PLACE)
    repository = Repository.open(peer.repository)
    fill(repository, honest_messages(WORDS, 1), SIZE)
    repository.close()
    copy_store(peer.repository, peer.server(PLACE))


def test_in_process_each_operation_does_what_it_says(measuring: Scale, peer: Msglog) -> None:
    filled(peer)
    measuring._in_process(SIZE, peer)
    for operation in (curves.ADD, curves.PUSH, curves.PULL):
        assert len(values(measuring, operation, curves.LIBRARY)) == 2
    assert min(values(measuring, curves.ADD, curves.WRITTEN)) > 1000
    assert min(values(measuring, curves.PUSH, curves.WRITTEN)) > 1000
    assert max(values(measuring, curves.PULL, curves.WRITTEN)) == 0
    assert min(values(measuring, curves.ADD, curves.NODES)) >= 1
    for path in (peer.repository, peer.server(PLACE)):
        repository = Repository.open(path)
        assert repository.log("main").count == SIZE + 3  # one goes first and is not counted
        repository.close()


def test_a_difference_reads_few_nodes_where_it_is_recent(measuring: Scale, peer: Msglog) -> None:
    filled(peer)
    measuring._differences(SIZE, peer)
    (recent,) = values(measuring, curves.RECENT[100], curves.NODES)
    (scattered,) = values(measuring, curves.SCATTERED[100], curves.NODES)
    assert 2 <= recent < scattered
    assert values(measuring, curves.RECENT[1000], curves.NODES) == []


def test_what_would_take_too_long_is_left_out_and_named(measuring: Scale, peer: Msglog) -> None:
    peer.begin()
    measuring._linear_command(1000, curves.VERIFY, [peer.run("verify", "-q")])
    measuring._linear[curves.VERIFY.name] = 1000, scale.LINEAR_SECONDS / 5
    for _ in range(2):
        measuring._linear_command(10_000, curves.VERIFY, [peer.run("no such command")])
    row = curves.VERIFY.row(curves.COMMAND)
    assert measuring.result.sizes(row) == [1000]
    (note,) = measuring.result.notes
    assert note.startswith("verify of 10,000: not measured")


@pytest.mark.parametrize(
    ("said", "there"),
    [("usage: msglog gc [OPTIONS]", True), ("msglog: error: 'gc' is not a command", False)],
)
def test_gc_is_left_out_while_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch, said: str, *, there: bool
) -> None:
    monkeypatch.setattr(scale, "output", lambda *_: said)
    assert scale.has_gc() is there

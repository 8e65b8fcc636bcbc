"""Putting on load: what a command took, and what counts as a failure."""

import itertools
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import load, rows
from tests.bench.command import Command
from tests.bench.corpus import vocabulary
from tests.bench.load import Load, percentile, spend
from tests.bench.orphans import adopting
from tests.bench.proxy import Traffic
from tests.bench.result import Result
from tests.bench.site import LOADED, Site
from tests.ssh.sshd import Sshd

BURN = "t=__import__('time')\nwhile t.process_time()<0.2: pass"


def python(text: str) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", text), Path("/"), {})


def test_the_time_of_a_command_and_of_what_it_waited_for() -> None:
    inner = f"import os,sys; os.spawnv(os.P_WAIT, sys.executable, [sys.executable,'-c',{BURN!r}])"
    spent = spend(python(inner))
    assert spent.complaint == ""
    assert 0.2 <= spent.processor <= spent.seconds + 0.1


def test_it_gets_its_input_and_its_last_line_is_kept() -> None:
    assert spend(python("import sys; sys.exit(sys.stdin.read() != 'in')"), b"in").complaint == ""
    complaint = spend(python("import sys; sys.exit('why\\nbecause')")).complaint
    assert complaint.endswith("exit status 1: because")


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE", 0.05)
    assert "exit status -9" in spend(python("__import__('signal').pause()")).complaint


@given(st.lists(st.floats(0, 100), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(
    values: list[float], share: int
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert sum(value <= found for value in ordered) * 100 >= share * len(ordered)
    assert sum(value < found for value in ordered) * 100 < share * len(ordered)


@dataclass
class Hand:
    """A client whose every second push fails, if it is to."""

    crowd: "Hands"
    failing: bool
    turns: "itertools.count[int]" = field(default_factory=itertools.count)

    def adding(self, texts: Sequence[str]) -> tuple[Command, bytes]:
        with self.crowd.lock:
            self.crowd.there += len(texts)
        return python("pass"), b""

    def pushing(self) -> Command:
        bad = self.failing and next(self.turns) % 2 == 0
        return python("raise SystemExit('it is busy')" if bad else "pass")


@dataclass
class Hands:
    """A server in name only."""

    name: str = "hands"
    there: int = 0
    lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def workers(self, number: int) -> Sequence[Hand]:
        return [Hand(self, failing=not position) for position in range(number)]

    def arrived(self) -> int:
        return self.there - (self.lost if self.there else 0)


def loaded(tmp_path: Path) -> Load:
    """A load against no sshd: this process stands in, whose children have all ended."""
    sshd = Sshd(tmp_path, 1, "nobody", 1)
    site = Site(tmp_path, {LOADED: sshd}, {}, Traffic(), tmp_path)
    words = vocabulary(["the cat and the dog"], "test")
    made = Load(site, words, Result(), lambda _: None, seconds=0.0)
    made._texts = ["one", "two"]
    return made


@pytest.fixture(autouse=True)
def _no_sshd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "await_idle", lambda _: True)
    monkeypatch.setattr(load, "processor_seconds", lambda _: 1.0)


def test_a_failure_is_named_and_fails_the_row(tmp_path: Path) -> None:
    load_, crowd = loaded(tmp_path), Hands()
    with adopting() as orphans:
        assert not load_._run(crowd, crowd.workers(3), orphans)
    series = load_.result.find(rows.LOAD_FAILURES, "hands", 3)
    assert series is not None
    assert series.values == [1.0]
    assert "it is busy" in load_.result.notes[0]


def test_what_was_acknowledged_and_is_not_there_fails_the_row(tmp_path: Path) -> None:
    load_, crowd = loaded(tmp_path), Hands(lost=1)
    workers = [Hand(crowd, failing=False) for _ in range(2)]
    with adopting() as orphans:
        assert not load_._run(crowd, workers, orphans)
        assert "acknowledged, and the server has" in load_.result.notes[0]
        crowd.lost = crowd.there = 0
        assert load_._run(crowd, workers, orphans)

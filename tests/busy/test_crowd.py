"""A small crowd, for a moment: `make busy` has more people and more time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.corpus import vocabulary
from tests.bench.site import Site, running_site
from tests.busy import crowd
from tests.busy.crowd import Tally, check, run_local, run_server
from tests.busy.writers import measure

WORDS = vocabulary(["the beam is back and so are we"], "here")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "HISTORY", 200)


def test_pushers_pullers_and_everybody_else(site: Site) -> None:
    tally, _ = run_server(site, WORDS, pushers=3, pullers=1, seconds=1.0, seed=1)
    assert tally.failures == []
    assert tally.acknowledged
    assert {"push", "pull", "admin gc", "verify at the server"} <= set(tally.seconds)


def test_some_in_one_repository(site: Site) -> None:
    tally, _ = run_local(site, WORDS, people=2, seconds=1.0, seed=1)
    assert tally.failures == []
    assert "sync --every" in tally.seconds


def test_writers_and_readers_alone(tmp_path: Path) -> None:
    assert measure(tmp_path / "one", 3, 1, 10, 0.3).startswith("  3 writers of 10, 1 readers")


def test_what_is_missing_is_noticed(tmp_path: Path) -> None:
    tally = Tally()
    tally.count("push", 1.0, ("one", "two"))
    check(tally, ["two", "three"], tmp_path)
    missing, unsound = tally.failures
    assert missing == "acknowledged and not there: one"
    assert "verify" in unsound
    assert [line for line in tally.lines(2.0) if "push: 1, 0.5/s" in line]

"""gc beside everything else, in orders that are chosen step by step; `make busy` runs many more."""

import shutil
from pathlib import Path

import pytest

from tests.busy.exploration import EDGES, Exploration, cases, sample
from tests.busy.killing import killed
from tests.busy.places import InMemory, InSqlite, Places, furnish, in_small_parts, step_sqlite
from tests.busy.races import Race, check, settle
from tests.plumbing.peers import START

STRIDE = 23
"""So many statements apart gc is killed here."""


@pytest.fixture(params=["memory", "sqlite"])
def places(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Places:
    in_small_parts(monkeypatch)
    made: Places = InMemory()
    if request.param == "sqlite":
        step_sqlite(monkeypatch)
        made = InSqlite(tmp_path / "places")
    furnish(made)
    return made


def test_races_by_chance(places: Places) -> None:
    exploration = Exploration(places, settling=0.2)
    sample(exploration, seed=1, number=60 if isinstance(places, InMemory) else 20)
    assert exploration.steps > 50 * exploration.races


@pytest.mark.parametrize("name", ["add", "import_again", "reader and deleter"])
def test_each_is_frozen_at_each_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_parts(monkeypatch)
    places = InMemory()
    furnish(places)
    exploration = Exploration(places, settling=0.1)
    for case in cases([name], clocks=EDGES[3:]):
        exploration.frozen(case)
    assert exploration.races > 20


def test_gc_is_killed_between_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_parts(monkeypatch)
    places = InSqlite(tmp_path / "places")
    furnish(places)
    kills = 0
    while True:
        race = Race(places.copy())
        more = killed(race.places, "server", START + 1, kills * STRIDE)
        check(race)
        if not kills % 5:
            settle(race)
        assert isinstance(race.places, InSqlite)
        shutil.rmtree(race.places.folder)
        if not more:
            break
        kills += 1
    assert kills > 10

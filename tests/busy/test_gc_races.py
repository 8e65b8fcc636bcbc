"""gc beside everything else, in orders that are chosen step by step; `make busy` runs many more."""

import shutil
from pathlib import Path

import pytest

from tests.busy.exploration import BEYOND, EDGES, Case, Exploration, cases, sample
from tests.busy.killing import killed
from tests.busy.places import InMemory, InSqlite, Places, furnish, in_small_parts, step_sqlite
from tests.busy.races import Race, check, settle
from tests.busy.schedule import frozen
from tests.plumbing.peers import START

STRIDE = 23
"""So many statements apart gc is killed here."""


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    in_small_parts(monkeypatch)
    places = InMemory()
    furnish(places)
    return places


@pytest.fixture
def in_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InSqlite:
    in_small_parts(monkeypatch)
    step_sqlite(monkeypatch)
    places = InSqlite(tmp_path / "places")
    furnish(places)
    return places


@pytest.fixture(params=["in_memory", "in_sqlite"])
def places(request: pytest.FixtureRequest) -> Places:
    made: Places = request.getfixturevalue(request.param)
    return made


def test_races_by_chance(places: Places) -> None:
    exploration = Exploration(places, settling=0.2)
    sample(exploration, seed=1, number=60 if isinstance(places, InMemory) else 20)
    assert exploration.steps > 50 * exploration.races


@pytest.mark.parametrize(
    ("case", "first", "steps"),
    [
        # What was removed already when others take it up again: only what roots reach protects it.
        (Case("add", "client", BEYOND[-1]), 1, range(1, 100, 5)),
        # What only an agreed root holds, in the middle of a transfer that begins from it.
        (Case("fetch", "server", EDGES[1]), 0, range(20, 90, 10)),
    ],
)
def test_one_is_frozen_at_some_steps(
    case: Case, first: int, steps: range, in_sqlite: InSqlite
) -> None:
    exploration = Exploration(in_sqlite, settling=0.1)
    for at in steps:
        exploration.run(case, frozen(2, first, at), f"frozen{(2, first, at)}")


@pytest.mark.parametrize("name", ["add", "import_again", "reader and deleter"])
def test_each_is_frozen_at_each_step(name: str, in_memory: InMemory) -> None:
    exploration = Exploration(in_memory, settling=0.1)
    for case in cases([name], clocks=EDGES[3:]):
        exploration.frozen(case)
    assert exploration.races > 20


def test_gc_is_killed_between_statements(in_sqlite: InSqlite) -> None:
    kills = 0
    while True:
        race = Race(in_sqlite.copy())
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

from pathlib import Path

from msglog.horizon import Horizon, known_horizons, note_horizons
from msglog.key import first_key_at
from msglog.layout import VIEWS_NAME

ONE, OTHER = "aa" * 16, "bb" * 16
HORIZON = Horizon(first_key_at(5), 17)
UNKNOWN = Horizon(first_key_at(-9), None)


def test_what_is_noted_is_known_by_repository_and_log(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert known_horizons(folder, ONE) == {}
    note_horizons(folder, ONE, {"main": HORIZON, "lab/x": UNKNOWN})
    note_horizons(folder, OTHER, {"main": UNKNOWN})
    assert known_horizons(folder, ONE) == {"main": HORIZON, "lab/x": UNKNOWN}
    assert known_horizons(folder, OTHER) == {"main": UNKNOWN}
    note_horizons(folder, ONE, {"main": None, "never": None})
    assert known_horizons(folder, ONE) == {"lab/x": UNKNOWN}
    assert [path.name for path in tmp_path.iterdir()] == [VIEWS_NAME]


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path) -> None:
    note_horizons(str(tmp_path), ONE, {"main": None})
    assert list(tmp_path.iterdir()) == []
    note_horizons(str(tmp_path), ONE, {"main": HORIZON})
    before = (tmp_path / VIEWS_NAME).stat().st_ino
    note_horizons(str(tmp_path), ONE, {"main": HORIZON})
    assert (tmp_path / VIEWS_NAME).stat().st_ino == before


def test_what_cannot_be_noted_is_done_without(tmp_path: Path) -> None:
    note_horizons(str(tmp_path / "nowhere"), ONE, {"main": HORIZON})
    (tmp_path / VIEWS_NAME).mkdir()
    note_horizons(str(tmp_path), ONE, {"main": HORIZON})
    assert known_horizons(str(tmp_path), ONE) == {}

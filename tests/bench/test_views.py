import pytest

from tests.bench import views


def test_each_way_of_having_a_part_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SEEN", 20)
    monkeypatch.setattr(views, "REPEATS", 1)
    views.main(100)
    lines = capsys.readouterr().out.splitlines()
    moved = {line[:26].strip(): int(line[26:35]) for line in lines[1:]}
    assert moved == {
        "clone since": 20,
        "clone": 100,
        "pull of nothing": 0,
        "pull of 1": 1,
        "push of 1": 1,
        "push of 1 from before": 1,
        "push of nothing, 1 before": 0,
        "widened by 1,000": 20,
        "widened to all": 60,
    }

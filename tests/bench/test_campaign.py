"""How often a row is repeated, and who takes part."""

from types import SimpleNamespace

import pytest

from tests.bench import campaign
from tests.bench.campaign import BULK_SECONDS, Campaign, Stand
from tests.bench.corpus import vocabulary
from tests.bench.result import Result
from tests.bench.site import Site


@pytest.mark.parametrize(
    ("seconds", "turns"),
    [(1.0, 5), (BULK_SECONDS / 2, 2), (BULK_SECONDS / 2 + 1, 1), (BULK_SECONDS * 9, 1)],
)
def test_a_row_is_repeated_as_often_as_its_time_allows(
    monkeypatch: pytest.MonkeyPatch, site: Site, seconds: float, turns: int
) -> None:
    now = [0.0]
    monkeypatch.setattr(campaign, "time", SimpleNamespace(monotonic=lambda: now[0]))
    measuring = Campaign(site, vocabulary([], ""), 1, [], Result(), lambda _: None)
    done = 0
    for turn in measuring._affordable(5):
        assert turn == done
        done += 1
        now[0] += seconds
    assert done == turns


def test_programs_that_no_target_is_about_go_through_a_history_once(site: Site) -> None:
    stand = Stand(1, site.folder, dict.fromkeys(("git", "msglog", "fossil")))  # type: ignore[arg-type]
    assert set(stand.taking(0)) == {"git", "msglog", "fossil"}
    assert set(stand.taking(1)) == {"git", "msglog"}

"""Differences without a common root, found both ways."""

from tests.bench import rows
from tests.bench.negotiation import CROWD, chosen, honest, record
from tests.bench.result import Result


def test_both_find_the_differences_and_nothing_else_is_sent() -> None:
    for case, found in honest(3000).items():
        number = int(case.split()[0])
        assert [found[name].messages for name in (rows.OURS, rows.RECONCILIATION)] == [number] * 2
        assert 1 <= found[rows.OURS].round_trips <= 4
        assert all(cost.size > 200 for cost in found.values())


def test_chosen_times_make_the_index_deep_and_rounds_no_more_than_that() -> None:
    found, depth = chosen(500, 2)
    assert CROWD > 64
    assert depth > 12
    assert 4 < found[rows.OURS].round_trips <= depth


def test_every_row_of_differences_is_recorded() -> None:
    result = Result()
    record(result, 100)
    assert {series.row for series in result.series} == set(rows.GROUPS["descent"])

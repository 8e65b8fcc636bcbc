"""Medians and paired ratios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.summary import Summary, paired_ratio, summarise

POSITIVE = st.floats(0.001, 1000)


def test_the_middle_and_the_ends() -> None:
    assert summarise([3.0, 1.0, 8.0, 2.0]) == Summary(2.5, 1.0, 8.0, 4)


def test_a_ratio_is_of_figures_of_one_turn() -> None:
    """The machine got ten times slower: each ratio is still 2, unlike that of any two medians."""
    assert paired_ratio([2.0, 2.0, 20.0, 20.0], [1.0, 1.0, 10.0, 10.0]) == Summary(2.0, 2.0, 2.0, 4)
    assert paired_ratio([1.0, 8.0, 3.0], [2.0, 2.0, 2.0]) == Summary(1.5, 0.5, 4.0, 3)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1))
def test_a_ratio_lies_between_its_ends(pairs: list[tuple[float, float]]) -> None:
    found = paired_ratio([one for one, _ in pairs], [other for _, other in pairs])
    assert found.least <= found.median <= found.most
    assert found.count == len(pairs)


def test_what_cannot_be_summed_up() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        summarise([])
    with pytest.raises(ValueError, match="do not pair"):
        paired_ratio([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="ratio to nothing"):
        paired_ratio([1.0], [0.0])

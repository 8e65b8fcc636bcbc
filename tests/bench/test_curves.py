"""The exponents of cost curves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.curves import MEASURES, OPERATIONS, ROWS, exponent

SIZES = (1e3, 1e4, 1e5, 1e6, 1e7)


@given(st.floats(0.001, 1000), st.floats(-2, 2))
def test_a_power_is_found_again(factor: float, power: float) -> None:
    found = exponent([(size, factor * size**power) for size in SIZES])
    assert found == pytest.approx(power, abs=1e-6)


def test_a_logarithm_comes_near_nothing() -> None:
    found = exponent([(size, len(f"{size:.0f}")) for size in SIZES])
    assert found is not None
    assert 0 < found < 0.15


def test_only_the_upper_decades_count() -> None:
    assert exponent([(1e3, 7777.0), *((size, size) for size in SIZES[1:])]) == pytest.approx(1)


def test_what_cannot_be_fitted() -> None:
    assert exponent([]) is None
    assert exponent([(1e3, 1.0), (1e4, 2.0)]) is None
    assert exponent([(1e3, 0.0), (1e4, 1.0), (1e5, 1.0)]) is None


def test_rows_have_names_of_their_own() -> None:
    assert len(set(ROWS)) == len(ROWS) == len(OPERATIONS) * len(MEASURES)

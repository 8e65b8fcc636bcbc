"""The bound on waiting for a peer that never falls silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbing.transport.patience import (
    BYTES_A_SECOND,
    COUNTED_BYTES,
    Patience,
    SlowPeerError,
)


def test_it_ends_when_the_seconds_are_over() -> None:
    patience = Patience(300)
    patience.wait(299)
    assert patience.left() == 1
    with pytest.raises(SlowPeerError, match="under 1024 bytes a second"):
        patience.wait(1)


def test_bytes_buy_time() -> None:
    patience = Patience(300)
    patience.wait(200)
    patience.move(100 * BYTES_A_SECOND)
    assert patience.left() == 200


def test_progress_begins_anew() -> None:
    patience = Patience(300)
    patience.move(100 * BYTES_A_SECOND)
    patience.wait(399)
    patience.renew()
    assert patience.left() == 300


@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.floats(0.001, 300)), max_size=1000))
def test_without_progress_the_whole_time_is_bounded(steps: list[tuple[int, float]]) -> None:
    patience = Patience(300)
    waited = 0.0
    for size, seconds in steps:
        patience.move(size)
        try:
            patience.wait(seconds)
        except SlowPeerError:
            break
        waited += seconds
    assert waited <= 300 + COUNTED_BYTES / BYTES_A_SECOND


def test_no_more_bytes_buy_time_than_the_largest_batch_has() -> None:
    patience = Patience(300)
    patience.move(COUNTED_BYTES)
    most = patience.left()
    patience.move(COUNTED_BYTES)
    assert patience.left() == most == 300 + COUNTED_BYTES / BYTES_A_SECOND

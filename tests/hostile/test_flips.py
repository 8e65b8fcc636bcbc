"""A sample of flipped bits, and cut files: `make damage` tries many more. See `flips`."""

from collections.abc import Iterator

import pytest

from tests.hostile.flips import KINDS, Subject, bits, subject

SEED = 2026
FLIPS = {"plain": 40, "compressed": 25, "account": 25}


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest) -> Iterator[tuple[str, Subject]]:
    with subject(request.param) as one:
        yield request.param, one


def test_a_flipped_bit_that_changes_what_is_read_is_reported(made: tuple[str, Subject]) -> None:
    kind, one = made
    verdicts = [one.trial(bit) for bit in bits(one, SEED, FLIPS[kind])]
    assert set(verdicts) <= {"same", "refused", "reported"}, verdicts
    assert verdicts.count("reported") > FLIPS[kind] // 4


@pytest.mark.parametrize("part", [0.0, 0.01, 0.2, 0.5, 0.8, 0.97])
def test_a_file_that_was_cut_off_is_reported(made: tuple[str, Subject], part: float) -> None:
    _, one = made
    one.put(one.whole[: int(len(one.whole) * part)])
    assert one.check().status in (1, 5, 7)

"""Medians of few noisy figures, and ratios of figures that were taken side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Summary:
    """The middle and the ends of some figures, and how many there were."""

    median: float
    least: float
    most: float
    count: int


def summarise(values: Sequence[float]) -> Summary:
    """Raises ValueError if there are none."""
    if not values:
        raise ValueError("nothing was measured")
    return Summary(median(values), min(values), max(values), len(values))


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Summary:
    """Summarise ours / theirs, each pair taken in one turn, so that a slow moment of the machine counts for both.

    Raises ValueError if the numbers of figures differ, or if one of theirs is not positive.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} figures do not pair with {len(theirs)}")
    if any(value <= 0 for value in theirs):
        raise ValueError("a ratio to nothing")
    return summarise([one / other for one, other in zip(ours, theirs, strict=True)])

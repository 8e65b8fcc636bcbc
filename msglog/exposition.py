"""Metrics in the text format that Prometheus reads: version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/ is its source.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

Labels: TypeAlias = "tuple[tuple[str, str], ...]"

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """A number. suffix: what its name has beyond that of its family, as in a histogram."""

    value: int | float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name. kind: COUNTER, GAUGE or HISTOGRAM. meaning: one line of text.

    name: a counter's ends in `_total`; a unit stands before that, and is seconds or bytes.
    """

    name: str
    kind: str
    meaning: str
    samples: tuple[Sample, ...]


def histogram(
    labels: Labels, bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterator[Sample]:
    """Yield the samples of one histogram.

    counts: of the values up to each bound and over the one before, and at last of all others.
    total: the sum of the values.
    """
    reached = 0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        reached += count
        yield Sample(reached, (*labels, ("le", _number(bound))), "_bucket")
    yield Sample(total, labels, "_sum")
    yield Sample(reached, labels, "_count")


def expose(families: Iterable[Family]) -> str:
    """Return families as text, in the order given; one without samples is left out."""
    return "".join([_exposed(family) for family in families if family.samples])


def _exposed(family: Family) -> str:
    lines = [
        f"# HELP {family.name} {_escaped(family.meaning)}\n",
        f"# TYPE {family.name} {family.kind}\n",
    ]
    for sample in family.samples:
        labels = ",".join([f'{name}="{_quoted(value)}"' for name, value in sample.labels])
        name = f"{family.name}{sample.suffix}" + (f"{{{labels}}}" if labels else "")
        lines.append(f"{name} {_number(sample.value)}\n")
    return "".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else repr(value)

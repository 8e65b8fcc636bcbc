"""What a run of the benchmark found: raw figures with where they came from, as JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Series:
    """The figures of one program in one row at one size, in the order in which they were taken.

    unit: "s", "B", or "" for a count. Figures with the same index were taken in one turn.
    """

    row: str
    peer: str
    size: int
    unit: str
    values: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """A run. notes: what was left out and why; durability: by program."""

    machine: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    durability: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    def find(self, row: str, peer: str, size: int) -> Series | None:
        for series in self.series:
            if (series.row, series.peer, series.size) == (row, peer, size):
                return series
        return None

    def append(self, row: str, peer: str, size: int, unit: str, value: float) -> None:
        series = self.find(row, peer, size)
        if series is None:
            series = Series(row, peer, size, unit)
            self.series.append(series)
        series.values.append(value)

    def sizes(self, row: str) -> list[int]:
        return sorted({series.size for series in self.series if series.row == row})

    def peers(self, row: str, size: int) -> list[str]:
        return [found.peer for found in self.series if (found.row, found.size) == (row, size)]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def read(path: Path) -> Result:
    """Return the result in a file that `Result.write` made."""
    found = json.loads(path.read_text())
    found["series"] = [Series(**series) for series in found["series"]]
    return Result(**found)

"""Draws a result as SVG with matplotlib, which the extra `bench` installs."""

import importlib
from pathlib import Path
from typing import Any, TypeAlias

from tests.bench import curves, rows
from tests.bench.result import Result
from tests.bench.summary import paired_ratio, summarise

CURVES = (rows.INITIAL, rows.CLONE, rows.ALL, rows.GIVE, rows.PULL)
BARS = (
    rows.PULL,
    rows.PULL_CURVE,
    rows.GIVE,
    rows.GIVE_CURVE,
    rows.INITIAL,
    rows.CLONE,
    rows.ALL,
    rows.PULL_FAR,
)


def ratios(result: Result) -> list[tuple[str, float]]:
    """Return msglog / git of each row at its largest size that both have; rows without are left out."""
    found = []
    for row in BARS:
        for size in reversed(result.sizes(row)):
            ours, theirs = result.find(row, rows.OURS, size), result.find(row, rows.BASELINE, size)
            if ours and theirs:
                found.append((f"{row}, {size:,}", paired_ratio(ours.values, theirs.values).median))
                break
    return found


def curve(result: Result, row: str) -> dict[str, list[tuple[int, float]]]:
    """Return by program its sizes with the medians in seconds."""
    points: dict[str, list[tuple[int, float]]] = {}
    for size in result.sizes(row):
        for peer in result.peers(row, size):
            series = result.find(row, peer, size)
            if series is not None:
                points.setdefault(peer, []).append((size, summarise(series.values).median))
    return points


Lines: TypeAlias = dict[str, list[tuple[int, float]]]


def scale_plots(result: Result) -> dict[str, tuple[str, str, Lines]]:
    """Return the cost curves by plot: its title, its unit, and by operation its sizes with the least figure."""
    kinds = {
        "time": ("time of one operation", "seconds", curves.OTHERS, curves.TIMES),
        "difference": ("a difference, in process", "seconds", curves.BETWEEN, (curves.LIBRARY,)),
        "memory": ("peak memory of a command", "bytes", curves.OTHERS, (curves.MEMORY,)),
    }
    found: dict[str, tuple[str, str, Lines]] = {}
    for name, (title, unit, operations, measures) in kinds.items():
        drawn: Lines = {}
        for operation in operations:
            for measure in measures:
                row = operation.row(measure)
                points = [
                    (size, min(series.values))
                    for size in result.sizes(row)
                    if (series := result.find(row, rows.OURS, size)) and min(series.values) > 0
                ]
                if points:
                    label = f"{operation.name}, {measure}" if len(measures) > 1 else operation.name
                    drawn[label] = points
        if drawn:
            found[name] = (title, unit, drawn)
    return found


def write_plots(result: Result, folder: Path) -> None:
    """Write ratios.svg, time-ROW.svg for what depends on the size, and scale-KIND.svg.

    The same result gives the same files.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "msglog"
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    folder.mkdir(exist_ok=True)
    if bars := ratios(result):
        figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(bars) + 1), layout="constrained")
        shown = axes.barh([name for name, _ in bars], [ratio for _, ratio in bars])
        axes.bar_label(shown, fmt="%.2f", padding=3)
        axes.axvline(1, color="black", linewidth=1)
        axes.invert_yaxis()
        axes.set_xlabel("time, msglog / git (less is faster)")
        _save(figure, folder / "ratios.svg")
    for row in CURVES:
        if not (points := curve(result, row)):
            continue
        figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
        for peer, line in points.items():
            axes.plot([size for size, _ in line], [value for _, value in line], "o-", label=peer)
        axes.set(xscale="log", yscale="log", xlabel="messages", ylabel="seconds", title=row)
        axes.legend()
        _save(figure, folder / f"time-{row.replace(' ', '-')}.svg")
    for name, (title, unit, drawn) in scale_plots(result).items():
        figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
        for label, line in drawn.items():
            axes.plot([size for size, _ in line], [value for _, value in line], "o-", label=label)
        axes.set(xscale="log", yscale="log", xlabel="messages in the log", ylabel=unit, title=title)
        axes.legend(fontsize="small")
        _save(figure, folder / f"scale-{name}.svg")
    pyplot.close("all")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})

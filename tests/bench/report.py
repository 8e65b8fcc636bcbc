"""Writes the tables of docs/performance.md, between markers, and its plots, from a result."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.bench import rows
from tests.bench.plot import write_plots
from tests.bench.result import Result, Series
from tests.bench.rows import BASELINE, OURS, TARGETS, Target
from tests.bench.summary import Summary, paired_ratio, summarise

SCALES = {"s": ((1.0, "s"), (1e-3, "ms")), "B": ((2**20, "MiB"), (2**10, "KiB"), (1.0, "B"))}


class ReportError(Exception):
    """The document lacks a marker."""


def write(result: Result, document: Path) -> None:
    """Replace what is between the markers of a document, and the plots beside it."""
    text = document.read_text()
    for name, table in (
        ("machine", machine_table(result)),
        ("targets", target_table(result)),
        ("figures", figure_table(result)),
    ):
        text = replace(text, name, table)
    document.write_text(text)
    write_plots(result, document.parent / "performance")


def replace(text: str, name: str, table: str) -> str:
    """Put a table between `<!-- NAME -->` and `<!-- /NAME -->`; raises ReportError without them."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    if count != 1:
        raise ReportError(f"{count} pairs of markers for {name}")
    return replaced


def machine_table(result: Result) -> str:
    lines = ["| | |", "|---|---|"]
    lines += [
        f"| {name} | {value} |" for name, value in {**result.machine, **result.options}.items()
    ]
    lines += ["", "Durability:", ""]
    lines += [f"- {name}: {text}" for name, text in result.durability.items()]
    if result.notes:
        lines += ["", *[f"- {note}" for note in result.notes]]
    return "\n".join(lines)


def target_table(result: Result) -> str:
    """One line a target; what was not measured says so."""
    lines = ["| row | messages | target | reached | |", "|---|---|---|---|---|"]
    for target in TARGETS:
        size = target.size or max(result.sizes(target.row), default=0)
        reached = reach(result, target, size)
        bound = f"<= {_bound(target, target.at_most)}"
        against = {"": "", "smallest": " of itself at the smallest size"}
        title = target.row + against.get(target.against, f", msglog / {target.against}")
        shown = f"{size:,}" if size else ""
        if reached is None:
            lines.append(f"| {title} | {shown} | {bound} | not measured | |")
            continue
        verdict = "met" if reached.median <= target.at_most else "missed"
        value = _bound(target, reached.median)
        if reached.count > 1:
            value += f" ({_bound(target, reached.least)} to {_bound(target, reached.most)})"
        lines.append(f"| {title} | {shown} | {bound} | {value} | {verdict} |")
    return "\n".join(lines)


def reach(result: Result, target: Target, size: int) -> Summary | None:
    """Return what msglog reached, as the target counts it; None if it was not measured."""
    ours = result.find(target.row, OURS, size)
    if ours is None:
        return None
    if not target.against:
        return summarise(ours.values)
    if target.against == "smallest":
        smallest = result.sizes(target.row)[0]
        theirs = result.find(target.row, OURS, smallest) if smallest < size else None
    else:
        theirs = result.find(target.row, target.against, size)
    return None if theirs is None else paired_ratio(ours.values, theirs.values)


def figure_table(result: Result) -> str:
    """All figures: one line a row, size and program."""
    lines = [
        "| row | messages | program | median | min | max | runs | ratio to git |",
        "|" + "---|" * 8,
    ]
    for row in rows.ORDER:
        for size in result.sizes(row):
            baseline = result.find(row, BASELINE, size)
            for peer in result.peers(row, size):
                series = result.find(row, peer, size)
                if series is not None:
                    lines.append(_figure_line(series, baseline))
    return "\n".join(lines)


def _figure_line(series: Series, baseline: Series | None) -> str:
    found = summarise(series.values)
    figures = [quantity(value, series.unit) for value in (found.median, found.least, found.most)]
    ratio = ""
    if baseline is not None and baseline is not series:
        # Some programs take part in the first turns alone.
        paired = paired_ratio(series.values, baseline.values[: len(series.values)])
        ratio = f"{paired.median:.2f}"
        if paired.count > 1:
            ratio += f" ({paired.least:.2f} to {paired.most:.2f})"
    cells = (series.row, f"{series.size:,}", series.peer, *figures, str(found.count), ratio)
    return f"| {' | '.join(cells)} |"


def quantity(value: float, unit: str) -> str:
    """Show a figure with three digits, in the unit that suits it."""
    for scale, name in SCALES.get(unit, ()):
        if value >= scale:
            return f"{_three(value / scale)} {name}"
    scales: Sequence[tuple[float, str]] = SCALES.get(unit, ((1.0, ""),))
    scale, name = scales[-1]
    return f"{_three(value / scale)} {name}".strip()


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _bound(target: Target, value: float) -> str:
    if target.against:
        return f"{value:.2f}"
    memory = target.row.startswith("peak")
    return quantity(value, "B" if memory or "bytes" in target.row else "")

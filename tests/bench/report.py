"""Writes the tables of docs/performance.md, between markers, and its plots, from a result."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.bench import curves, rows
from tests.bench.plot import scale_plots, write_plots
from tests.bench.result import Result, Series
from tests.bench.rows import BASELINE, OURS, TARGETS, Target
from tests.bench.summary import Summary, paired_ratio, summarise

NOT_MEASURED = "Not measured."
PEER_ORDER = (
    OURS,
    BASELINE,
    rows.RECONCILIATION,
    rows.DEPTH,
    rows.HONEST,
    rows.NOTHING,
    "fossil",
    "muchsync",
)
SCALES = {
    "/s": ((1.0, "/s"),),
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((2**20, "MiB"), (2**10, "KiB"), (1.0, "B")),
}


class ReportError(Exception):
    """The document lacks a marker."""


FIGURES = "figures.md"
"""Beside the plots: every figure, which is too long for the page itself."""

BESIDE = (
    "initial",
    "clone",
    "pull",
    "give",
    "far",
    "add",
    "list",
    "growth",
    "space",
    "memory",
    "wire",
    "protocol",
)
"""The groups whose rows are shown beside the other programs."""


def write(result: Result, document: Path) -> None:
    """Replace what is between the markers of a document and of its figures, and the plots there."""
    folder = document.parent / "performance"
    text = document.read_text()
    for name, table in tables(result).items():
        text = replace(text, name, table)
    document.write_text(text)
    figures = folder / FIGURES
    figures.write_text(replace(figures.read_text(), "figures", figure_table(result)))
    write_plots(result, folder)


def tables(result: Result) -> dict[str, str]:
    """Return what is between the markers of the page, by their names."""
    return {
        "machine": machine_table(result),
        "targets": target_table(result),
        "beside": comparison_table(result, BESIDE, "messages"),
        "reuse": comparison_table(result, ["reuse"], "messages"),
        "descent": comparison_table(result, ["descent"], "messages"),
        "scale": scale_table(result),
        "logs": comparison_table(result, ["logs"], "logs"),
        "large": comparison_table(result, ["large"], "messages"),
        "moment": comparison_table(result, ["moment"], "messages"),
        "load": comparison_table(result, ["load"], "clients"),
    }


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


def comparison_table(result: Result, groups: Sequence[str], heading: str) -> str:
    """One line a row and size: the medians of all programs, and ours divided by that of the first other."""
    names = [row for group in groups for row in rows.GROUPS[group] if result.sizes(row)]
    if not names:
        return NOT_MEASURED
    present = {series.peer for series in result.series if series.row in names}
    peers = [peer for peer in PEER_ORDER if peer in present]
    other = next((peer for peer in peers if peer != OURS), None)
    head = ["row", heading, *peers, *([f"{OURS} / {other}"] if other and OURS in peers else [])]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in names:
        for size in result.sizes(row):
            found = {peer: result.find(row, peer, size) for peer in peers}
            cells = [row, f"{size:,}", *map(_middle, found.values())]
            if len(head) > 2 + len(peers):
                cells.append(_ratio(found[OURS], found[other or ""]))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _middle(series: Series | None) -> str:
    return "" if series is None else quantity(summarise(series.values).median, series.unit)


def _ratio(ours: Series | None, theirs: Series | None) -> str:
    if ours is None or theirs is None or any(value <= 0 for value in theirs.values):
        return ""
    number = min(len(ours.values), len(theirs.values))
    found = paired_ratio(ours.values[:number], theirs.values[:number])
    spread = f" ({found.least:.2f} to {found.most:.2f})" if found.count > 1 else ""
    return f"{found.median:.2f}{spread}"


def scale_table(result: Result) -> str:
    """One line an operation: each measure at the smallest and the largest size, with its exponent.

    Below it the plots, where they are drawn.
    """
    head = ["operation", "expected", "at most", "reached", "", *curves.MEASURES]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for operation in curves.OPERATIONS:
        cells = [_growth(result, operation, measure) for measure in curves.MEASURES]
        if not any(cells):
            lines.append(
                f"| {operation.name} | {operation.expected} | | not measured | |{' |' * 5}"
            )
            continue
        found = [
            curves.exponent([point for point in points if point[0] >= operation.least])
            for measure in curves.TIMES
            if (points := _points(result, operation.row(measure)))
        ]
        grows = next((value for value in found if value is not None), None)
        verdict, reached = "", ""
        if grows is not None:
            verdict = "met" if grows <= operation.exponent else "missed"
            reached = f"n^{grows:.2f}"
        begin = (operation.name, operation.expected, f"n^{operation.exponent:.2f}")
        lines.append(f"| {' | '.join((*begin, reached, verdict, *cells))} |")
    plots = [f"![{name}](performance/scale-{name}.svg)" for name in scale_plots(result)]
    return "\n".join([*lines, *([""] if plots else []), *plots])


def _points(result: Result, row: str) -> list[tuple[float, float]]:
    """Return sizes with the least of each size's figures: noise only adds to what there is."""
    found = [(size, result.find(row, OURS, size)) for size in result.sizes(row)]
    return [(size, min(series.values)) for size, series in found if series is not None]


def _growth(result: Result, operation: curves.Operation, measure: str) -> str:
    row = operation.row(measure)
    points = _points(result, row)
    if not points:
        return ""
    first, last = result.find(row, OURS, int(points[0][0])), points[-1]
    unit = "" if first is None else first.unit
    shown = f"{quantity(points[0][1], unit)} to {quantity(last[1], unit)}"
    if len(points) == 1:
        return quantity(last[1], unit)
    grows = curves.exponent([point for point in points if point[0] >= operation.least])
    return shown if grows is None else f"{shown}, n^{grows:.2f}"


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
        ratio = _ratio(series, baseline)  # some programs take part in the first turns alone
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

"""Charts of counts: bars, the hours of a day, and a calendar; drawn with characters."""

from __future__ import annotations

from itertools import groupby

from msglog.annotation import TYPE_CHECKING
from porcelain.display import cells, fit
from porcelain.tally import WEEKDAYS, day_name, weekday

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from porcelain.printing import Piece

    Line: TypeAlias = list[Piece]

_LABEL_WIDTH = 24
_WIDEST = 110
"""Longer bars are hard to compare; a calendar is about as wide."""

_INDENT = "  "
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = " ▁▂▃▄▅▆▇█"
_ASCII_LEVELS = " .:-=+*#@"
_HEAT = "·░▒▓█"
_ASCII_HEAT = ".-+*#"
_HEAT_STYLES = ("dim", "heat1", "heat2", "heat3", "heat4")
WEEKS = 53
"""How many weeks a calendar shows at most."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def bars(
    counts: Sequence[tuple[str, int]], width: int, style: str, *, unicode: bool
) -> Iterator[Line]:
    """Yield a line for each count: its label, which is safe to show, the number, and a bar."""
    labels = [fit(label, _LABEL_WIDTH) for label, _ in counts]
    label_width = max(map(cells, labels), default=0)
    largest = max((count for _, count in counts), default=0)
    number_width = len(str(largest))
    room = max(min(width, _WIDEST) - len(_INDENT) - label_width - number_width - 4, 1)
    for label, (_, count) in zip(labels, counts, strict=True):
        space = " " * (label_width - cells(label))
        bar = _bar(count, largest, room, unicode=unicode)
        line: Line = [_INDENT, (style, label), f"{space}  {count:{number_width}}"]
        yield [*line, "  ", ("bar", bar)] if bar else line


def _bar(count: int, largest: int, room: int, *, unicode: bool) -> str:
    if not count:
        return ""
    if not unicode:
        return "#" * max(round(room * count / largest), 1)
    whole, part = divmod(max(round(8 * room * count / largest), 1), 8)
    return _EIGHTHS[-1] * whole + (_EIGHTHS[part] if part else "")


def hours(counts: Mapping[int, int], width: int, *, unicode: bool) -> Iterator[Line]:
    """Yield the lines of a chart of the hours of a day."""
    size = 2 if width >= len(_INDENT) + 2 * 24 else 1
    levels = _LEVELS if unicode else _ASCII_LEVELS
    largest = max(counts.values(), default=0)
    columns = []
    for hour in range(24):
        count = counts.get(hour, 0)
        level = -(-8 * count // largest) if count else 0
        columns.append(levels[level] * size)
    yield [_INDENT, ("bar", "".join(columns).rstrip() or " ")]
    yield [_INDENT + "".join(f"{hour:<{3 * size}}" for hour in range(0, 24, 3)).rstrip()]


def calendar(days: Mapping[int, int], today: int, width: int, *, unicode: bool) -> Iterator[Line]:
    """Yield the lines of a calendar: a column a week, the more messages the darker a day.

    days: counts by the number of days since 1970, one at least. It ends with the last of them, or
    with today, where later ones are hardly meant; and is as wide as it must be, and can be.
    """
    label = len(_INDENT) + len(WEEKDAYS[0]) + 1
    past = [day for day in days if day <= today]
    last = max(past or days)
    first = min(past or days)
    size = 2 if width >= label + 2 * WEEKS else 1
    weeks = min((width - label) // size, WEEKS, _week(last) - _week(first) + 1)
    start = last - weekday(last) - 7 * (weeks - 1)
    shown = {day: count for day, count in days.items() if start <= day <= last}
    largest = max(shown.values(), default=1)
    heat = _HEAT if unicode else _ASCII_HEAT
    yield [" " * label + _month_names(start, weeks, size)]
    for row, name in enumerate(WEEKDAYS):
        levels = [
            _level(shown.get(day, 0), largest) if day <= last else None
            for day in range(start + row, start + 7 * weeks, 7)
        ]
        line: Line = [f"{_INDENT}{name}"]
        if levels[0] is not None:
            line.append(" ")
        for level, group in groupby(levels):
            number = len(list(group))
            if level is not None:
                line.append((_HEAT_STYLES[level], heat[level].ljust(size) * number))
        yield line
    scale: Line = [_INDENT, "fewer "]
    for level, mark in enumerate(heat):
        scale += [(_HEAT_STYLES[level], mark), " "]
    yield [*scale, f"more: up to {largest} a day"]


def _week(day: int) -> int:
    return (day - weekday(day)) // 7


def _level(count: int, largest: int) -> int:
    return -(-4 * count // largest)


def _month_names(start: int, weeks: int, size: int) -> str:
    """Return the names of months above the first week that begins in each."""
    text = ""
    before = ""
    for week in range(weeks):
        month = day_name(start + 7 * week)[-5:-3]
        place = week * size
        if month != before and (not text or len(text) < place):
            text = text.ljust(place) + _MONTHS[int(month) - 1]
        before = month
    return text

from collections.abc import Iterable

import pytest

from porcelain.chart import bars, calendar, hours
from porcelain.display import cells
from porcelain.printing import Piece

FRIDAY = 20_483
"""2026-01-30."""


def text(lines: Iterable[list[Piece]]) -> list[str]:
    return [
        "".join(piece if isinstance(piece, str) else piece[1] for piece in line) for line in lines
    ]


def test_bars_are_as_long_as_there_is_room() -> None:
    counts = [("ann", 100), ("日本", 50), ("c", 1), ("none", 0)]
    shown = text(bars(counts, 40, "author", unicode=True))
    assert shown == [
        "  ann   100  " + "█" * 27,
        "  日本   50  " + "█" * 13 + "▌",
        "  c       1  ▎",
        "  none    0",
    ]
    assert max(map(cells, shown)) == 40
    assert text(bars(counts, 40, "author", unicode=False))[1:] == [
        "  日本   50  " + "#" * 14, "  c       1  #", "  none    0"
    ]  # fmt: skip
    assert text(bars([], 40, "author", unicode=True)) == []


def test_long_labels_are_cut_by_columns() -> None:
    for label in ("x" * 30, "日" * 30, "é" * 30):
        (line,) = text(bars([(label, 1)], 20, "tag", unicode=True))
        assert cells(line.split("…")[0]) in (24, 25)
        assert line.endswith(("…  1  █", "…   1  █"))


def test_hours() -> None:
    assert text(hours({0: 1, 9: 8, 23: 4}, 50, unicode=True)) == [
        "  ▁▁" + " " * 16 + "██" + " " * 26 + "▄▄",
        "  0     3     6     9     12    15    18    21",
    ]
    assert text(hours({1: 1}, 49, unicode=False)) == ["   @", "  0  3  6  9  12 15 18 21"]


def shown(days: dict[int, int], width: int = 80, today: int = FRIDAY + 10) -> list[str]:
    return [line.rstrip() for line in text(calendar(days, today, width, unicode=False))]


def test_a_calendar() -> None:
    assert shown({FRIDAY: 8, FRIDAY + 3: 1, FRIDAY + 4: 4}) == [
        "      Jan",
        "  Mon .-",
        "  Tue .+",
        "  Wed .",
        "  Thu .",
        "  Fri #",
        "  Sat .",
        "  Sun .",
        "  fewer . - + * # more: up to 8 a day",
    ]


@pytest.mark.parametrize(("width", "weeks", "size"), [(80, 53, 1), (200, 53, 2), (20, 14, 1)])
def test_a_calendar_is_as_wide_as_the_terminal_allows(width: int, weeks: int, size: int) -> None:
    lines = shown({FRIDAY: 1, FRIDAY - 1000: 9}, width=width)
    assert len(lines[1]) == 6 + weeks * size - (size - 1)
    assert max(map(len, lines[:-1])) <= width
    assert lines[-1].endswith("up to 1 a day")  # what is not shown does not count


def test_days_to_come_do_not_push_the_past_away() -> None:
    lines = shown({FRIDAY: 1, FRIDAY + 1_000_000: 1}, today=FRIDAY)
    assert lines[5] == "  Fri #"
    assert lines[6] == "  Sat"
    assert shown({FRIDAY + 1_000_000: 1}, today=FRIDAY)[0] == "      Dec"

from dataclasses import dataclass

import pytest

from msglog.config import DATE_STYLES
from msglog.errors import UsageError
from msglog.key import SECOND, TIME_MAXIMUM, TIME_MINIMUM
from msglog.timestamp import DAY, HOUR, MINUTE, readable, readable_on
from plumbing.context import Context
from porcelain.dates import date_style, human, relative

NOON = 1_769_860_800 * SECOND
"""2026-01-31, a Saturday, at 12:00 UTC."""


def zone(_time: int) -> int:
    return 60


@dataclass
class Here:
    now_is: int = NOON

    def now(self) -> int:
        return self.now_is

    def local_offset(self, time: int) -> int:
        return zone(time)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("local", "2026-01-31 12:30:15 +0100"),
        ("written", "2026-01-31 06:30:15 -0500"),
        ("human", "29 minutes ago"),
        ("relative", "30 minutes ago"),
        ("iso", "2026-01-31 12:30:15"),
        ("rfc3339", "2026-01-31T12:30:15.000005+01:00"),
        ("short", "2026-01-31"),
        ("unix", "1769859015"),
        ("format:%d.%m.%y %H:%M %z", "31.01.26 12:30 +0100"),
    ],
)
def test_styles(style: str, expected: str) -> None:
    time = NOON - 30 * MINUTE + 15 * SECOND + 5
    here = Here()
    if style == "human":
        here.now_is -= 30 * SECOND
    assert date_style(style, here)(time, -300) == expected  # type: ignore[arg-type]


def test_every_style_is_tried() -> None:
    mark = next(mark for mark in test_styles.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {style for style, _ in mark.args[1]} == {*DATE_STYLES, "format:%d.%m.%y %H:%M %z"}


@pytest.mark.parametrize("time", [TIME_MINIMUM, TIME_MAXIMUM, 0, -1])
@pytest.mark.parametrize("style", DATE_STYLES)
def test_all_times_can_be_shown(style: str, time: int) -> None:
    assert date_style(style, Here())(time, 0)  # type: ignore[arg-type]


def test_a_style_that_is_mistyped_is_guessed() -> None:
    for name, hint in (("humn", "Did you mean human?"), ("", "Known are"), ("x\x1b", "Known are")):
        with pytest.raises(UsageError) as caught:
            date_style(name, Here())  # type: ignore[arg-type]
        assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, "now"), (SECOND, "1 second ago"), (89 * SECOND, "89 seconds ago"),
        (90 * SECOND, "2 minutes ago"), (89 * MINUTE, "89 minutes ago"), (90 * MINUTE, "2 hours ago"),
        (35 * HOUR, "35 hours ago"), (36 * HOUR, "2 days ago"), (13 * DAY, "13 days ago"),
        (15 * DAY, "2 weeks ago"), (70 * DAY, "2 months ago"), (400 * DAY, "13 months ago"),
        (800 * DAY, "2 years ago"), (-3 * DAY, "in 3 days"), (-SECOND, "in 1 second"),
    ],
)  # fmt: skip
def test_how_long_ago(age: int, expected: str) -> None:
    assert relative(NOON - age, NOON) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, "now"), (5 * MINUTE, "5 minutes ago"), (61 * MINUTE, "today 11:59"),
        (13 * HOUR, "today 00:00"), (13 * HOUR + 1, "yesterday 23:59"), (36 * HOUR, "yesterday 01:00"),
        (3 * DAY, "Wed 13:00"), (6 * DAY, "Sun 13:00"), (7 * DAY, "Jan 24 13:00"),
        (40 * DAY, "Dec 22 2025"), (-HOUR, "today 14:00"), (-DAY, "tomorrow 13:00"),
        (-3 * DAY, "Feb 3 13:00"), (-400 * DAY, "Mar 7 2027"),
    ],
)  # fmt: skip
def test_as_one_would_say_it(age: int, expected: str) -> None:
    assert human(NOON - age, NOON, zone) == expected


@pytest.mark.parametrize("offset", [0, 60, -300, 345, -1, 7, 840, -840])
@pytest.mark.parametrize(
    "time", [NOON, NOON + 14 * MINUTE + 59 * SECOND, NOON - 1, -1, -(1 << 60), 1 << 61]
)
def test_local_clocks_show_what_any_clock_with_their_offset_does(offset: int, time: int) -> None:
    expected = readable(time, offset)
    assert readable_on(lambda _: offset)(time, 999) == expected
    assert readable_on(lambda _: offset, minutes=True)(time, 999) == expected[:-9]


def test_clocks_that_are_put_forward_are_followed() -> None:
    def summer(time: int) -> int:
        return 120 if time >= NOON else 60

    show = readable_on(summer)
    assert show(NOON - 1, 0) == "2026-01-31 12:59:59 +0100"
    assert show(NOON, 0) == "2026-01-31 14:00:00 +0200"
    assert show(NOON - 1, 0) == "2026-01-31 12:59:59 +0100"


def test_the_context_is_one() -> None:
    assert {"now", "local_offset"} <= set(Context.__slots__)

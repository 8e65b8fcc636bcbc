"""Times for people, in the styles of `--date`: as git has them, on the user's own clocks."""

from __future__ import annotations

import time as clock

from msglog.annotation import TYPE_CHECKING
from msglog.config import DATE_FORMAT, DATE_STYLES
from msglog.errors import UsageError
from msglog.key import SECOND
from msglog.timestamp import DAY, HOUR, MINUTE, readable, readable_on, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from plumbing.context import Context

Date: TypeAlias = "Callable[[int, int], str]"
"""Returns a time (microseconds since 1970 UTC, minutes east of UTC of its author) as text."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEAR = 365 * DAY + DAY // 4
_UNITS = (
    (_YEAR, 2 * _YEAR, "year"),
    (_YEAR // 12, 2 * _YEAR // 12, "month"),
    (7 * DAY, 14 * DAY, "week"),
    (DAY, 36 * HOUR, "day"),
    (HOUR, 90 * MINUTE, "hour"),
    (MINUTE, 90 * SECOND, "minute"),
    (SECOND, 0, "second"),
)
"""How long a unit is, from what age on it is used, and its name."""


class DateStyleError(UsageError):
    """There is no style of this name to show times in."""


def date_style(name: str, context: Context, *, line: bool = False) -> Date:
    """Return what shows times in a style; raises DateStyleError.

    line: on a line that has the message as well.
    `local`: as 2026-01-31 12:30:00 +0100 on the user's clocks, on a line as 2026-01-31 12:30;
    `written`: on those of its author;
    `human`, `relative`, `iso` (without a zone), `rfc3339`, `short` (the day), `unix`, and
    `format:...` as strftime has it, on the user's.
    """
    zone = context.local_offset
    now = context.now()
    if name.startswith(DATE_FORMAT):
        return _strftime(name[len(DATE_FORMAT) :], zone)
    styles: dict[str, Date] = {
        "local": readable_on(zone, minutes=line),
        "written": readable,
        "human": lambda time, _: human(time, now, zone),
        "relative": lambda time, _: relative(time, now),
        "iso": lambda time, _: readable(time, zone(time))[:-6],
        "rfc3339": lambda time, _: rfc3339(time, zone(time)),
        "short": lambda time, _: readable(time, zone(time)).partition(" ")[0],
        "unix": lambda time, _: str(time // SECOND),
    }
    if name not in styles:
        from msglog.guess import advice  # noqa: PLC0415 - only where something was mistyped

        known = f"Known are {', '.join(DATE_STYLES)} and {DATE_FORMAT}STRFTIME."
        raise DateStyleError(
            f"there is no date style {name[:80]!r}", hint=advice(name, DATE_STYLES, see=known)
        )
    return styles[name]


def relative(time: int, now: int) -> str:
    """Return how long ago a time is, such as `2 hours ago`, or `in 3 days`."""
    age = abs(now - time)
    for size, since, unit in _UNITS:
        if age >= since:
            number = (age + size // 2) // size if unit != "second" else age // size
            if number == 0:
                return "now"
            text = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
            return f"{text} ago" if time <= now else f"in {text}"
    raise AssertionError(age)  # every age is 0 or more


def human(time: int, now: int, zone: Callable[[int], int]) -> str:
    """Return a time as one would say it: the nearer, the shorter."""
    if 0 <= now - time < HOUR:
        return relative(time, now)
    local, today = time + zone(time) * MINUTE, now + zone(now) * MINUTE
    at = clock.gmtime(local // SECOND)
    minute = f"{at.tm_hour:02d}:{at.tm_min:02d}"
    days = today // DAY - local // DAY
    if days in (-1, 0, 1):
        return f"{('today', 'yesterday', 'tomorrow')[days]} {minute}"
    if 1 < days < 7:
        return f"{_DAYS[at.tm_wday]} {minute}"
    day = f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday}"
    same_year = at.tm_year == clock.gmtime(today // SECOND).tm_year
    return f"{day} {minute}" if same_year else f"{day} {at.tm_year}"


def _strftime(form: str, zone: Callable[[int], int]) -> Date:
    def date(time: int, _offset: int) -> str:
        offset = zone(time)
        at = clock.gmtime(time // SECOND + offset * 60)
        name = readable(time, offset)[-5:]
        return clock.strftime(form, clock.struct_time((*at[:9], name, offset * 60)))

    return date

"""Times as text: RFC 3339 with microseconds and an offset, or as people read them. Pure."""

from __future__ import annotations

import time
from functools import lru_cache

from msglog.annotation import TYPE_CHECKING
from msglog.key import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

_HOUR = 3600
_TWO_DIGITS = tuple([f"{number:02d}" for number in range(60)])

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
_QUARTER = 15 * MINUTE
DAY = 24 * HOUR


def rfc3339(moment: int, offset: int) -> str:
    """Return a time (microseconds since 1970 UTC) as RFC 3339 with microseconds and its offset.

    offset: minutes east of UTC. Years past 9999 and before 0 are written as ISO 8601 does, with a
    sign and six digits.
    """
    seconds, fraction = divmod(moment, SECOND)
    hour, rest = divmod(seconds + offset * 60, _HOUR)
    date, clock = _date_and_hour(hour)
    minute, second = divmod(rest, 60)
    return (
        f"{date}T{clock}:{_TWO_DIGITS[minute]}:{_TWO_DIGITS[second]}.{fraction:06d}"
        f"{_zone(offset, ':')}"
    )


def readable(moment: int, offset: int) -> str:
    """Return a time for people, such as `2026-01-31 12:30:00 +0100`."""
    hour, rest = divmod(moment // SECOND + offset * 60, _HOUR)
    date, clock = _date_and_hour(hour)
    minute, second = divmod(rest, 60)
    return f"{date} {clock}:{_TWO_DIGITS[minute]}:{_TWO_DIGITS[second]} {_zone(offset, '')}"


def readable_on(zone: Callable[[int], int], *, minutes: bool = False) -> Callable[[int, int], str]:
    """Return what is `readable`, but shows all times as the clocks of one place do.

    zone: minutes east of UTC that they show at a time. minutes: end with the minute. What is
    returned takes the offset as well, and does not look at it.
    """

    @lru_cache(maxsize=64)
    def start(quarter: int) -> tuple[str, int, str]:
        """Return the hour as text, the minute, and the offset as text."""
        offset = zone(quarter * _QUARTER)  # clocks are put forward and back at quarters
        hour, minute = divmod(quarter * 15 + offset, 60)
        date, clock = _date_and_hour(hour)
        return f"{date} {clock}:", minute, f" {_zone(offset, '')}"

    def to_the_second(time: int, _offset: int) -> str:
        quarter, rest = divmod(time, _QUARTER)
        hour, first, offset = start(quarter)
        minute, second = divmod(rest // SECOND, 60)
        minute += first
        if minute > 59:  # the offset is no whole number of quarters
            return readable(time, zone(time))
        return f"{hour}{_TWO_DIGITS[minute]}:{_TWO_DIGITS[second]}{offset}"

    def to_the_minute(time: int, _offset: int) -> str:
        quarter, rest = divmod(time, _QUARTER)
        hour, first, _ = start(quarter)
        minute = first + rest // MINUTE
        if minute > 59:
            return readable(time, zone(time))[:-9]
        return f"{hour}{_TWO_DIGITS[minute]}"

    return to_the_minute if minutes else to_the_second


# A log is shown in the order of time, so that many messages in a row share their hour.
@lru_cache(maxsize=64)
def _date_and_hour(hour: int) -> tuple[str, str]:
    at = time.gmtime(hour * _HOUR)
    year = f"{at.tm_year:04d}" if 0 <= at.tm_year <= 9999 else f"{at.tm_year:+07d}"
    return f"{year}-{at.tm_mon:02d}-{at.tm_mday:02d}", f"{at.tm_hour:02d}"


@lru_cache(maxsize=64)
def _zone(offset: int, between: str) -> str:
    sign, minutes = ("-", -offset) if offset < 0 else ("+", offset)
    return f"{sign}{minutes // 60:02d}{between}{minutes % 60:02d}"

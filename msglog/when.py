"""Times as people and programs write them, to and from microseconds since 1970 UTC. Pure."""

from __future__ import annotations

import re
import time

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.key import SECOND, TIME_MAXIMUM, TIME_MINIMUM
from msglog.message import OFFSET_MINUTES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

LocalOffset: TypeAlias = "Callable[[int], int]"
"""Minutes east of UTC that local clocks show at a time."""

DAY = 86_400 * SECOND
_UNITS = {
    "second": SECOND,
    "sec": SECOND,
    "s": SECOND,
    "minute": 60 * SECOND,
    "min": 60 * SECOND,
    "m": 60 * SECOND,
    "hour": 3600 * SECOND,
    "hr": 3600 * SECOND,
    "h": 3600 * SECOND,
    "day": DAY,
    "d": DAY,
    "week": 7 * DAY,
    "w": 7 * DAY,
}
_MONTHS = {"month": 1, "mon": 1, "year": 12, "y": 12}
_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
_DATE = r"(?P<year>[+-]\d{4,6}|\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_PART_OF_DATE = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?", re.ASCII)
_LAST_TIME = "23:59:59.999999"
_CLOCK = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
_ZONE = r"(?P<zone>z|[+-]\d\d:?\d\d)"
_ABSOLUTE = re.compile(rf"{_DATE}(?:[t ]{_CLOCK} ?{_ZONE}?)?", re.ASCII)
_TIME_OF_DAY = re.compile(rf"(?:(?P<word>today|yesterday|tomorrow) ?)?(?:{_CLOCK})?", re.ASCII)
_EPOCH = re.compile(r"@(-?\d{1,19})(?:\.(\d{1,9}))?", re.ASCII)
_SPAN = r"(?:\d{1,9} ?|(?:an?|one) )[a-z]+"
_RELATIVE = re.compile(
    rf"(?P<sign>[+-]|in )?(?P<spans>{_SPAN}(?:(?: |, | and )?{_SPAN})*)(?P<ago> ago)?", re.ASCII
)
_ONE_SPAN = re.compile(r"(?:(\d{1,9}) ?|\b(?:an?|one) )([a-z]+)", re.ASCII)


class WhenError(UsageError):
    """A text says no time that we understand."""

    def __init__(self, text: str, why: str = "", *, hint: str = "") -> None:
        super().__init__(
            f"cannot tell what time {text[:80]!r} is",
            why=why,
            hint=hint
            or "Write it like 2026-01-31T12:30:00+01:00, 2026-01-31, 12:30, yesterday or"
            " '2 hours ago'.",
        )


class SpanError(UsageError):
    """A text says no span of time that we understand."""

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(
            f"cannot tell how long {text[:80]!r} is",
            why=why,
            hint="Write it like 30s, 5m or 1h30m.",
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in microseconds since 1970 UTC, with minutes east of UTC to show it in."""

    time: int
    offset: int


def parse(text: str, *, now: int, local_offset: LocalOffset) -> Moment:
    """Return the moment that text says; raises WhenError.

    Understood: RFC 3339 (without an offset: local time), a date (its start, local time), a time of
    today, `now`, `today`, `yesterday 12:30`, `2 hours ago`, `-2h`, `in 3 days`, `1h30m ago`,
    `@SECONDS` since 1970. Months and years are those of the calendar.
    """
    folded = " ".join(text.lower().split())
    moment = _parse(folded, text, now, local_offset)
    if not TIME_MINIMUM <= moment.time <= TIME_MAXIMUM:
        raise WhenError(text, "it is too far away")
    return moment


def parse_bound(text: str, *, last: bool, now: int, local_offset: LocalOffset) -> Moment:
    """Return the first or the last moment of the time that text says; raises WhenError.

    Understood is what `parse` does, and months and years such as `2026-01` and `2026`. Days,
    months and years are whole; any other time is a moment, which is both.
    """
    folded = " ".join(text.lower().split())
    match = _PART_OF_DATE.fullmatch(folded)
    if match is None:
        if last and folded in _DAYS:
            text = f"{text} {_LAST_TIME}"
        return parse(text, now=now, local_offset=local_offset)
    year, month = int(match["year"]), int(match["month"] or 1)
    try:
        if match["day"] is not None:
            day = f"{folded} {_LAST_TIME}" if last else folded
            return parse(day, now=now, local_offset=local_offset)
        # Which also tells that there is such a month.
        start = parse(f"{year:04}-{month:02}-01", now=now, local_offset=local_offset)
        if not last:
            return start
        if match["month"] is None:
            month = 12
        end = f"{year:04}-{month:02}-{_month_days(year, month)} {_LAST_TIME}"
        return parse(end, now=now, local_offset=local_offset)
    except WhenError as error:
        raise WhenError(text, error.why) from error


def _parse(folded: str, text: str, now: int, local_offset: LocalOffset) -> Moment:
    if folded == "now":
        return Moment(now, local_offset(now))
    match = _ABSOLUTE.fullmatch(folded)
    if match is not None:
        return _absolute(match, text, local_offset)
    match = _EPOCH.fullmatch(folded)
    if match is not None:
        fraction = int((match[2] or "")[:6].ljust(6, "0"))
        seconds = int(match[1])
        moment = seconds * SECOND + (-fraction if match[1].startswith("-") else fraction)
        return Moment(moment, local_offset(moment))
    match = _TIME_OF_DAY.fullmatch(folded)
    if match is not None and folded:
        today = (now + local_offset(now) * 60 * SECOND) // DAY
        days = today + _DAYS.get(match["word"], 0)
        return _local(days * DAY + _time_of_day(match, text), local_offset)
    match = _RELATIVE.fullmatch(folded)
    if match is not None:
        return _relative(match, text, now, local_offset)
    raise WhenError(text)


def parse_span(text: str) -> int:
    """Return the microseconds of a span such as `30s`, `5 minutes` or `1h30m`; raises SpanError."""
    folded = " ".join(text.lower().split())
    match = _RELATIVE.fullmatch(folded)
    if match is None or match["sign"] is not None or match["ago"] is not None:
        raise SpanError(text)
    duration = 0
    for number, unit in _ONE_SPAN.findall(folded):
        size = _unit(unit, _UNITS)
        if size is None:
            raise SpanError(text, f"{unit!r} is no unit of a fixed length")
        duration += int(number or 1) * size
    return duration


def _unit(name: str, units: Mapping[str, int]) -> int | None:
    """Return how long a unit is. Of its short name there is no plural: `ms` are no minutes."""
    return units.get(name, units.get(name.removesuffix("s")) if len(name) > 2 else None)


def _absolute(match: re.Match[str], text: str, local_offset: LocalOffset) -> Moment:
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if not 1 <= month <= 12 or not 1 <= day <= _month_days(year, month):
        raise WhenError(text, "there is no such day")
    wall = _days_from_civil(year, month, day) * DAY + _time_of_day(match, text)
    zone = match["zone"]
    if zone is None:
        return _local(wall, local_offset)
    offset = _parse_zone(zone, text)
    return Moment(wall - offset * 60 * SECOND, offset)


def _time_of_day(match: re.Match[str], text: str) -> int:
    if match["hour"] is None:
        return 0
    hour, minute = int(match["hour"]), int(match["minute"])
    second = int(match["second"] or 0)
    # RFC 3339 allows the sixtieth second, a leap second, which UNIX time counts to the next.
    if hour > 23 or minute > 59 or second > 60:
        raise WhenError(text, "there is no such time of day")
    fraction = int((match["fraction"] or "")[:6].ljust(6, "0"))
    return (hour * 3600 + minute * 60 + second) * SECOND + fraction


def _parse_zone(zone: str, text: str) -> int:
    if zone == "z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = hours * 60 + minutes
    if minutes > 59 or offset > OFFSET_MINUTES_LIMIT:
        raise WhenError(text, "offsets from UTC go up to 14 hours")
    return -offset if zone.startswith("-") else offset


def _local(wall: int, local_offset: LocalOffset) -> Moment:
    """Return the moment at which local clocks show wall; the offset in force decides twice."""
    guess = wall - local_offset(wall) * 60 * SECOND
    moment = wall - local_offset(guess) * 60 * SECOND
    return Moment(moment, local_offset(moment))


def _relative(match: re.Match[str], text: str, now: int, local_offset: LocalOffset) -> Moment:
    sign = match["sign"]
    if match["ago"] is not None and sign is not None:
        raise WhenError(text)
    direction = -1 if sign in (None, "-") else 1
    duration = months = 0
    for number, unit in _ONE_SPAN.findall(match["spans"]):
        count = int(number or 1)
        fixed, calendar = _unit(unit, _UNITS), _unit(unit, _MONTHS)
        if fixed is not None:
            duration += count * fixed
        elif calendar is not None:
            months += count * calendar
        else:
            raise WhenError(text, f"{unit!r} is no unit of time")
    if match["ago"] is None and sign is None:
        spans = match["spans"][:80]
        raise WhenError(text, hint=f"Write '{spans} ago' or 'in {spans}'.")
    moment = now + direction * duration
    if months:
        moment = _add_months(moment, direction * months, local_offset)
    return Moment(moment, local_offset(moment))


def _add_months(moment: int, months: int, local_offset: LocalOffset) -> int:
    wall = moment + local_offset(moment) * 60 * SECOND
    days, rest = divmod(wall, DAY)
    date = time.gmtime(days * 86_400)
    year, month = divmod(date.tm_year * 12 + date.tm_mon - 1 + months, 12)
    if not -999_999 <= year <= 999_999:
        return TIME_MAXIMUM + 1
    day = min(date.tm_mday, _month_days(year, month + 1))
    return _local(_days_from_civil(year, month + 1, day) * DAY + rest, local_offset).time


def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days_from_civil(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a day of the proleptic Gregorian calendar."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468

"""The clock and the zone of this machine, and times as programs give them."""

from __future__ import annotations

import time

from msglog.key import SECOND
from msglog.when import Moment, parse, parse_bound


def now() -> int:
    """Return the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def local_offset(moment: int) -> int:
    """Return how many minutes east of UTC local clocks are at a time; 0 where no one can tell."""
    try:
        return time.localtime(moment // SECOND).tm_gmtoff // 60
    except (OverflowError, OSError, ValueError):
        return 0


def bound_of(when: object, *, last: bool = False) -> int:
    """Return the first or last moment of a time that was given, in microseconds since 1970 UTC.

    A datetime is a moment; a date, and the days, months and years that a text says, are whole.
    Raises WhenError, or ArgumentTypeError for anything else.
    """
    if isinstance(when, str):
        return parse_bound(when, last=last, now=now(), local_offset=local_offset).time
    if last:
        from datetime import date, datetime  # noqa: PLC0415 - who gives one has imported it

        if isinstance(when, date) and not isinstance(when, datetime):
            return bound_of(when.isoformat(), last=True)
    return moment_of(when).time


def moment_of(when: object) -> Moment:
    """Return the moment that a datetime, a date or a text says; without a zone it is local time.

    A date is its beginning. Raises WhenError, or ArgumentTypeError for anything else.
    """
    if isinstance(when, str):
        return parse(when, now=now(), local_offset=local_offset)
    from datetime import UTC, date, datetime  # noqa: PLC0415 - who gives one has imported it

    if not isinstance(when, datetime):
        if isinstance(when, date):
            return parse(when.isoformat(), now=now(), local_offset=local_offset)
        from msglog.argument import ArgumentTypeError  # noqa: PLC0415 - only for this

        raise ArgumentTypeError(
            "a time", when, "a datetime, a date or a text such as '2 hours ago' is wanted"
        )
    offset = when.utcoffset()
    if offset is None:
        try:
            when = when.astimezone()
        except (OverflowError, OSError, ValueError):  # within a day of year 1 or 9999
            when = when.replace(tzinfo=UTC)
        offset = when.utcoffset()
        assert offset is not None, "it has a zone"
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    time = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
    return Moment(time, (offset.days * 86_400 + offset.seconds) // 60)

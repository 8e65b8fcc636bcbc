"""The clock and the zone of this machine, and times as programs give them."""

from __future__ import annotations

import time

from msglog.annotation import TYPE_CHECKING
from msglog.key import SECOND
from msglog.when import Moment, parse, parse_bound

if TYPE_CHECKING:
    from datetime import datetime


def now() -> int:
    """Return the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def local_offset(moment: int) -> int:
    """Return how many minutes east of UTC local clocks are at a time; 0 where no one can tell."""
    try:
        return time.localtime(moment // SECOND).tm_gmtoff // 60
    except (OverflowError, OSError, ValueError):
        return 0


def bound_of(when: datetime | str, *, last: bool = False) -> int:
    """Return the first or last moment of a datetime or a text, in microseconds since 1970 UTC.

    Days, months and years that a text says are whole. Raises WhenError.
    """
    if isinstance(when, str):
        return parse_bound(when, last=last, now=now(), local_offset=local_offset).time
    return moment_of(when).time


def moment_of(when: datetime | str) -> Moment:
    """Return the moment that a datetime or a text says; without a zone it is local time.

    Raises WhenError.
    """
    if isinstance(when, str):
        return parse(when, now=now(), local_offset=local_offset)
    from datetime import UTC, datetime  # noqa: PLC0415 - who gives one has imported it

    if when.tzinfo is None:
        when = when.astimezone()
    offset = when.utcoffset()
    assert offset is not None, "it has a zone"
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    time = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
    return Moment(time, (offset.days * 86_400 + offset.seconds) // 60)

"""Times as text: RFC 3339 with microseconds and an offset. Pure."""

from __future__ import annotations

import time

SECOND = 1_000_000
"""Times are in microseconds since 1970 UTC."""

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def rfc3339(moment: int, offset: int) -> str:
    """Return a time (microseconds since 1970 UTC) as RFC 3339 with microseconds and its offset.

    offset: minutes east of UTC. Years past 9999 and before 0 are written as ISO 8601 does, with a
    sign and six digits.
    """
    seconds, fraction = divmod(moment, SECOND)
    at = time.gmtime(seconds + offset * 60)
    year = f"{at.tm_year:04d}" if 0 <= at.tm_year <= 9999 else f"{at.tm_year:+07d}"
    sign, minutes = ("-", -offset) if offset < 0 else ("+", offset)
    return (
        f"{year}-{at.tm_mon:02d}-{at.tm_mday:02d}T{at.tm_hour:02d}:{at.tm_min:02d}"
        f":{at.tm_sec:02d}.{fraction:06d}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    )

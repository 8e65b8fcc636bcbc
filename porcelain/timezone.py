"""Time zones as people name them."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.message import OFFSET_MINUTES_LIMIT

if TYPE_CHECKING:
    from datetime import tzinfo

_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>[0-5]\d)", re.ASCII)


class TimezoneError(UsageError):
    """A text names no time zone."""


def parse_timezone(text: str) -> tzinfo:
    """Return the zone that a name of the time zone database or an offset says."""
    if text in ("UTC", "Z", "utc", "z"):
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is not None:
        minutes = 60 * int(match["hours"]) + int(match["minutes"])
        if minutes <= OFFSET_MINUTES_LIMIT:
            return timezone(timedelta(minutes=-minutes if match["sign"] == "-" else minutes))
        raise TimezoneError(f"{text!r} is no offset", why="they go up to 14 hours")
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only for named zones

    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:
        raise TimezoneError(
            f"there is no time zone {text[:80]!r}",
            hint="Give a name such as Europe/Zurich, or an offset such as +02:00.",
        ) from error

"""Lengths of time as settings say them: `2 weeks`, `36h`. Pure."""

from __future__ import annotations

from msglog.timestamp import DAY, HOUR

VALUES = r"[1-9][0-9]{0,3} ?(?:h|hours?|d|days?|w|weeks?)"
"""A regular expression of all that is understood; the shortest is an hour."""

MEANING = "a number of hours, days or weeks, such as `2 weeks`"

_UNITS = {"h": HOUR, "d": DAY, "w": 7 * DAY}
_PARTS = r"([0-9]+) ?([hdw])[a-z]*"


def microseconds(text: str) -> int:
    """Return how long a text that VALUES takes says; raises ValueError for any other."""
    import re  # noqa: PLC0415 - settings are looked at more often than set

    match = re.fullmatch(_PARTS, text, re.ASCII)
    if match is None or re.fullmatch(VALUES, text, re.ASCII) is None:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2]]

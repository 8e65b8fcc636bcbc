"""Counting messages by author, tag, day, weekday and hour, on the clocks of one place."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.message import Message, decode_object
from msglog.message_scan import scan
from msglog.timestamp import DAY, HOUR, MINUTE, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_QUARTER = 15 * MINUTE
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FIRST_WEEKDAY = 3
"""1970-01-01 was a Thursday."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many messages there are of each kind.

    authors: None counts those that need a newer msglog. tags: a message counts for each of its own.
    days: by the number of days since 1970. weekdays: from Monday, 0. hours: 0 to 23.
    """

    authors: Counter[str | None] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)
    weekdays: Counter[int] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many messages there are in all."""
        return self.days.total()


def tally(parts: Iterable[list[bytes]], zone: Callable[[int], int]) -> Tally:
    """Count messages, given some at a time; zone: minutes east of UTC at a time."""

    @lru_cache(maxsize=4096)
    def hour_of(quarter: int) -> int:
        return (quarter * _QUARTER + zone(quarter * _QUARTER) * MINUTE) // HOUR

    hours: Counter[int] = Counter()
    result = Tally()
    for objects in parts:
        for data in objects:
            plain = scan(data)
            if plain is not None:
                _, time, _, author, _, tags, _ = plain
                result.authors[author] += 1
            else:
                message = decode_object(data)
                time, tags = message.time, ()
                if isinstance(message, Message):
                    tags = message.tags
                    result.authors[message.author] += 1
                else:
                    result.authors[None] += 1
            hours[hour_of(time // _QUARTER)] += 1
            if tags:
                result.tags.update(tags)
    for hour, count in hours.items():
        day = hour // 24
        result.days[day] += count
        result.weekdays[weekday(day)] += count
        result.hours[hour % 24] += count
    return result


def weekday(day: int) -> int:
    """Return the day of the week, from Monday, 0, of a number of days since 1970."""
    return (day + _FIRST_WEEKDAY) % 7


def day_name(day: int) -> str:
    """Return a number of days since 1970 as a date."""
    return readable(day * DAY, 0).partition(" ")[0]

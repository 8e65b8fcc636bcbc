"""When a repeated command is to try next, and whether a session lasts until then. Pure."""

from __future__ import annotations

from msglog.dataclass import dataclass
from msglog.when import SpanError, parse_span

SHORTEST_SECONDS = 5
"""The shortest interval: each round is work for a server, and lines in its audit."""

LONGEST_SECONDS = 366 * 86_400

SESSION_SECONDS = 270.0
"""How long a session is kept in which nothing moves: a server gives up after 300 seconds."""

FIRST_DELAY_SECONDS = 4.0
LONGEST_DELAY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rounds at a fixed distance from start to start; all times are in seconds of one clock."""

    interval: float

    def until_next(self, started: float, now: float) -> float:
        """Return how long to wait for the next round: more than 0, at most the interval.

        started: when a round began. Those that should have begun while it lasted are left out.
        """
        return self.interval - (now - started) % self.interval

    def after_failure(self, failures: int, chance: float) -> float:
        """Return how long to wait after so many failures in a row, of which there is at least one.

        chance: from 0 to 1, different for every client: it spreads those who were cut off together
        over half of the time. The time doubles up to LONGEST_DELAY_SECONDS.
        """
        return delay_after(failures, chance)

    def outlasts(self, moved: float, until: float) -> bool:
        """Tell whether a session in which something last moved at a time is good until another."""
        return until - moved <= SESSION_SECONDS


def delay_after(
    failures: int,
    chance: float,
    *,
    first: float = FIRST_DELAY_SECONDS,
    longest: float = LONGEST_DELAY_SECONDS,
) -> float:
    """Return how many seconds to wait after so many failures in a row; see `after_failure`."""
    doublings = min(failures - 1, 16)
    return min(first * (1 << doublings), longest) * (0.5 + chance / 2)


def parse_interval(text: str) -> Schedule:
    """Return the schedule for an interval such as `30s`, `5m` or `1h30m`; raises SpanError."""
    seconds = parse_span(text) // 1_000_000
    if seconds < SHORTEST_SECONDS:
        raise SpanError(text, f"{SHORTEST_SECONDS} seconds are the shortest interval")
    if seconds > LONGEST_SECONDS:
        raise SpanError(text, "a year is the longest interval")
    return Schedule(float(seconds))

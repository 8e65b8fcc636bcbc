"""How far work has come, how fast it is and how long it will take, in words. Pure."""

from __future__ import annotations

from collections import deque

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from porcelain.tidying import shown_size

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAUSIBLE = 10**12
"""No log has so many messages, and no file so many MiB: whoever says more is not believed."""

_WINDOW_SECONDS = 10.0
_LONGEST_SECONDS = 100 * 3600


@dataclass(frozen=True, slots=True)
class Step:
    """How far work has come: done of total messages, size of whole bytes; None: nobody knows."""

    done: int
    total: int | None
    size: int
    whole: int | None

    @property
    def fraction(self) -> float | None:
        """What part of the work is done, by the messages or else by the bytes."""
        for done, total, most in (
            (self.done, self.total, PLAUSIBLE),
            (self.size, self.whole, PLAUSIBLE << 20),
        ):
            if total is not None and 0 < total <= most and 0 <= done <= total:
                return done / total
        return None


class Pace:
    """Knows the last seconds of a piece of work. started: by the same clock as the steps."""

    def __init__(self, started: float) -> None:
        self._steps: deque[tuple[float, Step]] = deque([(started, Step(0, None, 0, None))])

    def words(self, now: float, step: Step) -> Sequence[str]:
        """Return what is known: the count, the rate, the time left, the bytes; "" for what is not.

        The most important comes first.
        """
        steps = self._steps
        steps.append((now, step))
        while len(steps) > 2 and steps[1][0] < now - _WINDOW_SECONDS:
            steps.popleft()
        then, before = steps[0]
        seconds = now - then
        rate = max(step.done - before.done, 0) / seconds if seconds > 0 else 0.0
        return (
            _count(step),
            _left(step, before, seconds),
            f"{rate:,.0f}/s" if rate >= 1 else "",
            shown_size(step.size) if step.size > 0 else "",
        )


def _count(step: Step) -> str:
    done = max(step.done, 0)
    if step.total is None or not done <= step.total <= PLAUSIBLE or step.total <= 0:
        return f"{done:,}" if done else ""
    return f"{done:,}/{step.total:,}"


def _left(step: Step, before: Step, seconds: float) -> str:
    fraction, then = step.fraction, before.fraction or 0.0
    if fraction is None or fraction <= then or seconds <= 0:
        return ""
    left = (1 - fraction) * seconds / (fraction - then)
    if left > _LONGEST_SECONDS:
        return ""
    minutes, second = divmod(int(left + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d} left" if hours else f"{minute}:{second:02d} left"

"""What the cost of an operation should be against the size of a log, and what it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msglog.index.node import LEAF_LIMIT

DECADES = 3
"""The exponent is that of so many upper decades: below, what does not grow hides what does."""

COMMAND, LIBRARY = "command", "in process"
WRITTEN, NODES, MEMORY = "bytes written", "index nodes", "peak memory"
UNITS = {COMMAND: "s", LIBRARY: "s", WRITTEN: "B", NODES: "", MEMORY: "B"}
MEASURES = tuple(UNITS)
"""What is measured of an operation, where it applies."""

TIMES = (LIBRARY, COMMAND)
"""By what an exponent is judged: in process where that was measured."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. expected: how its time grows with n messages, in words; exponent: the most that allows.

    least: of a smaller log the expectation does not hold, and its exponent does not count.
    """

    name: str
    expected: str
    exponent: float
    least: int = 0

    def row(self, measure: str) -> str:
        return f"scale: {self.name}, {measure}"


ADD = Operation("add of 1", "O(log n)", 0.15)
PUSH = Operation("push of 1", "O(log n)", 0.15)
PULL = Operation("no-op pull", "O(1)", 0.15)
VERIFY = Operation("verify", "O(n)", 1.1)
GC = Operation("gc", "O(n)", 1.1)
DIFFERENCES = tuple(10**power for power in range(6))
SPREAD = "O(k log(n/k)) from a leaf each on"
RECENT = {k: Operation(f"difference of {k:,}, recent", "O(k + log n)", 0.15) for k in DIFFERENCES}
SCATTERED = {
    k: Operation(f"difference of {k:,}, scattered", SPREAD, 0.3, k * LEAF_LIMIT)
    for k in DIFFERENCES
}
BETWEEN = (*RECENT.values(), *SCATTERED.values())
OTHERS = (ADD, PUSH, PULL, VERIFY, GC)
OPERATIONS = (ADD, PUSH, PULL, *BETWEEN, VERIFY, GC)
ROWS = tuple(operation.row(measure) for operation in OPERATIONS for measure in MEASURES)


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """Return b of the y = a x^b that fits best by least squares of the logarithms.

    Of the upper decades alone; None where fewer than three points, or a figure of 0, leave nothing to fit.
    """
    most = max((x for x, _ in points), default=0)
    upper = [(x, y) for x, y in points if x * 10**DECADES >= most]
    if len(upper) < 3 or any(y <= 0 for _, y in upper):
        return None
    logs = [(math.log(x), math.log(y)) for x, y in upper]
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    above = sum((x - middle_x) * (y - middle_y) for x, y in logs)
    below = sum((x - middle_x) ** 2 for x, _ in logs)
    return above / below if below else None

"""What is said of work under way, from steps at known times."""

import pytest

from porcelain.pace import PLAUSIBLE, Pace, Step


def words(*steps: tuple[float, Step]) -> list[str]:
    pace = Pace(0.0)
    said: list[str] = []
    for now, step in steps:
        said = list(pace.words(now, step))
    return said


def messages(done: int, total: int | None = None, size: int = 0, whole: int | None = None) -> Step:
    return Step(done, total, size, whole)


@pytest.mark.parametrize(
    ("step", "fraction"),
    [
        (messages(1, 4), 0.25),
        (messages(4, 4), 1.0),
        (messages(0, 4), 0.0),
        (messages(1, 4, 1, 2), 0.25),  # messages before bytes
        (messages(1, None, 1, 2), 0.5),
        (messages(1, 0, 1, 2), 0.5),
        (messages(1), None),
        (messages(5, 4), None),
        (messages(-1, 4), None),
        (messages(1, PLAUSIBLE + 1), None),
        (messages(1, None, 1, 0), None),
    ],
)
def test_what_part_is_done(step: Step, fraction: float | None) -> None:
    assert step.fraction == fraction


@pytest.mark.parametrize(
    ("seconds", "step", "said"),
    [
        (10, messages(2500, 10_000), ["2,500/10,000", "0:30 left", "250/s", ""]),
        (10, messages(2500, None, 2_500_000, None), ["2,500", "", "250/s", "2.5 MB"]),
        (10, messages(7, None, 25, 100), ["7", "0:30 left", "", "25 B"]),
        (60, messages(100, 7300), ["100/7,300", "1:12:00 left", "2/s", ""]),
        (60, messages(1, 10**9), ["1/1,000,000,000", "", "", ""]),  # more than 100 hours
        (0, messages(1, 2), ["1/2", "", "", ""]),
        (1, messages(0, 5), ["0/5", "", "", ""]),
        (1, messages(0), ["", "", "", ""]),
        (1, messages(9, 4), ["9", "", "9/s", ""]),
        (1, messages(-9, -4, -1, -1), ["", "", "", ""]),
    ],
)
def test_what_is_said(seconds: float, step: Step, said: list[str]) -> None:
    assert words((seconds, step)) == said


def test_the_last_seconds_decide() -> None:
    steps = [(float(second), messages(10 * second, 10_000)) for second in range(1, 31)]
    steps += [(30.0 + second, messages(300 + 100 * second, 10_000)) for second in range(1, 21)]
    assert words(*steps)[:3] == ["2,300/10,000", "1:17 left", "100/s"]


def test_a_clock_that_goes_back_does_no_harm() -> None:
    assert words((5.0, messages(5, 10)), (-7.0, messages(6, 10)))[0] == "6/10"

from io import BytesIO
from pathlib import Path

import pytest

from plumbing.context import Context
from porcelain.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def context(**options: bool) -> tuple[Context, BytesIO]:
    error = BytesIO()
    here = Path("/")
    return Context(here, here, BytesIO(), BytesIO(), error, **options), error  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, False),
        ({"stderr_terminal": True}, True),
        ({"progress": True}, True),
        ({"progress": True, "quiet": True}, False),
    ],
)
def test_on_a_terminal_or_on_demand(options: dict[str, bool], *, shown: bool) -> None:
    surroundings, error = context(**options)
    clock = Clock()
    with Progress(surroundings, "Sending [red]", clock) as progress:
        clock.now += 1
        progress.update(5, 10)
    assert (b"Sending [red]" in error.getvalue()) == shown
    assert (b"5/10" in error.getvalue()) == shown


def test_only_after_half_a_second_and_ten_times_a_second() -> None:
    surroundings, error = context(progress=True)
    clock = Clock()
    with Progress(surroundings, "Sending", clock) as progress:
        clock.now += 0.4
        progress.update(1)
        assert error.getvalue() == b""
        clock.now += 0.2
        progress.update(2)
        first = len(error.getvalue())
        assert first > 0
        progress.update(3)
        assert len(error.getvalue()) == first
        clock.now += 0.2
        progress.update(4, 9)
        assert b"4/9" in error.getvalue()

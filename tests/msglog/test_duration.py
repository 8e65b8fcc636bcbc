"""Lengths of time as settings say them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.duration import VALUES, microseconds
from msglog.timestamp import DAY, HOUR


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1h", HOUR),
        ("1 hour", HOUR),
        ("36 hours", 36 * HOUR),
        ("14d", 14 * DAY),
        ("1 day", DAY),
        ("2 weeks", 14 * DAY),
        ("9999w", 9999 * 7 * DAY),
    ],
)
def test_what_is_understood(text: str, length: int) -> None:
    assert microseconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "0h", "h", "1", "1m", "1 month", "-1h", "1.5h", "1h ", "1 dog"]
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        microseconds(text)


@given(st.from_regex(re.compile(VALUES, re.ASCII), fullmatch=True))
def test_whatever_the_expression_takes_is_at_least_an_hour(text: str) -> None:
    assert microseconds(text) >= HOUR

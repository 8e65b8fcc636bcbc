import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.config import Remote
from msglog.key import FIRST_KEY, first_key_at
from msglog.timestamp import DAY, MINUTE
from msglog.view import (
    Scope,
    ViewError,
    format_since,
    parse_since,
    readable_since,
    scope_of,
)

JANUARY = 1_767_225_600_000_000
"""2026-01-01 in UTC."""


@given(st.integers(-62_000_000_000_000_000, 253_000_000_000_000_000), st.integers(-840, 840))
def test_a_time_comes_back_as_it_was(moment: int, offset: int) -> None:
    assert parse_since(format_since(moment, offset)) == first_key_at(moment)


@pytest.mark.parametrize("moment", [-(1 << 63), -62_135_596_800_000_000, (1 << 63) - 1])
def test_years_that_configuration_cannot_hold_are_refused(moment: int) -> None:
    with pytest.raises(ViewError, match="years 1 to 9999"):
        format_since(moment, 0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T00:00:00Z", JANUARY),
        ("2026-01-01T01:00:00+01:00", JANUARY),
        ("2026-01-01T00:00:00.000005+00:00", JANUARY + 5),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_a_time_of_configuration(text: str, moment: int) -> None:
    assert parse_since(text) == first_key_at(moment)


@pytest.mark.parametrize(
    "text", ["x", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "0001-01-01T00:00:00+99:00"]
)
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(ViewError, match=text[:4]):
        parse_since(text)


def test_a_day_is_shown_as_a_day_where_it_begins() -> None:
    assert readable_since(first_key_at(JANUARY), 0) == "2026-01-01"
    assert readable_since(first_key_at(JANUARY - 60 * MINUTE), 60) == "2026-01-01"
    assert readable_since(first_key_at(JANUARY), 60) == "2026-01-01T01:00:00+01:00"
    assert readable_since(first_key_at(JANUARY + 5), 0) == "2026-01-01T00:00:00.000005+00:00"
    far = first_key_at(JANUARY + 3_000_000 * DAY)
    assert readable_since(far, 0).startswith("+010239-")


def test_what_is_shared_is_what_configuration_says() -> None:
    assert scope_of(None) == scope_of(Remote("o", "a@b", "")) == Scope(FIRST_KEY, ())
    remote = Remote("o", "a@b", "", "2026-01-01T00:00:00Z", ("main", "lab/*"))
    scope = scope_of(remote)
    assert scope.view == first_key_at(JANUARY)
    assert [log for log in ("main", "lab/x", "lab/x/y", "maint", "lab") if scope.has(log)] == [
        "main",
        "lab/x",
        "lab/x/y",
    ]
    assert Scope().has("anything")

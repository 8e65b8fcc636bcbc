import time

import pytest

from msglog.dataclass import replace
from msglog.when import WhenError, parse
from plumbing.context import Context, local_offset
from porcelain.search_query import joined, read_time
from tests.porcelain.world import World

NOW = 1_785_000_000_000_000


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (["pump failed"], "pump failed"),
        (["pump", "failed"], "pump failed"),
        (["a", "pump failed"], 'a "pump failed"'),
        (["a", "author:ann lee"], 'a author:"ann lee"'),
        (["a", "-author:ann lee"], 'a -author:"ann lee"'),
        (["a", "-pump failed"], 'a -"pump failed"'),
        (["since:2 hours ago", "a"], 'since:"2 hours ago" a'),
        (["a", '"b c" d'], 'a "b c" d'),
        (["a", "b -c"], "a b -c"),
        (["a", "b OR c"], "a b OR c"),
        (["author:ann", "pump OR valve"], "author:ann pump OR valve"),
        (["a", "OR b c"], "a OR b c"),
        (["a", "-b -c"], "a -b -c"),
        (["a", "(b c)"], "a (b c)"),
        (["a", "tag:b tag:c"], "a tag:b tag:c"),
        (["a", "b* c"], "a b* c"),
        (["a", "b-c ORDER"], 'a "b-c ORDER"'),
        (["a", " "], "a  "),
    ],
)
def test_arguments_are_one_query(arguments: list[str], query: str) -> None:
    assert joined(arguments) == query


def bounds(context: Context, text: str) -> tuple[int, int]:
    first, last = (read_time(context)(text, last) for last in (False, True))
    return first, last


@pytest.fixture
def context(world: World) -> Context:
    return replace(world.context, now=lambda: NOW)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-01", "2026-01-01", "2026-02-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("2026-03-31", "2026-03-31", "2026-04-01"),
        ("yesterday", "yesterday", "today"),
        ("Today", "today", "tomorrow"),
    ],
)
def test_days_months_and_years_are_whole(
    context: Context, text: str, first: str, last: str
) -> None:
    def moment(text: str) -> int:
        return parse(text, now=NOW, local_offset=lambda _: 0).time

    assert bounds(context, text) == (moment(first), moment(last) - 1)


@pytest.mark.parametrize("text", ["2 hours ago", "-2h", "2026-01-31T12:30:00Z", "@5", "12:30"])
def test_other_times_are_moments(context: Context, text: str) -> None:
    first, last = bounds(context, text)
    assert first == last


def test_a_day_is_one_of_the_local_zone(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        first, last = bounds(replace(context, local_offset=local_offset), "2026-03-29")
        assert (last + 1 - first) / 3_600_000_000 == 23
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-02-30", "0000-13", "never", ""])
def test_what_is_no_time_is_named(context: Context, text: str) -> None:
    for last in (False, True):
        with pytest.raises(WhenError) as caught:
            read_time(context)(text, last)
        assert f"what time {text!r} is" in str(caught.value)

"""Queries: what they choose, in which order, and how much they hold meanwhile."""

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msglog
from msglog.choice import PatternError
from msglog.encoding import encode
from msglog.message import Message, object_key
from msglog.query import LimitError, Query
from msglog.refname import log_ref
from msglog.repository import Insertion
from msglog.store.store import Receipt
from msglog.when import WhenError

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AUTHORS = ("ann", "Bob", "carl")


def draft(number: int) -> msglog.Draft:
    return msglog.Draft(
        f"step {number}\nof many",
        tags=[tag for tag, every in (("two", 2), ("three", 3)) if number % every == 0],
        author=AUTHORS[number % 3],
        time=START + number * MINUTE,
    )


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[msglog.Logbook]:
    with msglog.init(tmp_path_factory.mktemp("notes"), author="ann") as made:
        made.add_many([draft(number) for number in range(100)])
        yield made


def numbers(query: Query) -> list[int]:
    found = [int(entry.body.split()[1]) for entry in query]
    assert query.count() == len(found)
    return found


def test_a_log_is_all_of_it_newest_first(book: msglog.Logbook) -> None:
    assert numbers(book.log()) == [*range(99, -1, -1)]
    assert numbers(book.log().reverse()) == [*range(100)]
    assert numbers(book.log().reverse().reverse()) == [*range(99, -1, -1)]


def test_both_ends_of_a_time_are_in(book: msglog.Logbook) -> None:
    part = book.log().since(START + 10 * MINUTE).until(START + 12 * MINUTE)
    assert numbers(part) == [12, 11, 10]
    assert numbers(part.since("2026-01-31T12:11:00Z")) == [12, 11]
    assert numbers(part.since(START)) == [12, 11, 10]
    assert numbers(part.until(START)) == []
    assert numbers(part.since("2026-01").until("2026-01-31")) == [12, 11, 10]
    assert numbers(part.since("2026-02")) == numbers(part.until("2025")) == []


def test_a_limit_is_of_the_newest(book: msglog.Logbook) -> None:
    assert numbers(book.log().limit(2)) == [99, 98]
    assert numbers(book.log().limit(2).reverse()) == [98, 99]
    assert numbers(book.log().tag("two").limit(2).reverse()) == [96, 98]
    assert numbers(book.log().limit(2).limit(5)) == [99, 98]
    assert numbers(book.log().limit(0)) == []
    with pytest.raises(LimitError):
        book.log().limit(-1)


def test_patterns_of_which_one_must_match(book: msglog.Logbook) -> None:
    assert numbers(book.log().author("bob")) == []
    assert numbers(book.log().author("bob", ignore_case=True).author("^carl").limit(3)) == [
        98,
        97,
        95,
    ]
    assert numbers(book.log().grep("^step 7$").grep("step 70")) == [70, 7]
    with pytest.raises(PatternError):
        book.log().grep("(")
    with pytest.raises(WhenError):
        book.log().since("nonsense")


def test_tags_must_all_be_there(book: msglog.Logbook) -> None:
    assert numbers(book.log().tag("two").tag("three").limit(2)) == [96, 90]
    assert numbers(book.log().tag("two", "three").limit(2)) == [96, 90]


@given(
    first=st.integers(-1, 101),
    last=st.integers(-1, 101),
    tags=st.sets(st.sampled_from(["two", "three"])),
    author=st.sampled_from(["", "ann", "o"]),
    limit=st.none() | st.integers(0, 120),
    reverse=st.booleans(),
)
def test_a_query_is_a_filter_of_all(
    book: msglog.Logbook,
    *,
    first: int,
    last: int,
    tags: set[str],
    author: str,
    limit: int | None,
    reverse: bool,
) -> None:
    query = book.log().since(START + first * MINUTE).until(START + last * MINUTE).tag(*tags)
    query = query.author(author) if author else query
    query = query if limit is None else query.limit(limit)
    expected = [
        number
        for number in range(99, -1, -1)
        if first <= number <= last
        and all(number % {"two": 2, "three": 3}[tag] == 0 for tag in tags)
        and author in AUTHORS[number % 3]
    ][:limit]
    assert numbers(query.reverse() if reverse else query) == expected[:: -1 if reverse else 1]


def test_what_came_from_elsewhere(tmp_path: Path) -> None:
    with msglog.init(tmp_path, author="ann") as book:
        book.add("from here")
        with book._shared.using() as repository:
            data = Message(b"u" * 16, 1_000_000, 0, "bob", "from there").encode()
            key = object_key(data)
            repository.commit(
                [Insertion(log_ref("main"), [key])],
                messages={key: data},
                time=1,
                reason="test",
                receipt=Receipt("origin", 5_000_000, "main"),
            )
        assert [entry.body for entry in book.log().received_since("@4")] == ["from there"]
        assert [*book.log().received_since("@4").received_since("@6")] == []
        assert book.log().received_since("@5").count() == 1


def test_what_a_newer_msglog_wrote(tmp_path: Path) -> None:
    with msglog.init(tmp_path, author="ann") as book:
        with book._shared.using() as repository:
            data = encode({"type": "drawing", "uuid": b"u" * 16, "time": 7})
            repository.add("main", {object_key(data): data}, time=1)
        (entry,) = book.log()
        assert (entry.needs, entry.body, entry.microseconds) == ("objects of type 'drawing'", "", 7)
        assert [*book.log().grep("")] == []


def test_going_through_a_long_log_holds_little_of_it(tmp_path: Path) -> None:
    with msglog.init(tmp_path, author="ann") as book:
        for _ in range(4):
            book.add_many(["x" * 10_000] * 1000)
        tracemalloc.start()
        try:
            assert sum(len(entry.body) for entry in book.log()) == 40_000_000
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


def test_the_log_is_as_it_was_when_it_was_begun(tmp_path: Path) -> None:
    with msglog.init(tmp_path, author="ann") as book:
        book.add_many([str(number) for number in range(50)])
        begun = iter(book.log())
        next(begun)
        book.add("later")
        assert len([*begun]) == 49
        assert book.log().count() == 51


def test_queries_are_compared_by_what_they_ask(book: msglog.Logbook) -> None:
    assert book.log().tag("two") == book.log().tag("two")
    assert book.log().tag("two") != book.log().tag("three")
    assert book.log().root == book.log().limit(1).root
    assert book.log().tag("nonsense").first() is None


def test_meta_must_all_be_there(tmp_path: Path) -> None:
    book = msglog.init(tmp_path / "notes", author="ann")
    for value in (7, 7.0, True, "7", "x"):
        book.add(repr(value), meta={"run": value, "other": 1})
    book.add("none")

    def bodies(query: msglog.Query) -> list[str]:
        return [entry.body for entry in query.reverse()]

    log = book.log()
    assert bodies(log.meta("run")) == ["7", "7.0", "True", "'7'", "'x'"]
    assert bodies(log.meta("run", 7)) == ["7", "7.0"]
    assert bodies(log.meta("run", 1)) == []
    assert bodies(log.meta("run", value=True)) == ["True"]
    assert bodies(log.meta("run", "7")) == ["'7'"]
    assert bodies(log.meta("run").meta("other", 1).meta("run", "x")) == ["'x'"]
    assert bodies(log.meta("none")) == []
    assert log.meta("run").limit(2).count() == 2
    book.close()

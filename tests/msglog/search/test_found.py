"""What programs find, and where the index of words is kept for them."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import msglog
from msglog.repository import Repository
from msglog.search import found
from msglog.search.found import index_places
from msglog.search.query import QueryError
from msglog.store.collection import Retention
from msglog.timestamp import DAY
from porcelain.surroundings import ProcessSurroundings


@pytest.fixture
def book(tmp_path: Path) -> Iterator[msglog.Logbook]:
    around = ProcessSurroundings({"HOME": str(tmp_path), "MSGLOG_AUTHOR": "ann"})
    with msglog.init(tmp_path / "notes", surroundings=around) as made:
        made.create_log("lab")
        made.add("the pump failed", tags=["beam"], meta={"run": 7})
        made.add("pump repaired, pump runs", author="bob")
        made.add("the valve", log="lab")
        yield made


def bodies(book: msglog.Logbook, query: str, **options: object) -> list[str]:
    return [one.entry.body for one in book.search(query, **options)]  # type: ignore[arg-type]


def test_the_best_is_first_and_says_why(book: msglog.Logbook) -> None:
    first, second = book.search("pump")
    assert (first.entry.author, second.entry.author) == ("bob", "ann")
    assert first.score > second.score > 0
    assert [second.snippet[start:end] for start, end in second.matches] == ["pump"]
    assert second.logs == ("main",)
    assert second.entry == book.get(second.entry.id)
    (only,) = book.search("log:lab")
    assert (only.logs, only.entry.log, only.score, only.matches) == (("lab",), "lab", 0.0, ())


def test_what_is_asked_is_as_for_the_command(book: msglog.Logbook) -> None:
    assert bodies(book, "meta:run=7 tag:beam") == ["the pump failed"]
    assert bodies(book, "pump", limit=1) == ["pump repaired, pump runs"]
    assert bodies(book, "the", logs=["lab"]) == ["the valve"]
    assert bodies(book, "since:yesterday until:today the", logs=["lab", "main"]) != []
    assert bodies(book, "nothing") == []
    book.add("one more pump")
    assert len(bodies(book, "pump")) == 3


@pytest.mark.parametrize("query", ["autor:ann", '"open', "log:mian", ""])
def test_what_is_wrong_is_said_at_once(book: msglog.Logbook, query: str) -> None:
    with pytest.raises(msglog.UsageError):
        book.search(query)
    with pytest.raises(QueryError):
        book.search("pump", logs=["mian"])


def test_they_are_read_as_they_are_gone_through(
    book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found, "READ_AT_ONCE", 1)
    going = book.search("pump")
    first = next(going)
    book.delete_log("main")
    with book._shared.using() as repository:
        repository.store.collect(Retention(first.entry.microseconds + DAY, 0, 0, 0))
    assert list(going) == []  # what gc has removed meanwhile is left out


def test_another_thread_may_go_on_with_it(book: msglog.Logbook) -> None:
    going = book.search("pump")
    assert next(going).entry.author == "bob"
    rest: list[msglog.Found] = []
    thread = threading.Thread(target=lambda: rest.extend(going))
    thread.start()
    thread.join()
    assert [one.entry.author for one in rest] == ["ann"]


def test_where_the_index_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository.create(tmp_path / "r", identity=b"i" * 16, time=0)

    def places() -> list[str]:
        return index_places(repository, lambda: str(tmp_path / "caches"))

    assert places() == [str(tmp_path / "r" / "search.db")]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert places() == [str(tmp_path / "caches" / f"search-{(b'i' * 16).hex()}.db")]
    assert (tmp_path / "caches").is_dir()
    repository.close()

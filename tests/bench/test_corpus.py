"""Seeded messages."""

from collections import Counter
from itertools import pairwise

from tests.bench.corpus import AUTHORS, LOGS, entries, vocabulary

WORDS = vocabulary(["the cat and the dog", "the end of it, C++ and all"], "test")


def test_frequent_words_come_first() -> None:
    assert list(zip(WORDS.words, WORDS.weights, strict=True))[:2] == [("the", 3), ("and", 2)]
    assert "C++" in WORDS.words


def test_the_same_seed_gives_the_same_messages() -> None:
    first = list(entries(WORDS, 200, 1))
    assert first == list(entries(WORDS, 200, 1))
    assert first[:50] == list(entries(WORDS, 50, 1))
    assert first != list(entries(WORDS, 200, 2))


def test_they_come_in_order_by_several_authors_in_several_logs() -> None:
    made = list(entries(WORDS, 2000, 1))
    times = [entry.time for entry in made]
    assert times == sorted(set(times))
    assert {entry.author for entry in made} == set(AUTHORS)
    assert Counter(entry.log for entry in made).most_common(1)[0][0] == "main"
    assert {entry.log for entry in made} == set(LOGS)
    assert len({entry.uuid for entry in made}) == 2000


def test_they_come_in_bursts() -> None:
    times = [entry.time for entry in entries(WORDS, 2000, 1)]
    gaps = sorted(after - before for before, after in pairwise(times))
    assert gaps[len(gaps) // 2] < 60_000_000
    assert gaps[-1] > 3_600_000_000

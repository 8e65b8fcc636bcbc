import pytest

from msglog.search.folding import (
    VALUE_CHARACTERS,
    fold,
    has_words,
    meta_words,
    name_word,
    number_word,
    tag_word,
    value_word,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Pump failed: 10-5 x_y", "Pump failed: 10-5 x_y"),
        ("cafe\u0301", "caf\u00e9"),
        ("10 m²", "10 m2"),
        ("ﬁne", "fine"),
        ("\uff21\uff22\uff11", "AB1"),
        ("泵A故", "\x1f泵\x1fA\x1f故\x1f"),
        ("ポンプ", "\x1fポ\x1f\x1fン\x1f\x1fプ\x1f"),
        ("서버", "\x1f서\x1f\x1f버\x1f"),
        ("כַּף", "כף"),
        ("कि", "कि"),
    ],
)
def test_what_is_held_for_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [("a", True), ("7", True), ("泵", True), ("", False), ("!? -", False), ("🔥", False)],
)
def test_what_can_be_looked_for(text: str, *, words: bool) -> None:
    assert has_words(fold(text)) is words


def test_a_tag_is_one_word_of_letters_and_digits() -> None:
    assert tag_word("Beam-Line 3") == tag_word("beam-line 3")
    assert tag_word("beam-line 3").startswith(tag_word("beam-"))
    assert tag_word("é/泵\udc80").isalnum()
    assert tag_word("é/泵\udc80").isascii()
    assert tag_word("a") != tag_word("b")


def test_names_and_values_are_words_of_their_own() -> None:
    words = meta_words({"Run": 7, "by": "Ann Lee", "ok": True, "x": 0.5}).split()
    assert words == [
        name_word("run"), value_word("run", "7"), number_word("RUN", 7.0),
        name_word("by"), value_word("BY", "ann lee"),
        name_word("ok"), value_word("ok", "TRUE"),
        name_word("x"), value_word("x", "0.5"), number_word("x", 0.5),
    ]  # fmt: skip
    assert all(word.isalnum() and word.isascii() for word in words)
    assert value_word("by", "ann lee").startswith(value_word("by", "ann"))
    # However it is divided, and whatever stands for what.
    parts = ("", "a", "z", "az", "7")
    made = [value_word(name, value) for name in parts for value in parts]
    made += map(name_word, parts)
    assert len(set(made)) == len(made)


def test_numbers_are_the_same_however_they_are_written() -> None:
    assert number_word("x", 20) == number_word("x", 20.0) != number_word("x", 20.5)
    assert number_word("x", 2**53) != number_word("x", 2**53 + 1)
    assert number_word("x", 1e300).isalnum()


def test_of_a_long_value_the_beginning_counts() -> None:
    longest = "x" * VALUE_CHARACTERS
    assert value_word("a", longest) == value_word("a", longest + "y")
    assert value_word("a", longest) != value_word("a", longest[1:])
    assert len(value_word("a", "\ufdfa" * 10_000)) < 20_000

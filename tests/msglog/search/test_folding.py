import pytest

from msglog.search.folding import fold, has_words, tag_word


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

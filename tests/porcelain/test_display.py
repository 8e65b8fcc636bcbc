import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porcelain.display import block, cells, fit, one_line, shorten

ANY_TEXT = st.text(st.characters(exclude_categories=[]))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("naïve 日本語 🙂 \u00a0", "naïve 日本語 🙂 \u00a0"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\rb"),
        ("a\bb\x7f", "a\\x08b\\x7f"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("a\u0085b\u2028c\u2029", "a\\x85b\\u2028c\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("[red]not markup[/red]", "[red]not markup[/red]"),
    ],
)
def test_what_would_not_be_seen_is_shown(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_block_keeps_its_lines_and_tabs_only() -> None:
    assert block("a\n\tb\r\n\x1b[2J") == "a\n\tb\\r\n\\x1b[2J"


@given(ANY_TEXT)
def test_nothing_that_acts_is_left(text: str) -> None:
    for shown, kept in ((one_line(text), ""), (block(text), "\n\t")):
        for character in shown:
            if character not in kept:
                assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
                assert character not in BIDI
    assert len(one_line(text).splitlines()) <= 1


def test_long_text_is_cut() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"


def test_texts_fit_into_columns_and_not_into_characters() -> None:
    assert fit("abcdef", 6) == "abcdef"
    assert fit("abcdefg", 6) == "abcde…"
    for text in ("冷却水を確認", "e\u0301" * 20, "🚨🔥 alarm, and more"):
        assert cells(fit(text, 8)) in (7, 8)
    assert fit("冷却水", 6) == "冷却水"

"""Texts as they are indexed and looked for: what people hold for the same, made the same. Pure.

SQLite's tokenizer `unicode61` does the rest: it folds case and diacritics, and takes runs of
letters, marks and digits for words.
"""

from __future__ import annotations

import re
import unicodedata

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msglog.message import MetaValue

TOKENIZER = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
"""For FTS5. Marks belong to words: in Hindi and others they are vowels."""

SEPARATOR = "\x1f"
"""Set around each character of a script that is written without spaces."""

_WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u312f\u31f0-\u31ff"  # kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # ideographs
    "\uac00-\ud7a3"  # Hangul, whose particles are written to their words
)
_ALONE = re.compile(f"[{_WITHOUT_SPACES}]")
_POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670\u0640]")
"""Vowel points of Hebrew and Arabic, which few write, and the stroke that only makes words long."""

_WORD_CATEGORIES = ("L", "N", "M", "Co")


def fold(text: str) -> str:
    """Return a text for the tokenizer: compatibility forms composed, no points, words apart.

    In scripts without spaces each character is a word of its own, so that a phrase of them is found
    wherever it stands.
    """
    if text.isascii():
        return text
    return apart(unicodedata.normalize("NFKC", text))


def apart(text: str) -> str:
    """Return a text with its words apart and without points, and otherwise as it is."""
    return _ALONE.sub(f"{SEPARATOR}\\g<0>{SEPARATOR}", _POINTS.sub("", text))


def has_words(text: str) -> bool:
    """Tell whether a folded text has anything that can be looked for."""
    return any(unicodedata.category(character).startswith(_WORD_CATEGORIES) for character in text)


def tag_word(tag: str) -> str:
    """Return the one word that stands for a tag, or for the beginning of one, whatever it has.

    Case does not count. The word of a tag begins with the word of each beginning of the tag.
    """
    return f"x{unicodedata.normalize('NFKC', tag).casefold().encode('utf-8', 'replace').hex()}"


VALUE_CHARACTERS = 1_000
"""How many characters of a value of meta are indexed and compared."""


def meta_words(meta: Mapping[str, MetaValue]) -> str:
    """Return the words that stand for all names and values of a message's meta."""
    words = []
    for name, value in meta.items():
        words += [name_word(name), value_word(name, meta_value_text(value))]
        if isinstance(value, int | float) and not isinstance(value, bool):
            words.append(number_word(name, value))
    return " ".join(words)


def meta_value_text(value: MetaValue) -> str:
    """Return a value of meta as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def name_word(name: str) -> str:
    """Return the one word that stands for a name in meta, or for the beginning of one."""
    return f"n{_folded(name).hex()}"


def value_word(name: str, text: str) -> str:
    """Return the one word that stands for a value of a name, or for the beginning of one.

    Case does not count. No name and value have the word of another name and value.
    """
    return f"v{_folded(name).hex()}z{_folded(text).hex()}"


def number_word(name: str, number: float) -> str:
    """Return the one word that stands for a number of a name, whether it is 20 or 20.0."""
    text = str(int(number)) if number == int(number) else repr(number)
    return f"d{_folded(name).hex()}z{text.encode().hex()}"


def _folded(text: str) -> bytes:
    folded = unicodedata.normalize("NFKC", text[:VALUE_CHARACTERS]).casefold()
    return folded[:VALUE_CHARACTERS].encode("utf-8", "replace")

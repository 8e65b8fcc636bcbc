"""Words of an index that are like those that nothing was found for."""

from __future__ import annotations

import difflib
import re
import unicodedata

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msglog.search.catalogue import Catalogue

_LIMIT = 3
_LIKENESS = 0.75
_LENGTHS = 2
_SHORTEST = 3
_LOOKED_AT = 20_000
_WORD = re.compile(r"\w+")


def similar_words(catalogue: Catalogue, texts: Iterable[str]) -> list[str]:
    """Return words of bodies that are like words of these texts that no body has.

    They begin with the same letter, which leaves few to be compared.
    """
    found: list[str] = []
    catalogue.select("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, text, 'col')")
    for text in texts:
        for word in _WORD.findall(_without_marks(text)):
            if len(word) < _SHORTEST or _terms(catalogue, word, word + "\0", len(word), len(word)):
                continue
            end = chr(min(ord(word[0]) + 1, 0x10FFFF))
            near = _terms(catalogue, word[0], end, len(word) - _LENGTHS, len(word) + _LENGTHS)
            found += difflib.get_close_matches(word, near, n=_LIMIT, cutoff=_LIKENESS)
    return list(dict.fromkeys(found))[:_LIMIT]


def _terms(catalogue: Catalogue, first: str, end: str, shortest: int, longest: int) -> list[str]:
    """Return the words from first up to end, but that, with so many characters."""
    rows = catalogue.select(
        "SELECT term FROM temp.vocabulary WHERE term >= ? AND term < ? AND col = 'body'"
        " AND length(term) BETWEEN ? AND ? LIMIT ?",
        (first, end, shortest, longest, _LOOKED_AT),
    )
    return [str(term) for (term,) in rows]


def _without_marks(text: str) -> str:
    """Return a text nearly as the tokenizer leaves it."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in plain if not unicodedata.combining(character))

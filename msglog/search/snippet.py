"""The part of a message that shows why it was found, with the words that were looked for marked.

FTS5 chooses it, from a table in memory that has the one message in it, so that a word is what it is
to the index.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.search.folding import SEPARATOR, TOKENIZER, apart, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEGIN, _END = "\x01", "\x02"
_ELLIPSIS = "…"
_TOKENS = 32
_TOKENS_MOST = 64
_BEGINNING_CHARACTERS = 200
_OURS = re.compile(f"[{_BEGIN}{_END}{SEPARATOR}\0]")
_SPACES = re.compile(r"\s+")
_MARKS = re.compile(f"[{_BEGIN}{_END}]")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text on one line, and where in it words begin and end that were looked for."""

    text: str
    marks: Sequence[tuple[int, int]]


class Snippets:
    """Makes the snippets of one search.

    wanted: an expression of FTS5 for the words to be shown, or "": then it is how a body begins.
    """

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        # A program may go through what it has found in another thread than it began in.
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        self._connection.execute(
            f'CREATE VIRTUAL TABLE text USING fts5(body, tokenize="{TOKENIZER}")'
        )

    def close(self) -> None:
        """Free what is held."""
        self._connection.close()

    def of(self, body: str) -> Snippet:
        """Return the snippet of a body."""
        clean = _OURS.sub(" ", body)
        if self._wanted:
            # As it was written if possible; what is found only in the folded text is shown there.
            composed = clean if clean.isascii() else apart(unicodedata.normalize("NFC", clean))
            found = self._look(composed)
            if found is None and not clean.isascii():
                found = self._look(fold(clean))
            if found is not None:
                return _snippet(found)
        beginning = " ".join(clean[: 4 * _BEGINNING_CHARACTERS].split())
        if len(beginning) > _BEGINNING_CHARACTERS:
            beginning = beginning[:_BEGINNING_CHARACTERS].rstrip() + _ELLIPSIS
        return Snippet(beginning, ())

    def _look(self, text: str) -> str | None:
        tokens = _TOKENS_MOST if SEPARATOR in text else _TOKENS
        execute = self._connection.execute
        execute("INSERT OR REPLACE INTO text (rowid, body) VALUES (1, ?)", (text,))
        row = execute(
            "SELECT snippet(text, 0, ?, ?, ?, ?) FROM text WHERE text MATCH ?",
            (_BEGIN, _END, _ELLIPSIS, tokens, self._wanted),
        ).fetchone()
        return None if row is None else row[0]


def _snippet(marked: str) -> Snippet:
    """Return a text with signs in it as a text and the places of the signs."""
    line = _SPACES.sub(" ", marked.replace(SEPARATOR, "")).strip()
    parts = _MARKS.split(line)
    text = parts[0]
    marks: list[tuple[int, int]] = []
    for number, part in enumerate(parts[1:]):
        if number % 2 == 0 and part:
            if marks and marks[-1][1] == len(text):  # characters without a space between them
                marks[-1] = (marks[-1][0], len(text) + len(part))
            else:
                marks.append((len(text), len(text) + len(part)))
        text += part
    return Snippet(text, marks)

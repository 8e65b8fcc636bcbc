"""Making text from messages, names and peers safe to show: control characters are made visible."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.unsafe_text import UNSAFE, is_safe_block, is_safe_line

if TYPE_CHECKING:
    import re

_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def one_line(text: str) -> str:
    """Return text with everything visible that would move the cursor, hide or reorder: one line."""
    return text if is_safe_line(text) else _pattern(f"[{UNSAFE}]").sub(_visible, text)


def block(text: str) -> str:
    """Return text made safe as by `one_line`, but with its newlines and tabs kept."""
    return text if is_safe_block(text) else _pattern(f"(?![\n\t])[{UNSAFE}]").sub(_visible, text)


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - not for plain English

    return sum(0 if combining(one) else 1 + (east_asian_width(one) in "WF") for one in text)


def shorten(text: str, width: int) -> str:
    """Return text cut to width characters, the last of them an ellipsis when something is cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def fit(text: str, width: int) -> str:
    """Return text cut to width columns of a terminal, the last an ellipsis if something is cut."""
    if cells(text) <= width:
        return text
    text = text[: 4 * width]  # of longer ones, most characters take no columns
    while cells(text) >= width:
        text = text[:-1]
    return f"{text}…"


def plural(number: int, noun: str, many: str = "") -> str:
    """Return a number of things in words; many: what several are called, if not by an s."""
    return f"{number} {noun if number == 1 else many or noun + 's'}"


def _pattern(characters: str) -> re.Pattern[str]:
    # Compiled when first needed: it costs more than a command has to start.
    import re  # noqa: PLC0415 - as above; re itself remembers what it has compiled

    return re.compile(characters)


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

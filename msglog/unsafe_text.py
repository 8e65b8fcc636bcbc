"""Which characters never reach a terminal as they are: what acts, hides or reorders."""

from __future__ import annotations

UNSAFE = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\xad\u061c\u115f\u1160\u180e"  # soft hyphen, Arabic letter mark, fillers and separators
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero-width, bidi, line ends, invisible operators
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb"  # fillers, surrogates, byte order mark, notes
    "\U000e0000-\U000e01ef"  # tags and the variation selectors beyond the first plane
)
"""The inside of a regular expression's character class."""


def is_plain(text: str) -> bool:
    """Tell quickly whether text is printable ASCII, which is safe."""
    return text.isascii() and text.isprintable()

"""Making text from messages, names and peers safe to show: control characters are made visible."""

import re
from functools import cache

# C0 and C1 with DEL; soft hyphen, Arabic letter mark and Mongolian separator; zero-width, bidi
# marks, overrides and isolates, line and paragraph separators; invisible operators and deprecated
# formats; surrogates; byte order mark and interlinear marks; tags; variation selectors beyond BMP.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef"
)
_LAYOUT = {ord("\n"): None, ord("\t"): None}
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def one_line(text: str) -> str:
    """Return text with everything visible that would move the cursor, hide or reorder: one line."""
    return text if _is_plain(text) else _in_line().sub(_visible, text)


def block(text: str) -> str:
    """Return text made safe as by `one_line`, but with its newlines and tabs kept."""
    return text if _is_plain(text.translate(_LAYOUT)) else _in_block().sub(_visible, text)


def shorten(text: str, width: int) -> str:
    """Return text cut to width characters, the last of them an ellipsis when something is cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def json_safe(document: str) -> str:
    """Return a JSON document with what is unsafe in its strings as JSON's own escapes.

    The text that a reader gets is the same; the line can be printed on a terminal and is one line
    to every reader of lines.
    """
    return document if _is_plain(document) else _in_line().sub(_json_escape, document)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


@cache
def _in_line() -> re.Pattern[str]:
    # Compiled when first needed: it costs more than a command has to start.
    return re.compile(f"[{_UNSAFE}]")


@cache
def _in_block() -> re.Pattern[str]:
    return re.compile(f"(?![\n\t])[{_UNSAFE}]")


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"

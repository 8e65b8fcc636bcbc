"""Ordinary TOML (toml.io/en/v1.0.0), read without tomllib, whose import takes 6 ms.

What `msglog config` and `msglog remote add` write is tables of keys with short texts and numbers,
or lists of such texts on one line.
Of anything else, right or wrong, this says None, and tomllib decides.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_DIGITS = frozenset("0123456789")
_NUMBER_DIGITS = 18
_TRUTH = {"true": True, "false": False}


def read_plain(text: str) -> dict[str, object] | None:
    """Return the values of an ordinary document by dotted key, or None for tomllib to read it."""
    values: dict[str, object] = {}
    tables: set[str] = set()
    table = ""
    for line in text.split("\n"):
        stripped = line.strip(" \t")
        if not stripped:
            continue
        if stripped[0] == "#":
            if not _is_printable(stripped):
                return None
            continue
        if stripped[0] == "[":
            name = _name(stripped[1:-1].split("."))
            if stripped[-1] != "]" or not name or name in tables:
                return None
            tables.add(name)
            table = f"{name}."
            continue
        key, equals, literal = stripped.partition("=")
        key = _name([key.rstrip(" \t")])
        value = _value(literal.lstrip(" \t"))
        if not equals or not key or value is None or table + key in values:
            return None
        values[table + key] = value
    # A name that is a table and a value as well, or a table below a value, is an error to explain.
    for key in values:
        for place, letter in enumerate(key):
            if letter == "." and key[:place] in values:
                return None
        if key in tables or any(one.startswith(f"{key}.") for one in tables):
            return None
    return values


def _name(parts: Sequence[str]) -> str:
    """Return a dotted name of bare keys, or "" if it is none."""
    if all(part and _LETTERS.issuperset(part) for part in parts):
        return ".".join(parts)
    return ""


def _value(literal: str) -> object:
    """Return a text, texts, a whole number, or true or false; None for anything else."""
    if literal[:1] == "[" and literal[-1:] == "]":
        texts = [_value(part.strip(" \t")) for part in literal[1:-1].split(",")]
        return texts if all(isinstance(text, str) for text in texts) else None
    if literal[:1] == '"':
        inside = literal[1:-1]
        plain = len(literal) > 1 and literal[-1] == '"' and not {'"', "\\"}.intersection(inside)
        return inside if plain and _is_printable(inside) else None
    if literal in _TRUTH:
        return _TRUTH[literal]
    if _DIGITS.issuperset(literal) and 0 < len(literal) <= _NUMBER_DIGITS:
        return int(literal) if literal == "0" or literal[0] != "0" else None
    return None


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()

"""What a query is in SQL and in FTS5's language. Pure.

FTS5 answers for words, authors and tags, and ranks; what it does not know, logs and times, becomes
conditions on the entries. All text of the user is quoted or a parameter.
"""

from __future__ import annotations

import re
from math import isfinite

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import LAST_KEY, Key, first_key_at, key_object_id
from msglog.search.folding import name_word, number_word, tag_word, value_word
from msglog.search.query import (
    BODY,
    All,
    Either,
    InLog,
    Meta,
    Not,
    Since,
    Tag,
    Until,
    Words,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from msglog.search.query import Query

    Value: TypeAlias = str | bytes


_NUMBER = re.compile(r"-?[0-9]{1,40}((?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """What is looked for.

    match: for FTS5, or "" if that cannot tell. where: of the entries `e`, with parameters.
    ranked: whether words of the body are looked for, so that some entries are better than others.
    words: those words.
    """

    match: str
    where: str
    parameters: Sequence[Value]
    ranked: bool
    words: Sequence[str] = ()


def condition(query: Query) -> Condition:
    """Return what a query asks of the tables."""
    parts = query.parts if isinstance(query, All) else (query,)
    textual = [part for part in parts if _expression(_without_not(part)) is not None]
    match = _expression(All(textual)) or ""
    rest = [part for part in parts if not match or part not in textual]
    where, parameters = _where(All(rest))
    ranked = bool(match) and any(_in_body(All(textual)))
    return Condition(match, where, parameters, ranked, [part.text for part in _in_body(query)])


def shown_words(query: Query) -> str:
    """Return an expression for what a query wants in the body, to be shown where it is; or ""."""
    wanted = [_quoted(part.text, prefix=part.prefix) for part in _in_body(query)]
    return f"{{{BODY}}} : ({' OR '.join(wanted)})" if wanted else ""


def _in_body(query: Query) -> Iterator[Words]:
    """Yield what is wanted in the body."""
    for part in parts_of(query):
        if isinstance(part, Words) and part.column == BODY:
            yield part


def _without_not(query: Query) -> Query:
    return query.part if isinstance(query, Not) else query


def _quoted(text: str, *, prefix: bool) -> str:
    string = '"{}"'.format(text.replace('"', '""'))
    return f"{string} *" if prefix else string


def _expression(query: Query) -> str | None:
    """Return a query in FTS5's language, or None if it cannot be said there."""
    match query:
        case Words(column, text, prefix):
            return f"{{{column}}} : {_quoted(text, prefix=prefix)}"
        case Tag(text, prefix):
            return f"{{tags}} : {_quoted(tag_word(text), prefix=prefix)}"
        case Meta():
            return f"{{meta}} : {_of_meta(query)}"
        case Either(parts):
            return _joined(parts, " OR ")
        case All(parts):
            wanted = _joined([part for part in parts if not isinstance(part, Not)], " AND ")
            excluded = [part.part for part in parts if isinstance(part, Not)]
            if not wanted or not excluded:
                return None if excluded else wanted
            unwanted = _joined(excluded, " OR ")
            return None if unwanted is None else f"({wanted} NOT {unwanted})"
        case _:
            return None


def _of_meta(wanted: Meta) -> str:
    if wanted.text is None:
        return _quoted(name_word(wanted.name), prefix=wanted.prefix)
    word = _quoted(value_word(wanted.name, wanted.text), prefix=wanted.prefix)
    number = None if wanted.prefix else _number(wanted.text)
    if number is None:
        return word
    return f"({word} OR {_quoted(number_word(wanted.name, number), prefix=False)})"


def _number(text: str) -> float | None:
    """Return the number that a text is, if it is one that meta can have."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number = float(text) if match[1] else int(text)
    return number if isfinite(number) else None


def _joined(parts: Sequence[Query], operator: str) -> str | None:
    expressions = [_expression(part) for part in parts]
    known = [expression for expression in expressions if expression is not None]
    if not known or len(known) < len(expressions):
        return None
    return known[0] if len(known) == 1 else f"({operator.join(known)})"


def _where(query: Query) -> tuple[str, list[Value]]:
    """Return a query as a condition on an entry, and its parameters."""
    expression = _expression(query)
    if expression is not None:
        return "e.id IN (SELECT rowid FROM text WHERE text MATCH ?)", [expression]
    match query:
        case InLog(pattern):
            return "e.log IN (SELECT number FROM log WHERE name GLOB ?)", [pattern]
        case Since(time):
            return "e.key >= ?", [bytes(first_key_at(time))]
        case Until(time):
            return "e.key <= ?", [bytes(last_key_at(time))]
        case Not(part):
            inner, parameters = _where(part)
            return f"NOT ({inner})", parameters
        case All(parts) | Either(parts):
            conditions = [_where(part) for part in parts]
            word = " AND " if isinstance(query, All) else " OR "
            joined = word.join(f"({sql})" for sql, _ in conditions) or "1"
            return joined, [value for _, values in conditions for value in values]
    raise AssertionError(query)


def last_key_at(time: int) -> Key:
    """Return the last key that a message of a time can have."""
    start = first_key_at(time)
    return Key(start[: -len(key_object_id(LAST_KEY))] + key_object_id(LAST_KEY))

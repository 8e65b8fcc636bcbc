"""Queries as people write them: `author:ann tag:beamline since:2026-01 "pump failed" -test`. Pure.

    query  = either *([AND] either)      all of them
    either = term *(OR term)             one of them
    term   = (- / NOT) term / "(" query ")" / [FILTER:]word[*] / [FILTER:]"phrase"[*]

Nothing of a query reaches SQLite but as a quoted text or a parameter: see
`msglog.search.condition`.
"""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.search.folding import fold, has_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn, TypeAlias

    ReadTime: TypeAlias = Callable[[str, bool], int]
    """Returns the time that a text says, in microseconds since 1970 UTC.

    Where a text says a day, a month or a year: its first microsecond, or if the second argument is
    true its last. Raises UsageError.
    """

QUERY_LIMIT = 10_000
"""How many characters a query may have."""

TERM_LIMIT = 200
DEPTH_LIMIT = 8

BODY, AUTHOR = "body", "author"


class QueryError(UsageError):
    """A query cannot be understood."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words that follow each other in the body or the author; prefix: the last may go on."""

    column: str
    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag, without regard to case; prefix: the beginning of one."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Meta:
    """A name in meta, or a name and its value, without regard to case.

    text: None if any value will do. prefix: the beginning of the value, or of the name.
    """

    name: str
    text: str | None = None
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class InLog:
    """The name of a log, where `*` stands for any characters."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Since:
    """Written then or later, in microseconds since 1970 UTC."""

    time: int


@dataclass(frozen=True, slots=True)
class Until:
    """Written then or earlier."""

    time: int


@dataclass(frozen=True, slots=True)
class Not:
    """What the part is not true of."""

    part: Query


@dataclass(frozen=True, slots=True)
class All:
    """What all of the parts are true of."""

    parts: Sequence[Query]


@dataclass(frozen=True, slots=True)
class Either:
    """What at least one of the parts is true of."""

    parts: Sequence[Query]


Query: TypeAlias = "Words | Tag | Meta | InLog | Since | Until | Not | All | Either"

_FILTERS = {
    "author": "author",
    "by": "author",
    "tag": "tag",
    "meta": "meta",
    "log": "log",
    "since": "since",
    "after": "since",
    "until": "until",
    "before": "until",
}
_NAMES = "author:, tag:, meta:, log:, since: and until:"
_FILTER = re.compile(r"([A-Za-z]+):(?!/)")
_LOG_PATTERN = re.compile(r"[a-z0-9._/*-]+")
_LEXEME = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<open>-?\()
    | (?P<term>-?(?:(?i:meta):[^\s"=]+=|[A-Za-z]+:)?"(?P<quoted>[^"]*)"\*?)
    | (?P<word>[^\s"]+)
    | (?P<quote>")
    """,
    re.VERBOSE,
)


def parse(text: str, read_time: ReadTime) -> Query:
    """Return what a query says; raises QueryError, and what read_time raises."""
    if len(text) > QUERY_LIMIT:
        raise QueryError("the query is too long", why=f"it is over {QUERY_LIMIT} characters")
    # What came as bytes that are no UTF-8 is no word, and neither is NUL.
    clean = text.encode("utf-8", "replace").decode().replace("\0", " ")
    query = _Parser(clean, read_time).all_of(0)
    if query is None:
        raise QueryError(
            f"there is nothing to look for in {text[:80]!r}", hint="Name a word or a filter."
        )
    return query


def parts_of(query: Query) -> Iterator[Query]:
    """Yield a query and all parts of it, but not what is below a `Not`."""
    yield query
    if isinstance(query, All | Either):
        for part in query.parts:
            yield from parts_of(part)


def log_patterns(query: Query) -> Iterator[str]:
    """Yield the patterns of logs that a query has, negated ones too."""
    match query:
        case InLog(pattern):
            yield pattern
        case Not(part):
            yield from log_patterns(part)
        case All(parts) | Either(parts):
            for part in parts:
                yield from log_patterns(part)
        case _:
            return


def _lexemes(text: str) -> Iterator[str]:
    """Yield the words, phrases, operators and parentheses of a query."""
    depth = 0
    for match in _LEXEME.finditer(text):
        kind, found = match.lastgroup, match.group()
        if kind == "space":
            continue
        if match["quote"] is not None:
            raise QueryError(
                "a quotation mark is not closed", hint='Close it, as in "pump failed".'
            )
        if match["word"] is None:
            depth += match["open"] is not None
            yield found
            continue
        # Parentheses within a word are text, as in f(x); those after it close what was opened.
        closing = 0
        while depth and found.endswith(")") and found.count(")") > found.count("("):
            found = found[:-1]
            depth -= 1
            closing += 1
        if found.strip(")"):
            yield found
        yield from ")" * closing


class _Parser:
    """Goes through the lexemes of one query."""

    def __init__(self, text: str, read_time: ReadTime) -> None:
        self._lexemes = list(_lexemes(text))
        if len(self._lexemes) > TERM_LIMIT:
            raise QueryError("the query is too long", why=f"it has over {TERM_LIMIT} terms")
        self._lexemes.reverse()
        self._read_time = read_time

    def _next(self) -> str | None:
        return self._lexemes[-1] if self._lexemes else None

    def all_of(self, depth: int) -> Query | None:
        """Return terms up to the end or a closing parenthesis; None if they say nothing."""
        if depth > DEPTH_LIMIT:
            raise QueryError("the query is nested too deep")
        parts: list[Query | None] = []
        while self._next() not in (None, ")"):
            if self._next() == "AND" and parts:
                self._lexemes.pop()
                if self._next() in (None, ")"):
                    _refuse("AND")
            parts.append(self._either(depth))
        return _together(All, parts)

    def _either(self, depth: int) -> Query | None:
        parts = [self._term(depth)]
        while self._next() == "OR":
            self._lexemes.pop()
            parts.append(self._term(depth))
        return _together(Either, parts)

    def _term(self, depth: int) -> Query | None:
        lexeme = self._next()
        if lexeme is None or lexeme in (")", "OR", "AND"):
            _refuse("OR" if lexeme in (None, ")") else lexeme)
        self._lexemes.pop()
        if lexeme == "NOT":
            if self._next() in (None, ")"):
                _refuse("NOT")
            return _negated(self._term(depth))
        if lexeme in ("(", "-("):
            part = self.all_of(depth + 1)
            if self._next() is None:
                raise QueryError("a parenthesis is not closed", hint="Close it, or quote it.")
            self._lexemes.pop()
        elif len(lexeme) > 1 and lexeme.startswith("-"):
            part = self._leaf(lexeme[1:])
        else:
            return self._leaf(lexeme)
        return _negated(part) if lexeme.startswith("-") else part

    def _leaf(self, lexeme: str) -> Query | None:
        match = _FILTER.match(lexeme)
        if match is not None and match.end() < len(lexeme):
            return self._filter(match[1], lexeme[match.end() :])
        if match is not None and match[1].lower() in _FILTERS:
            raise QueryError(
                f"{lexeme} has no value", hint=f"Write it without a space, as {lexeme}VALUE."
            )
        return _words(BODY, lexeme)

    def _filter(self, name: str, value: str) -> Query | None:
        known = _FILTERS.get(name.lower())
        if known is None:
            from shlex import quote  # noqa: PLC0415 - only where something was mistyped

            from msglog.guess import question  # noqa: PLC0415 - as above

            phrase = f'"{name}:{value.strip(chr(34))}"'
            guess = question(name, _FILTERS, shape="{}:") or f"Known are {_NAMES}."
            raise QueryError(
                f"there is no filter {name}:",
                # Quoted for the shell as well, which would take the marks of a phrase away.
                hint=f"{guess} To look for the text, quote it: {quote(phrase)}.",
            )
        if known == "author":
            found = _words(AUTHOR, value)
            if found is None:
                raise QueryError(f"no author can be called {value!r}")
            return found
        if known == "meta":
            return _meta(name, value)
        text, prefix = _value(value)
        if not text:
            raise QueryError(f"{name}: has no value")
        if known == "tag":
            return Tag(text, prefix)
        if known == "log":
            return _in_log(f"{text}*" if prefix else text)
        if known == "since":
            return Since(self._read_time(text, False))  # noqa: FBT003 - a Callable has no keywords
        return Until(self._read_time(text, True))  # noqa: FBT003 - as above


def _meta(filter_name: str, lexeme: str) -> Meta:
    """Return what NAME, NAME=VALUE or NAME="VALUE" says, or either in quotation marks."""
    whole, prefix = _value(lexeme)
    name, equals, text = whole.partition("=")
    if not name:
        hint = f"Write {filter_name}:NAME or {filter_name}:NAME=VALUE."
        raise QueryError(f"{filter_name}: has no name", hint=hint)
    if not equals:
        return Meta(name, None, prefix)
    return Meta(name, text if lexeme[0] == '"' else _unquoted(text), prefix)


def _in_log(pattern: str) -> InLog:
    if _LOG_PATTERN.fullmatch(pattern) is None:
        raise QueryError(
            f"no log can be called {pattern[:80]!r}",
            hint="Names of logs are like main or beamline/p01; * stands for anything.",
        )
    return InLog(pattern)


def _value(lexeme: str) -> tuple[str, bool]:
    """Return a text without its quotation marks, and whether it is cut off by `*`."""
    prefix = lexeme.endswith("*")
    return _unquoted(lexeme[:-1] if prefix else lexeme), prefix


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _words(column: str, lexeme: str) -> Words | None:
    if len(lexeme) > 1 and lexeme[0] == "*" and lexeme[1].isalnum():
        raise QueryError(
            f"{lexeme[:80]!r} begins with *", why="words can be cut off at their end alone"
        )
    text, prefix = _value(lexeme)
    folded = fold(text)
    return Words(column, folded, prefix) if has_words(folded) else None


def _negated(part: Query | None) -> Query | None:
    """Return what is not so; not the contrary of a contrary, which SQL could not nest so deep."""
    if isinstance(part, Not):
        return part.part
    return None if part is None else Not(part)


def _together(kind: type[All | Either], parts: list[Query | None]) -> Query | None:
    """Return the parts that say anything as one."""
    meant = [part for part in parts if part is not None]
    if len(meant) > 1:
        return kind(meant)
    return meant[0] if meant else None


def _refuse(operator: str) -> NoReturn:
    raise QueryError(
        f"{operator} has nothing on one side",
        hint=f"To look for the word, write it small or quote it: {operator.lower()!r}.",
    )

"""Queries as a command line has them: arguments that are one text, and the times in it."""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.search.question import time_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.search.query import ReadTime
    from plumbing.context import Context

_PLAIN = re.compile(r"(?P<before>-?(?:[A-Za-z]+:)?)(?P<text>[^\"()*:]+)")
_SYNTAX = re.compile(r"(?:^|\s)(?:-|(?:AND|OR|NOT)(?:\s|$))")


def joined(arguments: Sequence[str]) -> str:
    """Return arguments as one query.

    One argument is a query as it is. Among several, one with spaces in it had quotation marks
    around the spaces before the shell took them away; so they are put there again, unless it is
    plainly a query of its own.
    """
    if len(arguments) == 1:
        return arguments[0]
    return " ".join(map(_quoted, arguments))


def _quoted(argument: str) -> str:
    match = _PLAIN.fullmatch(argument)
    if match is None or len(argument.split()) < 2 or _SYNTAX.search(match["text"]):
        return argument
    return f'{match["before"]}"{match["text"]}"'


def read_time(context: Context) -> ReadTime:
    """Return what reads the times of a query, by the clock of a command."""
    return time_reader(context.now(), context.local_offset)

"""Queries as a command line has them: arguments that are one text, and the times in it."""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.when import WhenError, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.search.query import ReadTime
    from plumbing.context import Context

_PLAIN = re.compile(r"(?P<before>-?(?:[A-Za-z]+:)?)(?P<text>[^\"()*:]+)")
_SYNTAX = re.compile(r"(?:^|\s)(?:-|(?:AND|OR|NOT)(?:\s|$))")
_PART_OF_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-\d\d)?)?", re.ASCII)
_DAY = re.compile(r"today|yesterday|tomorrow", re.IGNORECASE)
_LAST_TIME = "23:59:59.999999"


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
    """Return what reads the times of a query: those of `msglog.when`, months and years."""

    def moment(text: str) -> int:
        return parse(text, now=context.now(), local_offset=context.local_offset).time

    def read(text: str, last: bool) -> int:  # noqa: FBT001 - as ReadTime has it
        match = _PART_OF_DATE.fullmatch(text)
        if match is None:
            return moment(f"{text} {_LAST_TIME}" if last and _DAY.fullmatch(text) else text)
        try:
            if match.end() == len("2026-01-31"):
                return moment(f"{text} {_LAST_TIME}") if last else moment(text)
            year, month = int(match[1]), int(match[2] or 1)
            start = moment(
                f"{year:04}-{month:02}-01"
            )  # which also tells that there is such a month
            if not last:
                return start
            year, month = (year + 1, 1) if match[2] is None or month == 12 else (year, month + 1)
            return moment(f"{year:04}-{month:02}-01") - 1
        except WhenError as error:
            raise WhenError(text, error.why) from error

    return read

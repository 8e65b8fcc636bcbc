"""What people and programs ask of a repository: queries with the times and logs that they name."""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.refname import check_log_name
from msglog.search.query import All, Either, InLog, QueryError, log_patterns, parse
from msglog.when import WhenError
from msglog.when import parse as parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.repository import Repository
    from msglog.search.query import Query, ReadTime
    from msglog.when import LocalOffset

_PART_OF_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-\d\d)?)?", re.ASCII)
_DAY = re.compile(r"today|yesterday|tomorrow", re.IGNORECASE)
_LAST_TIME = "23:59:59.999999"


def question(
    repository: Repository, text: str, *, logs: Sequence[str] = (), read_time: ReadTime
) -> Query:
    """Return what a text asks, of these logs or of all; raises UsageError for what is wrong in it.

    Logs that there are not are refused, whether the text names them or the caller.
    """
    query = parse(text, read_time)
    if logs:
        chosen = [InLog(check_log_name(name)) for name in logs]
        query = All([Either(chosen), *(query.parts if isinstance(query, All) else [query])])
    patterns = list(log_patterns(query))
    if patterns:
        _check_logs(patterns, repository)
    return query


def _check_logs(patterns: list[str], repository: Repository) -> None:
    from fnmatch import fnmatchcase  # noqa: PLC0415 - only with a filter by log

    names = [log.name for log in repository.logs()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            from difflib import get_close_matches  # noqa: PLC0415 - where something was mistyped

            near = get_close_matches(pattern, names, n=1)
            raise QueryError(
                f"there is no log {pattern!r}",
                hint=f"Did you mean {near[0]}?"
                if near
                else "See `msglog logs` for those that there are.",
            )


def time_reader(now: int, local_offset: LocalOffset) -> ReadTime:
    """Return what reads the times of a query: those of `msglog.when`, months and years.

    now: microseconds since 1970 UTC.
    """

    def moment(text: str) -> int:
        return parse_time(text, now=now, local_offset=local_offset).time

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

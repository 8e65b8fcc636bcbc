"""What people and programs ask of a repository: queries with the times and logs that they name."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.refname import check_log_name
from msglog.search.query import All, Either, InLog, QueryError, log_patterns, parse
from msglog.when import parse_bound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.repository import Repository
    from msglog.search.query import Query, ReadTime
    from msglog.when import LocalOffset


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
            from msglog.guess import SEE_LOGS, advice  # noqa: PLC0415 - where it was mistyped

            hint = advice(pattern, names, see=SEE_LOGS)
            raise QueryError(f"there is no log {pattern!r}", hint=hint)


def time_reader(now: int, local_offset: LocalOffset) -> ReadTime:
    """Return what reads the times of a query; now: microseconds since 1970 UTC."""

    def read(text: str, last: bool) -> int:  # noqa: FBT001 - as ReadTime has it
        return parse_bound(text, last=last, now=now, local_offset=local_offset).time

    return read

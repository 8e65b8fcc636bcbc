"""`watch`: shows messages as they come, at a remote or in this repository."""

from __future__ import annotations

from contextlib import closing

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from porcelain.list_log import configure_form, parse_count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from plumbing.context import Context
    from plumbing.session import Session
    from plumbing.watched_logs import WatchedLogs
    from porcelain.exchange import Exchange
    from porcelain.news_display import NewsDisplay
    from porcelain.vigil import Watch

HERE = "."
"""Stands for this repository where a remote is expected, as in git."""


class NothingToPullError(UsageError):
    """`--pull` was given without a remote."""


class NotARemoteError(UsageError):
    """The first word is no remote; it may be meant as a log."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `watch`."""
    add = parser.add_argument
    add("remote", nargs="?", metavar="REMOTE", default=HERE, help="a name, a URL, or . for here")
    add("logs", nargs="*", metavar="LOG", help="which logs, or patterns such as 'lab/*' (all)")
    add("-n", "--max-count", type=parse_count, default=0, metavar="N", help="begin with the last N")
    add("--pull", action="store_true", help="take the messages into our logs, too")
    configure_form(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Watch until something ends it."""
    logs = watched_logs(arguments.logs)
    if arguments.remote != HERE:
        _check_is_remote(arguments, context)
        return _watch_remote(arguments, context, logs)
    if arguments.pull:
        raise NothingToPullError(
            "--pull takes a remote", hint="Such as `msglog watch --pull origin`."
        )
    return _watch_here(arguments, context, logs)


def _check_is_remote(arguments: Namespace, context: Context) -> None:
    """Raise an error for a log where a remote is expected, which says how to watch it."""
    from msglog.config import UnknownRemoteError  # noqa: PLC0415 - for this command
    from plumbing.opening import check_is_remote  # noqa: PLC0415 - as above
    from porcelain.discovery import find_repository, open_repository  # noqa: PLC0415 - as above
    from porcelain.settings import load_settings  # noqa: PLC0415 - as above

    name: str = arguments.remote
    try:
        check_is_remote(load_settings(context, find_repository(context)), name)
    except UnknownRemoteError as error:
        if arguments.logs:
            raise
        with closing(open_repository(context)) as repository:
            if name not in [log.name for log in repository.logs()]:
                raise
        raise NotARemoteError(
            error.what, hint=f"A log of this repository is watched by `msglog watch . {name}`."
        ) from error


def watched_logs(patterns: Sequence[str], *, expected: bool = True) -> WatchedLogs:
    """Return the logs that names and patterns mean; raises UsageError for what cannot be one.

    expected: those that are meant by their names have to be there.
    """
    from msglog.account.access import WILDCARD, check_pattern  # noqa: PLC0415 - for this command
    from msglog.refname import check_log_name  # noqa: PLC0415 - as above
    from plumbing.watched_logs import WatchedLogs  # noqa: PLC0415 - as above

    for pattern in patterns:
        if WILDCARD in pattern:
            check_pattern(pattern)
        check_log_name(pattern.replace(WILDCARD, "a"))  # as the protocol has it
    return WatchedLogs(tuple(dict.fromkeys(patterns)), expected=expected)


def _watch_here(arguments: Namespace, context: Context, logs: WatchedLogs) -> int:
    from plumbing.own_watch import own_watch  # noqa: PLC0415 - not for a remote
    from porcelain.discovery import open_repository  # noqa: PLC0415 - as above
    from porcelain.vigil import OwnVigil  # noqa: PLC0415 - as above

    with (
        closing(open_repository(context)) as repository,
        closing(repository.store.notice()) as news,
    ):
        watch = own_watch(repository, logs, newest=arguments.max_count)
        display = _display(arguments, context, logs, repository)
        return OwnVigil(context, watch, news, display).run()


def _watch_remote(arguments: Namespace, context: Context, logs: WatchedLogs) -> int:
    from plumbing.watched_logs import WatchedLogs  # noqa: PLC0415 - as in `watched_logs`
    from plumbing.watching import RemoteWatch  # noqa: PLC0415 - not for this repository
    from porcelain.exchange import exchange_with  # noqa: PLC0415 - as above
    from porcelain.vigil import RemoteVigil  # noqa: PLC0415 - as above

    with exchange_with(arguments, context) as one:
        if not arguments.logs and one.scope is not None:
            logs = WatchedLogs(one.scope.patterns, expected=False)
        watch: Watch
        if arguments.pull:
            watch = pulled_watch(one, logs, arguments.max_count)
        else:
            watch = RemoteWatch(logs, newest=arguments.max_count)
        display = _display(arguments, context, logs, one.repository)
        return RemoteVigil(one, watch, display).run()


def pulled_watch(one: Exchange, logs: WatchedLogs, newest: int) -> Watch:
    """Return a watch that takes each log of a remote into ours."""
    from plumbing.own_watch import PulledWatch  # noqa: PLC0415 - only with --pull
    from porcelain.printing import note  # noqa: PLC0415 - as above

    known: set[str] = set()

    def fetch(session: Session, log: str, count: int | None) -> ObjectId:
        from plumbing.fetching import Fetcher  # noqa: PLC0415 - once the server has answered
        from porcelain.progress import Progress  # noqa: PLC0415 - as above
        from porcelain.taking import look_back, remember  # noqa: PLC0415 - as above

        with Progress(one.context, f"Pulling {log}") as progress:
            fetched = Fetcher(session, one.tracking(log), pull=True, progress=progress.update).run()
        if log not in known and fetched.messages:
            text = f"{log}: {fetched.messages} pulled, {fetched.local.count} in all"
            note(one.context, f"msglog: {text}")
        known.add(log)
        remember(one, {log: look_back(one, fetched, count)})
        one.warn_of_loss(log, fetched.lost, pushed=False)
        return fetched.root

    return PulledWatch(logs, one.repository, fetch, newest=newest)


def _display(
    arguments: Namespace, context: Context, logs: WatchedLogs, repository: Repository
) -> NewsDisplay:
    from porcelain.news_display import NewsDisplay  # noqa: PLC0415 - while a server may start

    return NewsDisplay(
        context,
        "oneline" if arguments.oneline else arguments.format or "full",
        headings=logs.may_grow or len(logs.names) > 1,
        length=repository.abbreviation_length,
    )

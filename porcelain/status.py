"""`status`: compares the logs with what remotes held when last seen, offline."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.comparison import compare, known, only_remote
from msglog.key import FIRST_KEY
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.printing import make_printer
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from msglog.comparison import Comparison, Horizons
    from msglog.config import Remote
    from msglog.objectid import ObjectId
    from msglog.repository import Log, Repository
    from plumbing.context import Context
    from porcelain.printing import Piece

_REFUSALS_SHOWN = 5
_NO_SCOPE: dict[str, object] = {"shared": True, "since": None, "older": None}


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `status`: none of its own."""
    del parser


def run(_arguments: Namespace, context: Context) -> int:
    """Show each log with each remote."""
    repository = open_repository(context)
    remotes = list(load_settings(context, repository.folder).remotes().values())
    logs = repository.logs()
    horizons = known(repository, remotes)
    if context.json:
        for log in logs:
            compared = compare(repository, log, remotes, horizons)
            context.write(to_json(_fields(log.name, log.count, log.root, compared, context)))
        for one in only_remote(repository, logs, remotes):
            context.write(to_json(_fields(one.log, 0, None, [one], context)))
    else:
        _print(context, repository, logs, remotes, horizons)
    repository.close()
    return 0


def _fields(
    log: str,
    count: int,
    root: ObjectId | None,
    comparisons: Iterable[Comparison],
    context: Context,
) -> dict[str, object]:
    return {
        "log": log,
        "count": count,
        "root": None if root is None else root.hex(),
        "remotes": [
            {
                "remote": comparison.remote,
                "ahead": comparison.ahead,
                "behind": comparison.behind,
                **_scope_fields(comparison, context),
                "held_back": [
                    {"id": refusal.id, "code": refusal.code, "why": refusal.why}
                    for refusal in comparison.refused
                ],
            }
            for comparison in comparisons
        ],
    }


def _scope_fields(comparison: Comparison, context: Context) -> dict[str, object]:
    if comparison.view == FIRST_KEY and comparison.shared:
        return _NO_SCOPE
    from porcelain.scope import json_since  # noqa: PLC0415 - few remotes have a view

    since = json_since(comparison.view, context)
    return {"shared": comparison.shared, "since": since, "older": comparison.older}


def _print(
    context: Context,
    repository: Repository,
    logs: list[Log],
    remotes: list[Remote],
    horizons: Horizons,
) -> None:
    printer = make_printer(context)
    printer.line(f"Repository {one_line(repository.folder)}")
    length = repository.abbreviation_length()
    for log in logs:
        printer.line(("name", log.name), f": {plural(log.count, 'message')}")
        for comparison in compare(repository, log, remotes, horizons):
            printer.line(f"  {comparison.remote}: ", *_state(comparison, context))
            for refusal in comparison.refused[:_REFUSALS_SHOWN]:
                why = one_line(refusal.why) or one_line(refusal.code)
                printer.line("    held back ", ("id", refusal.id[:length]), f": {why}")
    for one in only_remote(repository, logs, remotes):
        there = plural(one.behind or 0, "message")
        printer.line(("name", one_line(one.log)), f": not here; {there} at {one.remote}")
    if not remotes:
        printer.line("No remotes. Add one with `msglog remote add origin server@host`.")


def _state(comparison: Comparison, context: Context) -> list[Piece]:
    seen = comparison.ahead is not None and comparison.behind is not None
    if not seen:
        state: list[Piece] = ["never seen" if comparison.shared else "not shared"]
    elif comparison.ahead == comparison.behind == 0:
        state = [("good", "equal")]
    else:
        state = [("attention", f"{comparison.ahead} ahead, {comparison.behind} behind")]
    if comparison.refused:
        state += [", ", ("bad", f"{len(comparison.refused)} held back")]
    if seen and not comparison.shared:
        state += [", not shared now"]
    if comparison.view != FIRST_KEY and (seen or comparison.shared):
        state += [_since(comparison, context)]
    return state


def _since(comparison: Comparison, context: Context) -> str:
    """Return from when on a log is taken, and what that leaves out."""
    from porcelain.scope import shown  # noqa: PLC0415 - few remotes have a view

    text = f", since {shown(comparison.view, context)}"
    if comparison.older is not None:
        verb = "is" if comparison.older == 1 else "are"
        text += f"; {plural(comparison.older, 'older message')} {verb} only there"
    if comparison.wanted < comparison.view:
        later = (
            "all"
            if comparison.wanted == FIRST_KEY
            else f"since {shown(comparison.wanted, context)}"
        )
        text += f", {later} with the next pull"
    return text

"""`status`: compares the logs with what remotes held when last seen, offline."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace
from msglog.key import FIRST_KEY, key_object_id
from msglog.layout import VIEWS_NAME
from msglog.refname import REMOTE_PREFIX, tracking_ref
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.printing import make_printer
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Mapping

    from msglog.config import Remote
    from msglog.key import Key
    from msglog.repository import Log, Repository
    from msglog.store.store import Refusal
    from plumbing.context import Context
    from porcelain.horizon import Horizon
    from porcelain.printing import Piece

    Horizons = Mapping[str, Mapping[str, Horizon]]

_REFUSALS_SHOWN = 5
_NO_SCOPE: dict[str, object] = {"shared": True, "since": None, "older": None}


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `status`: none of its own."""
    del parser


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a log compares with what a remote held when it was last seen.

    ahead, behind: how many messages only the log, or only the remote, had; None: never seen.
    Neither counts what the view leaves out. shared: the remote's configuration has the log.
    view: from where on the log was taken last, or is to be. older: how many messages from before
    that only the remote has; None where it is not known. wanted: the view that is set up now.
    """

    remote: Remote
    ahead: int | None
    behind: int | None
    held_back: list[Refusal]
    shared: bool = True
    view: Key = FIRST_KEY
    older: int | None = None
    wanted: Key = FIRST_KEY


def run(_arguments: Namespace, context: Context) -> int:
    """Show each log with each remote."""
    repository = open_repository(context)
    remotes = list(load_settings(context, repository.folder).remotes().values())
    logs = repository.logs()
    horizons = _horizons(repository, remotes)
    if context.json:
        for log in logs:
            compared = compare(repository, log, remotes, horizons)
            context.write(to_json(_fields(log, compared, context)))
        for name, log_name, count in _only_remote(repository, logs, remotes):
            fields = {"log": log_name, "count": 0, "root": None}
            remote = {"remote": name, "ahead": 0, "behind": count, **_NO_SCOPE, "held_back": []}
            context.write(to_json({**fields, "remotes": [remote]}))
    else:
        _print(context, repository, logs, remotes, horizons)
    repository.close()
    return 0


def _horizons(repository: Repository, remotes: list[Remote]) -> Horizons:
    """Return what was seen of the views of remotes, by the ids of their repositories."""
    if not os.path.exists(os.path.join(repository.folder, VIEWS_NAME)):
        return {}
    from porcelain.horizon import known_horizons  # noqa: PLC0415 - few remotes have a view

    identities = [remote.repository for remote in remotes]
    return {identity: known_horizons(repository.folder, identity) for identity in identities}


def compare(
    repository: Repository, log: Log, remotes: list[Remote], horizons: Horizons
) -> list[Comparison]:
    """Compare a log with each remote, visiting only what differs."""
    result = []
    for remote in remotes:
        ref = repository.store.ref(tracking_ref(remote.name, log.name))
        held_back = []
        if remote.repository:
            peer = f"repository:{remote.repository}"
            held_back = repository.store.held_back(peer, log.name)
        ahead = behind = None
        if ref is not None:
            ahead = sum(1 for _ in repository.difference(ref.root, log.root))
            behind = sum(1 for _ in repository.difference(log.root, ref.root))
        comparison = Comparison(remote, ahead, behind, held_back)
        horizon = horizons.get(remote.repository, {}).get(log.name)
        if remote.since or remote.logs or horizon is not None:
            comparison = _in_scope(log, comparison, horizon)
        result.append(comparison)
    return result


def _in_scope(log: Log, comparison: Comparison, horizon: Horizon | None) -> Comparison:
    """Return a comparison with how much of the log is shared with the remote."""
    from msglog.view import scope_of  # noqa: PLC0415 - few remotes are shared in part

    scope = scope_of(comparison.remote)
    return replace(
        comparison,
        shared=scope.has(log.name),
        view=scope.view if horizon is None else horizon.view,
        older=None if horizon is None else horizon.older,
        wanted=scope.view,
    )


def _only_remote(
    repository: Repository, logs: list[Log], remotes: list[Remote]
) -> Iterator[tuple[str, str, int]]:
    """Yield remote, log and count for the logs that only a remote has."""
    known = {log.name for log in logs}
    for remote in remotes:
        prefix = f"{REMOTE_PREFIX}{remote.name}/"
        for name, ref in repository.store.refs(prefix).items():
            log = name[len(prefix) :]
            if log not in known:
                yield remote.name, log, ref.count


def _fields(log: Log, comparisons: list[Comparison], context: Context) -> dict[str, object]:
    return {
        "log": log.name,
        "count": log.count,
        "root": log.root.hex(),
        "remotes": [
            {
                "remote": comparison.remote.name,
                "ahead": comparison.ahead,
                "behind": comparison.behind,
                **_scope_fields(comparison, context),
                "held_back": [
                    {
                        "id": key_object_id(refusal.key).hex(),
                        "code": refusal.code,
                        "why": refusal.why,
                    }
                    for refusal in comparison.held_back
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
            printer.line(f"  {comparison.remote.name}: ", *_state(comparison, context))
            for refusal in comparison.held_back[:_REFUSALS_SHOWN]:
                oid = key_object_id(refusal.key).hex()[:length]
                why = one_line(refusal.why) or one_line(refusal.code)
                printer.line("    held back ", ("id", oid), f": {why}")
    for name, log_name, count in _only_remote(repository, logs, remotes):
        printer.line(
            ("name", one_line(log_name)), f": not here; {plural(count, 'message')} at {name}"
        )
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
    if comparison.held_back:
        state += [", ", ("bad", f"{len(comparison.held_back)} held back")]
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

"""How much of a remote is shared: since when, and which logs, by configuration and by options."""

from __future__ import annotations

from msglog.account.access import check_pattern
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError
from msglog.key import FIRST_KEY, key_time
from msglog.refname import REMOTE_PREFIX
from msglog.timestamp import rfc3339
from msglog.view import Scope, format_since, parse_since, readable_since, scope_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence

    from msglog.config import Remote
    from msglog.config_change import Setting
    from msglog.horizon import Horizon
    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context


class NarrowingError(UsageError):
    """Less was asked for than what is taken from a remote already."""


def configure_patterns(parser: ArgumentParser) -> None:
    """Add the options with which a remote is set up."""
    parser.add_argument("--since", metavar="TIME", help="only what was written at TIME or later")
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        dest="patterns",
        metavar="PATTERN",
        help="only logs of this name, each if repeated; * stands for any characters",
    )


def new_settings(name: str, arguments: Namespace, context: Context) -> dict[str, Setting | None]:
    """Return what to write into configuration for the options of `configure_patterns`."""
    settings: dict[str, Setting | None] = {}
    if arguments.since is not None:
        settings[f"remote.{name}.since"] = _since(arguments.since, context)
    if arguments.patterns:
        settings[f"remote.{name}.logs"] = [check_pattern(one) for one in arguments.patterns]
    return settings


def _since(text: str, context: Context) -> str:
    """Return a time that somebody typed as configuration has it; raises WhenError, ViewError."""
    from msglog.when import parse_bound  # noqa: PLC0415 - only where one is typed

    moment = parse_bound(text, last=False, now=context.now(), local_offset=context.local_offset)
    return format_since(moment.time, moment.offset)


@dataclass(frozen=True, slots=True)
class Choice:
    """What one command takes of a remote.

    before, keep: what to write into configuration before it does, and once it has.
    """

    scope: Scope
    keep: Mapping[str, Setting | None]
    before: Mapping[str, Setting | None]


def choose(
    arguments: Namespace, context: Context, remote: Remote | None, repository: Repository | None
) -> Choice:
    """Return what `--since` and `--whole` mean for a remote; None: a bare URL, which keeps nothing.

    repository: ours, where the remote is set up. What is taken can become more, which is kept once
    it is here; or, before anything was taken, be set, which is kept at once. Raises NarrowingError.
    """
    scope = scope_of(remote)
    key = "" if remote is None else f"remote.{remote.name}.since"
    if arguments.whole:
        if arguments.since is not None:
            raise UsageError("--whole and --since do not go together")
        keep = {key: None} if remote is not None and remote.since else {}
        return Choice(Scope(FIRST_KEY, scope.patterns), keep, {})
    text = _since(arguments.since, context)
    view = parse_since(text)
    chosen = Scope(view, scope.patterns)
    if remote is None or repository is None or view == scope.view:
        return Choice(chosen, {}, {})
    taken = repository.store.refs(f"{REMOTE_PREFIX}{remote.name}/")
    if scope.view == FIRST_KEY and not any(ref.count for ref in taken.values()):
        return Choice(chosen, {}, {key: text})
    if view > scope.view:
        already = "whole" if scope.view == FIRST_KEY else f"since {shown(scope.view, context)}"
        raise NarrowingError(
            f"{remote.name} is taken {already} already",
            hint=f"To take less from now on, say `msglog config set {key} {text}`.",
        )
    return Choice(chosen, {key: text}, {})


def shown(view: Key, context: Context) -> str:
    """Return when a view begins, for people."""
    return readable_since(view, context.local_offset(key_time(view)))


def json_since(view: Key, context: Context) -> str | None:
    """Return when a view begins, in RFC 3339, for programs; None for all of a log."""
    if view == FIRST_KEY:
        return None
    moment = key_time(view)
    return rfc3339(moment, context.local_offset(moment))


def missing_before(
    folder: str, log: str, remotes: Sequence[Remote]
) -> list[tuple[Remote, Horizon]]:
    """Return the remotes that have, or may have, older messages of a log that are not here."""
    from msglog.horizon import Horizon, known_horizons  # noqa: PLC0415 - where there is one

    found = []
    for remote in remotes:
        scope = scope_of(remote)
        horizon = known_horizons(folder, remote.repository).get(log)
        if horizon is None and scope.view != FIRST_KEY and scope.has(log):
            horizon = Horizon(scope.view, None)
        if horizon is not None and horizon.older != 0:
            found.append((remote, horizon))
    return found

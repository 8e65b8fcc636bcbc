"""`status`: compares the logs with what remotes held when last seen, offline."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import key_object_id
from msglog.refname import REMOTE_PREFIX, tracking_ref
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.printing import make_printer
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.config import Remote
    from msglog.repository import Log, Repository
    from msglog.store.store import Refusal
    from plumbing.context import Context
    from porcelain.printing import Piece, Printer

_REFUSALS_SHOWN = 5


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `status`: none of its own."""
    del parser


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a log compares with what a remote held when it was last seen.

    ahead, behind: how many messages only the log, or only the remote, had; None: never seen.
    """

    remote: Remote
    ahead: int | None
    behind: int | None
    held_back: list[Refusal]


def run(_arguments: Namespace, context: Context) -> int:
    """Show each log with each remote."""
    repository = open_repository(context)
    remotes = list(load_settings(context, repository.folder).remotes().values())
    logs = repository.logs()
    if context.json:
        for log in logs:
            context.write(to_json(_fields(log, compare(repository, log, remotes))))
        for name, log_name, count in _only_remote(repository, logs, remotes):
            fields = {"log": log_name, "count": 0, "root": None}
            remote = {"remote": name, "ahead": 0, "behind": count, "held_back": []}
            context.write(to_json({**fields, "remotes": [remote]}))
    else:
        _print(make_printer(context), repository, logs, remotes)
    repository.close()
    return 0


def compare(repository: Repository, log: Log, remotes: list[Remote]) -> list[Comparison]:
    """Compare a log with each remote, visiting only what differs."""
    result = []
    for remote in remotes:
        ref = repository.store.ref(tracking_ref(remote.name, log.name))
        held_back = []
        if remote.repository:
            peer = f"repository:{remote.repository}"
            held_back = repository.store.held_back(peer, log.name)
        if ref is None:
            result.append(Comparison(remote, None, None, held_back))
            continue
        ahead = sum(1 for _ in repository.difference(ref.root, log.root))
        behind = sum(1 for _ in repository.difference(log.root, ref.root))
        result.append(Comparison(remote, ahead, behind, held_back))
    return result


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


def _fields(log: Log, comparisons: list[Comparison]) -> dict[str, object]:
    return {
        "log": log.name,
        "count": log.count,
        "root": log.root.hex(),
        "remotes": [
            {
                "remote": comparison.remote.name,
                "ahead": comparison.ahead,
                "behind": comparison.behind,
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


def _print(
    printer: Printer, repository: Repository, logs: list[Log], remotes: list[Remote]
) -> None:
    printer.line(f"Repository {one_line(repository.folder)}")
    length = repository.abbreviation_length()
    for log in logs:
        printer.line(("name", log.name), f": {plural(log.count, 'message')}")
        for comparison in compare(repository, log, remotes):
            printer.line(f"  {comparison.remote.name}: ", *_state(comparison))
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


def _state(comparison: Comparison) -> list[Piece]:
    if comparison.ahead is None or comparison.behind is None:
        state: list[Piece] = ["never seen"]
    elif comparison.ahead == comparison.behind == 0:
        state = [("good", "equal")]
    else:
        state = [("attention", f"{comparison.ahead} ahead, {comparison.behind} behind")]
    if comparison.held_back:
        state += [", ", ("bad", f"{len(comparison.held_back)} held back")]
    return state

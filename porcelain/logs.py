"""`logs`: lists the logs of a repository, makes, renames and deletes them."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from porcelain.discovery import open_repository
from porcelain.display import plural
from porcelain.message_json import to_json

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.repository import Log, Repository
    from plumbing.context import Context


class NotEmptyError(UsageError):
    """A log that holds messages was to be deleted without saying so."""


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `logs`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    new = actions.add_parser("new", help="make an empty log", description="Make an empty log.")
    new.add_argument("name", metavar="NAME", help="such as ops or beamline/p01")
    rename = actions.add_parser("rename", help="rename a log", description="Rename a log.")
    rename.add_argument("old", metavar="OLD", help="the log")
    rename.add_argument("new", metavar="NEW", help="its new name")
    delete = actions.add_parser("delete", help="forget a log", description="Forget a log.")
    delete.add_argument("name", metavar="NAME", help="the log")
    delete.add_argument("--force", action="store_true", help="even if it holds messages")


def run(arguments: Namespace, context: Context) -> int:
    """List the logs, or change them."""
    repository = open_repository(context)
    time = context.now()
    if arguments.action == "new":
        repository.create_log(arguments.name, time=time)
        _say(context, repository.log(arguments.name), "Made")
    elif arguments.action == "rename":
        repository.rename_log(arguments.old, arguments.new, time=time)
        _say(context, repository.log(arguments.new), "Renamed to")
    elif arguments.action == "delete":
        _delete(arguments, context, repository)
    else:
        _list(context, repository)
    repository.close()
    return 0


def _delete(arguments: Namespace, context: Context, repository: Repository) -> None:
    log = repository.log(arguments.name, make=False)
    if log.count and not arguments.force:
        raise NotEmptyError(
            f"the log {log.name!r} holds {plural(log.count, 'message')}",
            hint="Add --force to forget it all the same.",
        )
    _say(context, repository.delete_log(arguments.name, time=context.now()), "Deleted")


def _list(context: Context, repository: Repository) -> None:
    logs = repository.logs()
    width = max((len(log.name) for log in logs), default=0)
    for log in logs:
        if context.json:
            context.write(_json(log))
        else:
            context.write(f"{log.name:{width}}  {log.count}\n")


def _say(context: Context, log: Log, what: str) -> None:
    if context.json:
        context.write(_json(log))
    elif not context.quiet:
        context.write(f"{what} {log.name}\n")


def _json(log: Log) -> str:
    return to_json({"log": log.name, "count": log.count, "root": log.root.hex()})

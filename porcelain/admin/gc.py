"""`admin gc`: removes what no log of a server's repositories needs any more, and saves space."""

from __future__ import annotations

from msglog.account.setting import GC_GRACE, setting
from msglog.account.totals import GC, note_upkeep
from msglog.annotation import TYPE_CHECKING
from msglog.duration import microseconds
from msglog.errors import MsglogError
from msglog.store.collection import Retention
from porcelain.admin.place import opened
from porcelain.display import one_line
from porcelain.printing import note
from porcelain.tidying import add_dry_run, tidy

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `admin gc`."""
    parser.add_argument("name", metavar="REPOSITORY", nargs="?", help="only this one, not all")
    add_dry_run(parser)
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Tidy one repository, or all; what stops one does not stop the others.

    Each failure is noted, and the last one raised.
    """
    failure: MsglogError | None = None
    with opened(arguments, context) as account:
        retention = Retention(context.now(), microseconds(setting(account.database, GC_GRACE)))
        names = account.repository_names() if arguments.name is None else [arguments.name]
        for name in names:
            try:
                _tidy(account, name, retention, arguments, context)
                if not arguments.dry_run:
                    note_upkeep(account.database, GC, name, time=context.now())
            except MsglogError as error:
                if failure is not None:
                    note(context, one_line(str(failure)))
                failure = error
    if failure is not None:
        raise failure
    return 0


def _tidy(
    account: Account, name: str, retention: Retention, arguments: Namespace, context: Context
) -> None:
    repository = account.open_repository(name)
    try:
        tidy(repository, retention, context, dry_run=arguments.dry_run, name=name)
    finally:
        repository.close()

"""`admin migrate`: copies a server account to PostgreSQL, or from there to files."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

from msglog import folder as folders
from msglog.account.migration import FolderTarget, migrate
from msglog.annotation import TYPE_CHECKING
from plumbing.soundness import check_sound
from porcelain.admin.finding import warn_of_address
from porcelain.admin.place import key_sync, opened
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.output_file import remove_unfinished, working_folder
from porcelain.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from msglog.account.account import Account
    from msglog.repository import Repository
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `admin migrate`."""
    parser.add_argument("folder", metavar="DIR", help="the folder of the copy, which must be empty")
    parser.add_argument(
        "--store",
        metavar="ADDRESS",
        help="copy to PostgreSQL: postgresql://USER@HOST/DATABASE; DIR then has only this address",
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Copy the account; it stays as it is, and may be used meanwhile."""
    path = Path(context.directory, arguments.folder)
    with opened(arguments, context) as account:
        if arguments.store is None:
            counts = _copy_to_files(account, path, context)
        else:
            counts = _copy_to_store(account, path, arguments.store, context)
    total = sum(counts.values())
    if context.json:
        context.write(to_json({"path": str(path), "repositories": counts, "messages": total}))
    elif not context.quiet:
        where = plural(len(counts), "repository", "repositories")
        said = f"Copied {where} with {plural(total, 'message')} to {one_line(str(path))}"
        context.write(f"{said}; all roots agree\n")
        named = key_sync(os.path.abspath(path), context)
        context.write(f"Run `{named}` to let its users in\n")
    return 0


def _check(repository: Repository, counted: Callable[[int, int], None]) -> int:
    return check_sound(repository, counted=counted)


def _copy_to_files(account: Account, path: Path, context: Context) -> dict[str, int]:
    """Copy beside the folder that it will have: on the disk that must have room for it."""
    place = os.path.abspath(path)
    remove_unfinished(place)
    folders.make(os.path.dirname(place))
    with working_folder(place, context) as working:
        unfinished, scratch = Path(working, "account"), Path(working, "scratch")
        scratch.mkdir()
        target = FolderTarget(Path(place), unfinished)
        return migrate(account, target, scratch, _check, partial(Progress, context))


def _copy_to_store(account: Account, path: Path, address: str, context: Context) -> dict[str, int]:
    from msglog.postgres_driver import import_driver  # noqa: PLC0415 - where it is used

    import_driver()
    from msglog.account.postgres_migration import PostgresTarget  # noqa: PLC0415 - where it is used

    with tempfile.TemporaryDirectory(prefix="msglog-") as scratch:
        target = PostgresTarget(path, address)
        with closing(target.look()) as there:
            warn_of_address(there, context)
        return migrate(account, target, Path(scratch), _check, partial(Progress, context))

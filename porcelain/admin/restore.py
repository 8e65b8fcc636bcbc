"""`admin restore`: puts a server account back from a backup, after checking all of it."""

from __future__ import annotations

import os

from msglog.account.account import ADDRESS_NAME, REPOSITORIES_NAME
from msglog.annotation import TYPE_CHECKING
from msglog.backup import ACCOUNT
from msglog.layout import STORE_NAME
from porcelain.admin.place import account_path, key_sync
from porcelain.admin.soundness import check_database
from porcelain.archive import (
    PlaceTakenError,
    add_restore_arguments,
    as_of,
    check_repository,
    restore,
)
from porcelain.display import one_line, plural
from porcelain.message_json import to_json

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.backup import Manifest
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `admin restore`."""
    add_restore_arguments(parser, "where to put it (--account, or its default)")
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Restore an account, or only check its backup."""
    place = os.path.abspath(account_path(arguments, context))
    if arguments.folder is not None:
        place = os.path.abspath(os.path.join(context.directory, arguments.folder))
    if not arguments.dry_run:
        _check_alone(place)
    counts: dict[str, int] = {}

    def check(folder: str, _manifest: Manifest, names: list[str]) -> None:
        check_database(folder)
        for name in names:
            within, _, last = name.rpartition("/")
            if last == STORE_NAME:
                label = within.removeprefix(f"{REPOSITORIES_NAME}/")
                counts[label] = check_repository(
                    os.path.join(folder, within), context, label=f"{label}: "
                )
        os.makedirs(os.path.join(folder, REPOSITORIES_NAME), mode=0o700, exist_ok=True)

    done = restore(
        context,
        arguments.archive,
        place,
        ACCOUNT,
        check,
        replace=arguments.replace,
        dry_run=arguments.dry_run,
    )
    total = sum(counts.values())
    if context.json:
        record = {
            "path": None if arguments.dry_run else place,
            "time": done.manifest.time,
            "repositories": counts,
            "messages": total,
            "aside": done.aside or None,
        }
        context.write(to_json(record))
    elif not context.quiet:
        where = plural(len(counts), "repository", "repositories")
        said = f"{where} with {plural(total, 'message')} as of {as_of(done.manifest, context)}"
        if arguments.dry_run:
            context.write(f"The backup is sound: {said}\n")
            return 0
        context.write(f"Restored {said} in {one_line(place)}\n")
        if done.aside:
            context.write(f"What was there is in {one_line(done.aside)}\n")
        named = key_sync(place, context)
        context.write(f"Run `{named}` to let its users in\n")
    return 0


def _check_alone(place: str) -> None:
    """Raise PlaceTakenError where other hosts would go on with what this one has no more."""
    if os.path.lexists(os.path.join(place, ADDRESS_NAME)):
        raise PlaceTakenError(
            f"{place} takes part in an account in PostgreSQL",
            why="a backup becomes an account in files, of one host",
            hint="Name another DIR, and copy that to an empty schema with"
            " `msglog admin migrate --store`.",
        )

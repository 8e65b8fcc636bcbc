"""`restore`: puts a repository back from a backup, after checking all of it."""

from __future__ import annotations

import os
from shlex import quote

from msglog.annotation import TYPE_CHECKING
from msglog.backup import REPOSITORY
from porcelain.archive import add_restore_arguments, as_of, check_repository, restore
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.places import FOLDER

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.backup import Manifest
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `restore`."""
    add_restore_arguments(parser, f"where to make {FOLDER} (here)")


def run(arguments: Namespace, context: Context) -> int:
    """Restore a repository, or only check its backup."""
    place = _place(arguments, context)
    count = 0

    def check(folder: str, manifest: Manifest, _names: list[str]) -> None:
        nonlocal count
        count = check_repository(folder, context, manifest.identity)

    done = restore(
        context,
        arguments.archive,
        place,
        REPOSITORY,
        check,
        replace=arguments.replace,
        dry_run=arguments.dry_run,
    )
    if context.json:
        record = {
            "path": None if arguments.dry_run else place,
            "repository": done.manifest.identity,
            "time": done.manifest.time,
            "messages": count,
            "aside": done.aside or None,
        }
        context.write(to_json(record))
    elif not context.quiet:
        said = f"{plural(count, 'message')} as of {as_of(done.manifest, context)}"
        if arguments.dry_run:
            context.write(f"The backup is sound: {said}\n")
        else:
            context.write(f"Restored {said} in {one_line(place)}\n")
        if done.aside:
            aside = one_line(done.aside)
            pull = f"`msglog pull {quote(aside)}` adds what only that has"
            context.write(f"What was there is in {aside}; {pull}\n")
    return 0


def _place(arguments: Namespace, context: Context) -> str:
    if arguments.folder is not None:
        return os.path.join(
            os.path.abspath(os.path.join(context.directory, arguments.folder)), FOLDER
        )
    if context.repository_directory is not None:
        return os.path.abspath(context.repository_directory)
    return os.path.join(context.directory, FOLDER)

"""`backup`: writes the whole repository to one file, while others read and write."""

from __future__ import annotations

import os
import tempfile

from msglog.annotation import TYPE_CHECKING
from msglog.backup import REPOSITORY
from msglog.repository import Repository
from porcelain.archive import (
    STANDARD,
    add_backup_arguments,
    gather_repository,
    make_manifest,
    write_backup,
)
from porcelain.discovery import find_repository
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.printing import note
from porcelain.tidying import shown_size

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.backup import Manifest
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `backup`."""
    add_backup_arguments(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Back up the repository that is found."""
    archive: str = arguments.archive
    repository = Repository.open(find_repository(context))
    count = 0

    def gather(folder: str) -> tuple[Manifest, list[str]]:
        nonlocal count
        count, names = gather_repository(repository, folder, context)
        return make_manifest(REPOSITORY, repository.store.identity.hex(), context), names

    beside = repository.folder
    if not os.access(beside, os.W_OK):
        beside = tempfile.gettempdir()
    try:
        size = write_backup(context, archive, beside, gather, force=arguments.force)
    finally:
        repository.close()
    said = f"{plural(count, 'message')}, {shown_size(size)}"
    if archive == STANDARD:
        note(context, f"Backed up {said}")
    elif context.json:
        context.write(to_json({"file": archive, "messages": count, "bytes": size}))
    elif not context.quiet:
        context.write(f"Backed up {said} to {one_line(archive)}\n")
    return 0

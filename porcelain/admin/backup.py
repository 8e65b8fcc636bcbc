"""`admin backup`: writes a whole server account to one file, while sessions go on."""

from __future__ import annotations

import os

from msglog.account.account import DATABASE_NAME, REPOSITORIES_NAME
from msglog.account.totals import BACKUP, note_upkeep
from msglog.annotation import TYPE_CHECKING
from msglog.backup import ACCOUNT
from msglog.errors import IntegrityError
from plumbing.soundness import UnsoundRepositoryError
from porcelain.admin.place import opened
from porcelain.admin.soundness import check_database
from porcelain.archive import (
    STANDARD,
    add_backup_arguments,
    gather_repository,
    make_manifest,
    write_backup,
)
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.printing import note
from porcelain.tidying import shown_size

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from msglog.backup import Manifest
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `admin backup`."""
    add_backup_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Back up the account: its tables first, so that no repository lacks what they speak of."""
    archive: str = arguments.archive
    counts: dict[str, int] = {}
    time = context.now()
    with opened(arguments, context) as account:

        def gather(folder: str) -> tuple[Manifest, list[str]]:
            account.database.snapshot(os.path.join(folder, DATABASE_NAME))
            check_database(folder)
            names = [DATABASE_NAME]
            for name in account.repository_names():
                counts[name], more = _gather(account, name, folder, context)
                names += more
            return make_manifest(ACCOUNT, "", context), names

        size = write_backup(context, archive, account.folder, gather, force=arguments.force)
        note_upkeep(account.database, BACKUP, "", time=time)
    total = sum(counts.values())
    where = plural(len(counts), "repository", "repositories")
    said = f"{where} with {plural(total, 'message')}, {shown_size(size)}"
    if archive == STANDARD:
        note(context, f"Backed up {said}")
    elif context.json:
        record = {"file": archive, "repositories": counts, "messages": total, "bytes": size}
        context.write(to_json(record))
    elif not context.quiet:
        context.write(f"Backed up {said} to {one_line(archive)}\n")
    return 0


def _gather(account: Account, name: str, folder: str, context: Context) -> tuple[int, list[str]]:
    try:
        repository = account.open_repository(name)
        try:
            return gather_repository(
                repository,
                folder,
                context,
                prefix=f"{REPOSITORIES_NAME}/{name}/",
                label=f"{name}: ",
            )
        finally:
            repository.close()
    except IntegrityError as error:
        raise UnsoundRepositoryError(
            f"the repository {name!r} is damaged, and nothing was backed up",
            why=error.why or error.what,
            hint=f"See `msglog verify` in {account.repository_place(name)}.",
        ) from error

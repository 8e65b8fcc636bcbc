"""`admin migrate`: copies a server account to PostgreSQL, or from there to files."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from msglog.account.migration import FolderTarget, migrate
from msglog.annotation import TYPE_CHECKING
from plumbing.soundness import check_sound
from porcelain.admin.place import opened
from porcelain.display import one_line, plural
from porcelain.message_json import to_json
from porcelain.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from msglog.repository import Repository
    from plumbing.context import Context

_SUFFIX_BYTES = 4


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
    stage = partial(Progress, context)
    with opened(arguments, context) as account, tempfile.TemporaryDirectory(prefix="msglog-") as on:
        if arguments.store is None:
            folder = FolderTarget(path, context.random(_SUFFIX_BYTES).hex())
            try:
                counts = migrate(account, folder, Path(on), _check, stage)
            finally:
                folder.discard()
        else:
            from msglog.account.postgres_migration import (  # noqa: PLC0415 - where it is used
                PostgresTarget,
            )

            target = PostgresTarget(path, arguments.store)
            counts = migrate(account, target, Path(on), _check, stage)
    total = sum(counts.values())
    if context.json:
        context.write(to_json({"path": str(path), "repositories": counts, "messages": total}))
    elif not context.quiet:
        where = plural(len(counts), "repository", "repositories")
        said = f"Copied {where} with {plural(total, 'message')} to {one_line(str(path))}"
        context.write(f"{said}; all roots agree\n")
        context.write("Run `msglog admin key sync` there to let its users in\n")
    return 0


def _check(repository: Repository, counted: Callable[[int, int], None]) -> int:
    return check_sound(repository, counted=counted)

"""`init`: makes a repository for logs; saying it twice is harmless."""

from __future__ import annotations

import os
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.layout import STORE_NAME
from msglog.pathname import tidy
from msglog.repository import Repository
from msglog.store.store import REPOSITORY_ID_BYTES, StoreError
from porcelain.display import one_line
from porcelain.message_json import to_json
from porcelain.places import FOLDER, user_directory

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `init`."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("folder", nargs="?", metavar="DIR", help="where to make .msglog (here)")
    where.add_argument(
        "--user", action="store_true", help="make your own log, used outside of any repository"
    )


def run(arguments: Namespace, context: Context) -> int:
    """Make the repository, or say that it is there."""
    path = _path(arguments, context)
    made = not (path / STORE_NAME).exists()
    if made:
        try:
            repository = create(path, context)
        except StoreError:
            if not (path / STORE_NAME).exists():
                raise
            made = False  # another process was first
            repository = Repository.open(path)
    else:
        repository = Repository.open(path)
    identity = repository.store.identity.hex()
    repository.close()
    if context.json:
        context.write(to_json({"path": str(path), "repository": identity, "made": made}))
    elif not context.quiet:
        said = "Made a repository in" if made else "There is a repository already in"
        context.write(f"{said} {one_line(str(path))}\n")
    return 0


def create(path: Path, context: Context) -> Repository:
    """Make a repository in the folder path, with a random identity."""
    return Repository.create(path, identity=context.random(REPOSITORY_ID_BYTES), time=context.now())


def _path(arguments: Namespace, context: Context) -> Path:
    if arguments.user:
        return Path(user_directory(context), FOLDER)
    if arguments.folder is not None:
        folder: str = arguments.folder
        return Path(tidy(os.path.join(context.directory, folder)), FOLDER)
    if context.repository_directory is not None:
        return Path(context.repository_directory)
    return Path(context.directory, FOLDER)

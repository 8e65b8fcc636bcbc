"""`admin init`: makes a server account with its repository `main`."""

from __future__ import annotations

from pathlib import Path

from msglog.account.account import DATABASE_NAME, DEFAULT_REPOSITORY, Account
from msglog.account.database import AccountError
from msglog.annotation import TYPE_CHECKING
from msglog.layout import STORE_NAME
from msglog.message_json import to_json
from msglog.repository import Repository
from msglog.store.store import REPOSITORY_ID_BYTES
from porcelain.admin.place import account_path
from porcelain.display import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the argument of `admin init`."""
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="where to make it (--account, or its default)"
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Make the account, or say that it is there; what a cut-off run left out is made."""
    path = account_path(arguments, context)
    if arguments.folder is not None:
        path = Path(context.directory, arguments.folder)
    made = not (path / DATABASE_NAME).exists()
    account = _create(path, context) if made else Account.open(path)
    try:
        repository = account.repository_path(DEFAULT_REPOSITORY)
        if not (repository / STORE_NAME).exists():
            identity = context.random(REPOSITORY_ID_BYTES)
            Repository.create(repository, identity=identity, time=context.now()).close()
    finally:
        account.close()
    if context.json:
        context.write(to_json({"path": str(path), "made": made}))
    elif not context.quiet:
        said = "Made a server account in" if made else "There is a server account already in"
        context.write(f"{said} {one_line(str(path))}\n")
    return 0


def _create(path: Path, context: Context) -> Account:
    try:
        return Account.create(path, suffix=context.random(8).hex())
    except AccountError:
        if not (path / DATABASE_NAME).exists():
            raise
        return Account.open(path)  # another process was first

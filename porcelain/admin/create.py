"""`admin init`: makes a server account with its repository `main`."""

from __future__ import annotations

import os
from pathlib import Path

from msglog.account.account import (
    ADDRESS_NAME,
    DATABASE_NAME,
    DEFAULT_REPOSITORY,
    Account,
    NotEmptyError,
)
from msglog.account.database import AccountError
from msglog.annotation import TYPE_CHECKING
from msglog.message_json import to_json
from msglog.pathname import tidy
from msglog.store.store import REPOSITORY_ID_BYTES, StoreError
from porcelain.admin.finding import warn_of_address
from porcelain.admin.place import account_path
from porcelain.display import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `admin init`."""
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="where to make it (--account, or its default)"
    )
    parser.add_argument(
        "--store",
        metavar="ADDRESS",
        help="keep all in PostgreSQL: postgresql://USER@HOST/DATABASE ($MSGLOG_STORE)",
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Make the account, or say that it is there; what a cut-off run left out is made."""
    path = account_path(arguments, context)
    if arguments.folder is not None:
        path = Path(tidy(os.path.join(context.directory, arguments.folder)))
    address: str | None = arguments.store
    if address is None:  # one that is said and empty is a mistake
        address = context.environment.get("MSGLOG_STORE") or None
    account, made = _opened(path, address, context)
    try:
        if not account.has_repository(DEFAULT_REPOSITORY):
            _make_main(account, context)
        where = str(path) if address is None else account.where
        if address is not None:
            warn_of_address(account, context)
    finally:
        account.close()
    if context.json:
        context.write(to_json({"path": str(path), "made": made}))
    elif not context.quiet:
        said = "Made a server account in" if made else "There is a server account already in"
        context.write(f"{said} {one_line(where)}\n")
    return 0


def _opened(path: Path, address: str | None, context: Context) -> tuple[Account, bool]:
    """Return the account, made if need be, and whether that was so."""
    if address is None:
        made = not any((path / name).exists() for name in (DATABASE_NAME, ADDRESS_NAME))
        return (_create(path, context) if made else Account.open(path)), made
    if (path / DATABASE_NAME).exists():
        raise NotEmptyError(
            f"{path} is a server account of its own",
            hint="Copy it with `msglog admin migrate`.",
        )
    from msglog.postgres_driver import import_driver  # noqa: PLC0415 - where it is used

    import_driver()
    from msglog.account.postgres_account import PostgresAccount  # noqa: PLC0415 - where it is used

    made = PostgresAccount.make(path, address)
    return Account.open(path), made


def _create(path: Path, context: Context) -> Account:
    try:
        return Account.create(path, suffix=context.random(8).hex())
    except AccountError:
        if not (path / DATABASE_NAME).exists():
            raise
        return Account.open(path)  # another process was first


def _make_main(account: Account, context: Context) -> None:
    identity = context.random(REPOSITORY_ID_BYTES)
    try:
        account.create_repository(DEFAULT_REPOSITORY, identity=identity, time=context.now())
    except StoreError:
        if not account.has_repository(DEFAULT_REPOSITORY):
            raise  # else another host was first

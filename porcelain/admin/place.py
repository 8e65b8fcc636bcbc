"""Where the server account and its authorized_keys are, and keeping the two in step."""

from __future__ import annotations

import os
from argparse import SUPPRESS
from contextlib import contextmanager
from pathlib import Path

from msglog.account.account import DEFAULT_FOLDER, Account
from msglog.account.inspection import block_lines, inspect
from msglog.account.keyfile import read, rewrite
from msglog.account.managed_block import replace_block
from msglog.account.setting import KEYS_FILE, setting
from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, MsglogError
from msglog.pathname import tidy
from plumbing.program import running_program
from porcelain.admin.program import check_starts, why_unstartable
from porcelain.display import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.account.findings import Inspection
    from plumbing.context import Context


class NotInStepError(LocalError):
    """The account was changed, and authorized_keys could not be."""


def add_place_options(parser: ArgumentParser) -> None:
    """Give a parser `--account`, `--authorized-keys` and `--remote`."""
    parser.add_argument(
        "--account",
        metavar="DIR",
        default=SUPPRESS,
        help=f"the server account (~/{DEFAULT_FOLDER})",
    )
    parser.add_argument(
        "--authorized-keys",
        metavar="FILE",
        default=SUPPRESS,
        help="the file that sshd reads (the setting keys.file, ~/.ssh/authorized_keys)",
    )
    parser.add_argument(
        "--remote",
        metavar="REMOTE",
        default=SUPPRESS,
        help="run on the server account of this remote, whose administrator one must be",
    )


def key_sync(place: str, context: Context) -> str:
    """Return the command that lets the users of the account at a place in, for people."""
    from shlex import quote  # noqa: PLC0415 - few commands say it

    usual = place == os.path.join(context.home, DEFAULT_FOLDER)
    named = "" if usual else f" --account {quote(place)}"
    return one_line(f"msglog admin key sync{named}")


def account_path(arguments: Namespace, context: Context) -> Path:
    """Return the folder of the account that is meant."""
    named: str | None = getattr(arguments, "account", None)
    if named is None:
        return Path(context.home, DEFAULT_FOLDER)
    return Path(tidy(os.path.join(context.directory, named)))


def key_file(account: Account, arguments: Namespace, context: Context) -> Path:
    """Return the authorized_keys that is meant: the option, else the setting of the account."""
    return _key_file(setting(account.database, KEYS_FILE), arguments, context)


def probable_key_file(arguments: Namespace, context: Context) -> Path:
    """Return the authorized_keys of an account that may not be there, or not open: to look at."""
    try:
        with opened(arguments, context) as account:
            return key_file(account, arguments, context)
    except MsglogError:  # which is said elsewhere
        return _key_file(KEYS_FILE.default, arguments, context)


def _key_file(path: str, arguments: Namespace, context: Context) -> Path:
    named: str | None = getattr(arguments, "authorized_keys", None)
    if named is not None:
        return Path(context.directory, named)
    return Path(context.home, path[2:]) if path.startswith("~/") else Path(path)


@contextmanager
def opened(arguments: Namespace, context: Context) -> Iterator[Account]:
    """Open the account that is meant, and close it; raises AccountError and its kin."""
    account = Account.open(account_path(arguments, context))
    try:
        yield account
    finally:
        account.close()


def synchronise(account: Account, arguments: Namespace, context: Context) -> bool:
    """Write the managed block anew from the account; return whether it was otherwise."""
    # Looked up again by whoever holds the file's lock: the last of two writers sees both.
    return rewrite(key_file(account, arguments, context), lambda data: _changed(data, account))


def check_writable(account: Account, arguments: Namespace, context: Context) -> None:
    """Raise what `synchronise` would raise, before anything is changed.

    Also raises ProgramNotFoundError where the lines would start nothing.
    """
    check_starts(running_program())
    _changed(read(key_file(account, arguments, context)), account)


def follow(account: Account, arguments: Namespace, context: Context) -> None:
    """Bring authorized_keys in step with an account that has changed; raises NotInStepError.

    The account comes first: what it no longer gives is denied, whatever the file says.
    """
    try:
        synchronise(account, arguments, context)
    except LocalError as error:
        raise NotInStepError(
            f"the account is changed, but {key_file(account, arguments, context)} is not",
            why=error.clause,
            hint="Run `msglog admin key sync` when that is put right.",
        ) from error


def inspected(account: Account, arguments: Namespace, context: Context) -> Inspection:
    """Look at the account and its authorized_keys for the checks."""
    program = running_program()
    return inspect(
        account,
        key_file(account, arguments, context),
        program,
        home=Path(context.home),
        unstartable=why_unstartable(program),
    )


def _changed(data: bytes, account: Account) -> bytes:
    lines: list[str] = []
    # Without any keys, lines can be removed even by a msglog that nobody could start.
    if account.keys_of():
        lines = block_lines(account, running_program())
    return replace_block(data, str(account.path.resolve()), lines)

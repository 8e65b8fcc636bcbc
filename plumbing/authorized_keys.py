"""`authorized-keys`: tells sshd what a key may do: its AuthorizedKeysCommand."""

from __future__ import annotations

from pathlib import Path

from msglog.account.forced_command import ForcedCommand
from msglog.account.managed_block import key_line
from msglog.annotation import TYPE_CHECKING
from plumbing.login_account import ask, find_login_account
from plumbing.program import running_program

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `authorized-keys`."""
    parser.add_argument("login", metavar="ACCOUNT", help="the UNIX account: %%u of sshd_config")
    parser.add_argument("fingerprint", metavar="FINGERPRINT", help="of the key: %%f of sshd_config")
    parser.add_argument("--account", metavar="DIR", type=Path, help="the server account's folder")


def run(arguments: Namespace, context: Context) -> int:
    """Print the line of authorized_keys for one key, or nothing for one that is not known.

    All is looked up and put together before the first byte is written, and any failure is an exit
    status, so that sshd, which takes nothing from a command that fails, lets nobody in by it. What
    fails for the moment is no answer: see `ask`.
    """
    named = None if arguments.account is None else Path(context.directory, arguments.account)
    found = find_login_account(arguments.login, named)
    if found is None:
        return 0
    key = ask(found.path, context, lambda account: account.key(arguments.fingerprint))
    if key is not None:
        command = ForcedCommand(running_program(), key.user, key.key.fingerprint, found.named)
        context.write(f"{key_line(command, key.key)}\n")
    return 0

"""Running a command of `admin` that an administrator gave over a session.

The same parser, the same functions and the same checks as on the machine itself; only what names a
file or a folder of the machine is refused, since the sender's are elsewhere.
"""

from __future__ import annotations

from argparse import Namespace

from msglog.account.setting import KEYS_FILE
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import replace
from msglog.errors import UsageError
from porcelain.admin.command import configure
from porcelain.admin.recording import run_recorded
from porcelain.parser import CommandParser, HelpRequested

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plumbing.context import Context

STANDARD_INPUT = "-"

_PLACES = {
    "account": "--account",
    "authorized_keys": "--authorized-keys",
    "remote": "--remote",
    "sshd_config": "--sshd-config",
    "output": "--output",
}


class NotFromAfarError(UsageError):
    """A command can be given only on the machine itself."""


def check_from_afar(arguments: Namespace) -> None:
    """Raise NotFromAfarError for what a session cannot carry: it is about files of the machine."""
    if arguments.action == "init":
        raise NotFromAfarError(
            "a server account cannot be made with --remote",
            hint="Type `msglog admin init` in the account.",
        )
    if arguments.action in ("backup", "restore", "migrate"):
        raise NotFromAfarError(
            f"`msglog admin {arguments.action}` cannot be used with --remote",
            why="it names a file on the server",
        )
    if getattr(arguments, "setting", None) == KEYS_FILE.name and arguments.value is not None:
        raise NotFromAfarError(
            f"{KEYS_FILE.name} cannot be set with --remote", why="it names a file on the server"
        )
    for name, option in _PLACES.items():
        if getattr(arguments, name, None) is not None:
            raise NotFromAfarError(
                f"{option} cannot be used with --remote", why="it names something on the server"
            )


def run_delegated(words: Sequence[str], account: Path, context: Context) -> int:
    """Run a command on an account for an administrator elsewhere; return its exit status."""
    parser = CommandParser(prog="msglog admin")
    configure(parser)
    try:
        arguments = parser.parse(words, Namespace())
    except HelpRequested as request:
        raise NotFromAfarError("help is not asked for over a session") from request
    check_from_afar(arguments)
    if getattr(arguments, "directory", None) is not None:
        raise NotFromAfarError("-C is not for the server", why="it names a folder there")
    arguments.account = str(account)
    if hasattr(arguments, "file"):
        arguments.file = STANDARD_INPUT
    context = replace(
        context,
        json=getattr(arguments, "json", False),
        quiet=getattr(arguments, "quiet", False),
        verbose=getattr(arguments, "verbose", False),
    )
    return run_recorded(arguments.run, arguments, context)

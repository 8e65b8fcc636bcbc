"""Finding the server account of a UNIX account that sshd asks about, while somebody logs in."""

from __future__ import annotations

import pwd
import shlex
import stat
from pathlib import Path

from msglog.account.account import DEFAULT_FOLDER, Account
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeVar

    from plumbing.context import Context

    _Answer = TypeVar("_Answer")

ANSWER_SECONDS: Final = 600.0
"""How long sshd is kept waiting for an account that is busy or cannot be reached.

Longer than its LoginGraceTime: sshd then ends the connection, and us with it, without an answer.
"""

PAUSE_SECONDS: Final = 0.5

_SHARED = stat.S_IWGRP | stat.S_IWOTH


class UntrustedAccountError(LocalError):
    """Others may change what is in the account's folder, and with it who may come in."""


@dataclass(frozen=True, slots=True)
class LoginAccount:
    """Where an account is.

    named: what `--account` of its forced commands has to say, or None where they find it without.
    """

    path: Path
    named: str | None


def find_login_account(login: str, folder: Path | None) -> LoginAccount | None:
    """Return the server account that a UNIX account serves, or None if it serves none.

    login: the name that sshd gives as `%u`, which may be anybody's: sshd asks about each who comes.
    folder: the account's folder, or None for the default one in that UNIX account's home. It must
    belong to that UNIX account, or everybody on the machine would be let in by its keys. Raises
    UntrustedAccountError, and OSError for a folder that was named and cannot be looked at.
    """
    try:
        entry = pwd.getpwnam(login)
    except (KeyError, ValueError):  # nobody, or a name with a NUL
        return None
    usual = Path(entry.pw_dir) / DEFAULT_FOLDER
    if folder is None:
        try:
            status = usual.stat()
        except OSError:
            return None
    else:
        status = folder.stat()
    if status.st_uid != entry.pw_uid:
        return None
    path = (folder or usual).resolve()
    if status.st_mode & _SHARED:
        raise UntrustedAccountError(
            f"nobody is let in by {path}",
            why=f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"Run `chmod go-w {shlex.quote(str(path))}`.",
        )
    return LoginAccount(path, None if path == usual.resolve() else str(path))


def ask(folder: Path, context: Context, question: Callable[[Account], _Answer]) -> _Answer:
    """Put a question to the server account in a folder, again and again while it has no answer.

    sshd takes a failure for "no", and tells the client that its key is refused, which is for good.
    An account that is busy, or whose database is away, may well know the key: sshd waits.
    """
    until = context.monotonic() + ANSWER_SECONDS
    while True:
        try:
            account = Account.open(folder, alone=True)
            try:
                return question(account)
            finally:
                account.close()
        except LocalError as error:
            if not error.temporary or context.monotonic() > until:
                raise
        context.sleep(PAUSE_SECONDS)

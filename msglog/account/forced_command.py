"""The forced command of a key: `receive-pack`, started so that no environment changes it."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import PurePath

from msglog.account.name import is_fingerprint, is_user_name
from msglog.dataclass import dataclass
from msglog.errors import LocalError

_UNSAFE = frozenset("\"'\\`!")
"""What the shells of an account (sh, bash, csh, fish) and sshd do not quote in the same way."""

_RECEIVE_PACK = "receive-pack"


class UnsafePathError(LocalError):
    """A path has characters that cannot be carried through sshd and a shell for certain."""


@dataclass(frozen=True, slots=True)
class Program:
    """How msglog is started: a real Python interpreter and the console script; absolute paths."""

    interpreter: str
    script: str


@dataclass(frozen=True, slots=True)
class ForcedCommand:
    """What one line of authorized_keys runs.

    fingerprint: of the key, or None for a certificate, whose key the account does not have.
    account: the folder of the server account, or None for the default one.
    """

    program: Program
    user: str
    fingerprint: str | None
    account: str | None = None

    def text(self) -> str:
        """Return the command as a shell reads it; raises UnsafePathError."""
        known = self.fingerprint is None or is_fingerprint(self.fingerprint)
        if not is_user_name(self.user) or not known:
            raise ValueError(self.user, self.fingerprint)
        words = [
            quote_path(self.program.interpreter),
            "-I",
            quote_path(self.program.script),
            _RECEIVE_PACK,
            self.user,
        ]
        if self.fingerprint is not None:
            words += ["--key", self.fingerprint]
        if self.account is not None:
            words += ["--account", quote_path(self.account)]
        return " ".join(words)


def quote_path(path: str) -> str:
    """Return an absolute path as a shell's word; raises UnsafePathError."""
    if not path.isprintable() or not _UNSAFE.isdisjoint(path):
        raise UnsafePathError(
            f"cannot write {path!r} into authorized_keys",
            why="quotation marks, '\\', '`', '!' and control characters cannot be quoted safely",
            hint="Move it to a plainer path.",
        )
    if not path.startswith("/"):
        raise UnsafePathError(
            f"cannot write {path!r} into authorized_keys", why="the path is not absolute"
        )
    return shlex.quote(path)


@dataclass(frozen=True, slots=True)
class WrittenCommand:
    """A `receive-pack` that was found in a line, whether or not we would write it so.

    before: the words in front of `receive-pack`. exact: the line is just what ForcedCommand.text
    gives; nothing else is in it.
    """

    before: tuple[str, ...]
    user: str
    fingerprint: str | None
    account: str | None
    exact: bool


def parse_command(command: str) -> WrittenCommand | None:
    """Return what a forced command starts if it is `msglog receive-pack` in some form."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if _RECEIVE_PACK not in words:
        return None
    at = words.index(_RECEIVE_PACK)
    before, after = words[:at], words[at + 1 :]
    if not before or not PurePath(before[-1]).name.startswith("msglog") or not after:
        return None
    named = {name: value for name, value in pairwise(after[1:]) if name in ("--key", "--account")}
    fingerprint, account = named.get("--key"), named.get("--account")
    exact = False
    if len(before) == 3 and fingerprint is not None:
        program = Program(before[0], before[2])
        try:
            exact = ForcedCommand(program, after[0], fingerprint, account).text() == command
        except (ValueError, UnsafePathError):
            exact = False
    return WrittenCommand(tuple(before), after[0], fingerprint, account, exact)

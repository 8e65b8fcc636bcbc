"""Gathering what the checks of authorized_keys look at, from the disk and from the account."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from msglog.account.account import DEFAULT_FOLDER
from msglog.account.findings import Inspection, named_programs
from msglog.account.forced_command import ForcedCommand
from msglog.account.keyfile import read
from msglog.account.managed_block import key_line
from msglog.account.place import Place
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.account.account import Account
    from msglog.account.forced_command import Program
    from msglog.account.record import UserKey


def expected_commands(account: Account, program: Program) -> dict[str, ForcedCommand]:
    """Return the forced command of every key of an account, by fingerprint."""
    return _commands(account, program, account.keys_of())


def _commands(
    account: Account, program: Program, keys: Sequence[UserKey]
) -> dict[str, ForcedCommand]:
    folder = account.path.resolve()
    default = default_account(folder.stat().st_uid)
    named = None if default is not None and folder == default.resolve() else str(folder)
    return {
        key.key.fingerprint: ForcedCommand(program, key.user, key.key.fingerprint, named)
        for key in keys
    }


def block_lines(account: Account, program: Program) -> list[str]:
    """Return the lines of an account's managed block; raises UnsafePathError."""
    keys = account.keys_of()  # once: others may add keys meanwhile
    commands = _commands(account, program, keys)
    return [key_line(commands[key.key.fingerprint], key.key) for key in keys]


def default_account(owner: int) -> Path | None:
    """Return the folder that receive-pack opens for a UNIX user when it is told none.

    It is below the home that sshd takes from the user database, whatever `$HOME` an administrator
    has; None for a user whom the database does not know.
    """
    home = _login_home(owner)
    return None if home is None else home / DEFAULT_FOLDER


def inspect(
    account: Account, key_file: Path, program: Program, *, home: Path, unstartable: str = ""
) -> Inspection:
    """Look at an account and at an authorized_keys; raises KeyFileError and AccountError.

    home: of whoever asks; there, and at the home of the account's owner, sshd stops to look for
    folders that others may write to. unstartable: why the program does not start, or "".
    """
    data = read(key_file)
    folder = account.path.resolve()
    owner = folder.stat().st_uid
    default = default_account(owner)
    return Inspection(
        path=str(key_file),
        data=data,
        expected=expected_commands(account, program),
        account=str(folder),
        default_account="" if default is None else str(default.resolve()),
        owner=owner,
        places=places(account, key_file, home=home),
        missing=frozenset(name for name in named_programs(data) if not _is_there(name)),
        unstartable=unstartable,
    )


def inspect_other(inspection: Inspection, key_file: Path, *, home: Path) -> Inspection:
    """Look at another file that sshd reads for an account as well; raises KeyFileError."""
    data = read(key_file)
    return replace(
        inspection,
        path=str(key_file),
        data=data,
        places=tuple(
            place
            for place in _way_to(key_file, _ends(inspection.owner, home))
            if place not in inspection.places
        ),
        missing=frozenset(name for name in named_programs(data) if not _is_there(name)),
    )


def places(account: Account, key_file: Path, *, home: Path) -> tuple[Place, ...]:
    """Return what the keys of an account depend on: the file, the folders above, the account."""
    folder = account.path.resolve()
    ends = _ends(folder.stat().st_uid, home)
    return (*_way_to(key_file, ends), *_account_places(folder, account.file_name))


def _ends(owner: int, home: Path) -> set[Path]:
    return {home.resolve(), (_login_home(owner) or home).resolve()}


def _login_home(owner: int) -> Path | None:
    try:
        return Path(pwd.getpwuid(owner).pw_dir)
    except KeyError:
        return None


def _is_there(program: str) -> bool:
    path = Path(program)
    return path.is_file() and os.access(path, os.R_OK)


def _way_to(key_file: Path, ends: set[Path]) -> Iterator[Place]:
    """Yield the file and the folders above it up to a home: what sshd's StrictModes looks at."""
    path = key_file.resolve()
    if path.exists():
        yield _place(path, kept=True)
    for folder in path.parents:
        if folder.exists():
            # A folder outside of a home may be there for others as well.
            yield _place(folder, kept=any(folder.is_relative_to(end) for end in ends))
        if folder in ends:
            return


def _account_places(folder: Path, file_name: str) -> Iterator[Place]:
    yield _place(folder, private=True, kept=True, passed=False)
    yield _place(folder / file_name, kept=True, passed=False)


def _place(path: Path, *, kept: bool, private: bool = False, passed: bool = True) -> Place:
    status = path.stat()
    return Place(
        str(path),
        status.st_uid,
        stat.S_IMODE(status.st_mode),
        private=private,
        folder=stat.S_ISDIR(status.st_mode),
        kept=kept,
        passed=passed,
    )

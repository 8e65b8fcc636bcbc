"""Gathering what the checks of authorized_keys look at, from the disk and from the account."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msglog.account.account import DATABASE_NAME, Account
from msglog.account.findings import Inspection, Place, named_programs
from msglog.account.forced_command import ForcedCommand, Program
from msglog.account.keyfile import read


def expected_commands(
    account: Account, program: Program, default_account: Path
) -> dict[str, ForcedCommand]:
    """Return the forced command of every key of an account, by fingerprint."""
    folder = account.path.resolve()
    named = None if folder == default_account.resolve() else str(folder)
    return {
        key.key.fingerprint: ForcedCommand(program, key.user, key.key.fingerprint, named)
        for key in account.keys_of()
    }


def inspect(
    account: Account, key_file: Path, program: Program, *, home: Path, default_account: Path
) -> Inspection:
    """Look at an account and at an authorized_keys; raises KeyFileError and AccountError.

    home: where sshd stops looking for folders that others may write to.
    """
    data = read(key_file)
    folder = account.path.resolve()
    return Inspection(
        path=str(key_file),
        data=data,
        expected=expected_commands(account, program, default_account),
        account=str(folder),
        default_account=str(default_account.resolve()),
        owner=folder.stat().st_uid,
        places=(*_way_to(key_file, home), *_account_places(folder)),
        missing=frozenset(name for name in named_programs(data) if not _is_there(name)),
    )


def _is_there(program: str) -> bool:
    path = Path(program)
    return path.is_file() and os.access(path, os.R_OK)


def _way_to(key_file: Path, home: Path) -> Iterator[Place]:
    """Yield the file and the folders above it up to the home: what sshd's StrictModes looks at."""
    path, end = key_file.resolve(), home.resolve()
    if path.exists():
        yield _place(path)
    for folder in path.parents:
        if folder.exists():
            yield _place(folder)
        if folder == end:
            return


def _account_places(folder: Path) -> Iterator[Place]:
    yield _place(folder, private=True)
    yield _place(folder / DATABASE_NAME)


def _place(path: Path, *, private: bool = False) -> Place:
    status = path.stat()
    return Place(str(path), status.st_uid, stat.S_IMODE(status.st_mode), private)

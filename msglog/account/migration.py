"""Copying a server account with its repositories to another kind of store, while it is used.

Everything goes by way of files of SQLite, which are copies of one moment. That the copy is whole is
told by the roots of all logs, which are the same if and only if the logs have the same messages.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

from msglog.account.account import DATABASE_NAME, REPOSITORIES_NAME, Account, NotEmptyError
from msglog.account.policy import policies
from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.errors import LocalError
from msglog.folder import make, sync
from msglog.layout import STORE_NAME
from msglog.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from msglog.store.store import Ref

ROUNDS = 3
"""How often what has changed meanwhile is copied again."""

_MODE = 0o700


class StillWrittenError(LocalError):
    """An account was written to during each of the copies."""


class Target(Protocol):
    """What an account becomes elsewhere; nobody can use it before it is finished."""

    def put_tables(self, file: str) -> None:
        """Have the tables that a file of SQLite has; in the place of any that were put before."""

    def put_repository(self, name: str, folder: str) -> None:
        """Have the repository that lies in a folder of SQLite, which may be moved."""

    def look(self) -> Account:
        """Return what there is so far."""

    def finish(self) -> None:
        """Let everybody use it."""


class FolderTarget:
    """An account in files, built beside the folder that it will have."""

    def __init__(self, path: Path, suffix: str) -> None:
        if path.is_dir() and any(path.iterdir()):
            raise NotEmptyError(
                f"{path} cannot become a server account",
                why="there is something in it",
                hint="Name an empty folder, or one that is not there.",
            )
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.new-{suffix}")
        make(self._unfinished / REPOSITORIES_NAME, mode=_MODE)
        self._unfinished.chmod(_MODE)

    def put_tables(self, file: str) -> None:
        """Move the file to where it belongs."""
        os.replace(file, self._unfinished / DATABASE_NAME)

    def put_repository(self, name: str, folder: str) -> None:
        """Move the folder to where it belongs."""
        place = self._unfinished / REPOSITORIES_NAME / name
        make(place, mode=_MODE)
        os.replace(os.path.join(folder, STORE_NAME), place / STORE_NAME)

    def look(self) -> Account:
        """Open the unfinished folder."""
        return Account.open(self._unfinished)

    def finish(self) -> None:
        """Make everything durable, and give the folder its name."""
        for folder, _, files in os.walk(self._unfinished):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    os.fsync(file.fileno())
            sync(folder)
        if self._path.is_dir():
            self._path.rmdir()
        self._unfinished.rename(self._path)
        sync(self._path.parent)

    def discard(self) -> None:
        """Remove what is unfinished."""
        shutil.rmtree(self._unfinished, ignore_errors=True)


def migrate(
    source: Account, target: Target, scratch: Path, check: Callable[[Repository], int]
) -> dict[str, int]:
    """Copy an account, and return how many messages each of its repositories has.

    scratch: a folder for what is on the way. check: raises for a repository that is not sound.
    Raises StillWrittenError, and then nothing is finished.
    """
    counts: dict[str, int] = {}
    copied: dict[str, dict[str, Ref]] = {}
    for _ in range(ROUNDS):
        tables = str(scratch / DATABASE_NAME)
        source.database.snapshot(tables)
        target.put_tables(tables)
        Path(tables).unlink(missing_ok=True)
        for name in source.repository_names():
            if copied.get(name) != _refs(source, name):
                counts[name] = _copy(source, name, target, scratch / "repository", check)
            with closing(target.look()) as there:
                copied[name] = _refs(there, name)
        changed = _difference(source, target, copied)
        if not changed:
            target.finish()
            return counts
    raise StillWrittenError(
        f"{source.where} was not copied",
        why=f"{changed} was changed during each of {ROUNDS} copies",
        hint="Stop its sshd for a moment, and say it again.",
    )


def _copy(
    source: Account, name: str, target: Target, folder: Path, check: Callable[[Repository], int]
) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=_MODE)
    with closing(source.open_repository(name)) as repository:
        repository.store.snapshot(str(folder / STORE_NAME))
    with closing(Repository.open(folder)) as snapshot:
        check(snapshot)
    target.put_repository(name, str(folder))
    with closing(target.look()) as there, closing(there.open_repository(name)) as copy:
        return check(copy)


def _refs(account: Account, name: str) -> dict[str, Ref]:
    with closing(account.open_repository(name)) as repository:
        return repository.store.refs()


def _difference(source: Account, target: Target, copied: dict[str, dict[str, Ref]]) -> str:
    """Return what is not the same in both, or "". Records of the audit are only ever added."""
    names = source.repository_names()
    for name in names:
        if copied.get(name) != _refs(source, name):
            return f"the repository {name}"
    with closing(target.look()) as there:
        same = [
            (one.users(), one.keys_of(), one.grants(), policies(one.database))
            for one in (source, there)
        ]
        if same[0] != same[1]:
            return "what users may do"
    return ""

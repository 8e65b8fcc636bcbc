"""Copying a server account with its repositories to another kind of store, while it is used.

Everything goes by way of files of SQLite, which are copies of one moment. That the copy is whole is
told by the roots of all logs, which are the same if and only if the logs have the same messages.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing

from msglog.account.account import DATABASE_NAME, REPOSITORIES_NAME, Account, NotEmptyError
from msglog.account.audit import last_number
from msglog.account.database import AccountError
from msglog.account.policy import policies
from msglog.account.setting import all_settings
from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.errors import LocalError
from msglog.folder import make, sync
from msglog.layout import STORE_NAME
from msglog.repository import Repository
from msglog.sqlite_file import wal_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from msglog.store.collection import BytesDone
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

    def put_repository(self, name: str, folder: str, *, progress: BytesDone) -> None:
        """Have the repository that lies in a folder of SQLite, which may be moved."""

    def look(self) -> Account:
        """Return what there is so far."""

    def finish(self) -> None:
        """Let everybody use it."""


class Stage(Protocol):
    """One part of the work, while it is done."""

    def update(self, done: int, total: int | None = None) -> None:
        """Say that done of total messages were checked."""

    def update_bytes(self, size: int, whole: int | None = None) -> None:
        """Say that so many of whole bytes were copied."""


class FolderTarget:
    """An account in files, built elsewhere on the disk of the folder that it will have.

    unfinished: an empty folder of ours.
    """

    def __init__(self, path: Path, unfinished: Path) -> None:
        if path.is_dir() and any(path.iterdir()):
            raise NotEmptyError(
                f"{path} cannot become a server account",
                why="there is something in it",
                hint="Name an empty folder, or one that is not there.",
            )
        self._path = path
        self._unfinished = unfinished
        make(self._unfinished / REPOSITORIES_NAME, mode=_MODE)
        self._unfinished.chmod(_MODE)

    def put_tables(self, file: str) -> None:
        """Move the file to where it belongs."""
        os.replace(file, self._unfinished / DATABASE_NAME)

    def put_repository(self, name: str, folder: str, *, progress: BytesDone) -> None:
        """Move the folder to where it belongs, at once."""
        del progress
        place = self._unfinished / REPOSITORIES_NAME / name
        make(place, mode=_MODE)
        if wal_size(os.path.join(folder, STORE_NAME)):
            raise AccountError(f"cannot move {folder}", why="SQLite did not end with it")
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


def migrate(
    source: Account,
    target: Target,
    scratch: Path,
    check: Callable[[Repository, Callable[[int, int], None]], int],
    stage: Callable[[str], AbstractContextManager[Stage]],
) -> dict[str, int]:
    """Copy an account, and return how many messages each of its repositories has.

    scratch: a folder for what is on the way, on the disk of a target in files. check: raises for a
    repository that is not sound, and tells how far it has come. stage: gives what shows a part of
    the work, by what it is called. Raises StillWrittenError, and then nothing is finished.
    """
    counts: dict[str, int] = {}
    copied: dict[str, dict[str, Ref]] = {}
    copying = _Copying(source, target, scratch / "repository", check, stage)
    copying.copy_tables(scratch / DATABASE_NAME)  # without which there is nothing to look at
    for _ in range(ROUNDS):
        for name in source.repository_names():
            if copied.get(name) != _refs(source, name):
                counts[name] = copying.copy(name)
            with closing(target.look()) as there:
                copied[name] = _refs(there, name)
        # Last: a push comes before its record, so what the copy has of pushes is recorded in it.
        copying.copy_tables(scratch / DATABASE_NAME)
        changed = _difference(source, target, copied)
        if not changed:
            target.finish()
            return counts
    raise StillWrittenError(
        f"{source.where} was not copied",
        why=f"{changed} was changed during each of {ROUNDS} copies",
        hint="Stop its sshd for a moment, and say it again.",
    )


class _Copying:
    """Copies the tables, and repositories one after the other."""

    def __init__(
        self,
        source: Account,
        target: Target,
        folder: Path,
        check: Callable[[Repository, Callable[[int, int], None]], int],
        stage: Callable[[str], AbstractContextManager[Stage]],
    ) -> None:
        self._source = source
        self._target = target
        self._folder = folder
        self._check = check
        self._stage = stage

    def copy_tables(self, file: Path) -> None:
        """Copy the tables by way of a file."""
        self._source.database.snapshot(str(file))
        self._target.put_tables(str(file))
        file.unlink(missing_ok=True)

    def copy(self, name: str) -> int:
        """Copy one repository, and return how many messages it has."""
        folder = self._folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=_MODE)
        with (
            self._stage(f"{name}: Copying") as stage,
            closing(self._source.open_repository(name)) as repository,
        ):
            repository.store.snapshot(str(folder / STORE_NAME), progress=stage.update_bytes)
        with (
            self._stage(f"{name}: Checking") as stage,
            closing(Repository.open(folder)) as snapshot,
        ):
            self._check(snapshot, stage.update)
        with self._stage(f"{name}: Storing") as stage:
            self._target.put_repository(name, str(folder), progress=stage.update_bytes)
        with (
            self._stage(f"{name}: Checking the copy") as stage,
            closing(self._target.look()) as there,
            closing(there.open_repository(name)) as copy,
        ):
            return self._check(copy, stage.update)


def _refs(account: Account, name: str) -> dict[str, Ref]:
    with closing(account.open_repository(name)) as repository:
        return repository.store.refs()


def _difference(source: Account, target: Target, copied: dict[str, dict[str, Ref]]) -> str:
    """Return what is not the same in both, or ""."""
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
        if all_settings(source.database) != all_settings(there.database):
            return "a setting"
        # Records are only ever added: where the last one is the same, all are.
        if last_number(source.database) != last_number(there.database):
            return "the audit"
    return ""

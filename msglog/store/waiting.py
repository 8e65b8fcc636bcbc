"""A store where locks do not work: it is read as it is, and what is added waits beside it.

What is read without locks while another machine writes may be torn. Objects have their digests and
a root reaches all of its log, so that it shows as damage, and never as another message.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.incoming import about_damage, drop
from msglog.layout import INCOMING_NAME
from msglog.refname import LOG_PREFIX
from msglog.sqlite_file import STILL, how_to_copy
from msglog.store.layered import LayeredStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Committed, Lost, StoreError, StoreFormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from msglog.sqlite_file import LocksError
    from msglog.store.store import Commit

    _Read = TypeVar("_Read")

_ATTEMPTS = 8
_PAUSE_SECONDS = 0.02
_TORN = (IntegrityError, StoreError)
"""What reading ends with where somebody writes at the same time, or where there is damage."""


def open_waiting(path: str, error: LocksError) -> tuple[WaitingStore, list[str]]:
    """Open the store at path without locks, with what waits beside it; and what to tell people.

    error: why there are none. Raises as SqliteStore.open does.
    """
    store = WaitingStore(path, error, _Unlocked(path))
    count, unusable = store.take_up_all()
    say = f"{error.what} ({error.why}): what is added waits in {store.folder}/{INCOMING_NAME}"
    if count:
        say += f", where {'1 message does' if count == 1 else f'{count} messages do'}"
    return store, [say, *unusable, *about_damage(store.folder)]


def _open(path: str) -> tuple[SqliteStore, str]:
    """Return the store, and the folder to remove once it is closed, or "".

    What lies in a log or a journal can be had only by writing, so in a copy. Mostly it is the
    journal of somebody who just writes, and soon gone.
    """
    for attempt in range(_ATTEMPTS):
        _wait(attempt)
        if not any(map(_has_content, (f"{path}-wal", f"{path}-journal"))):
            try:
                return SqliteStore.open_alone(path, STILL, path=path), ""
            except StoreFormatError:
                break  # an older one can be upgraded in a copy; of others this says the same again
            except _TORN:
                continue
    for attempt in range(_ATTEMPTS):
        _wait(attempt)
        try:
            return _open_copy(path)
        except _TORN:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _open_copy(path: str) -> tuple[SqliteStore, str]:
    folder = tempfile.mkdtemp(prefix="msglog-")
    try:
        copy = os.path.join(folder, os.path.basename(path))
        for suffix in ("", "-wal", "-journal"):
            try:
                shutil.copyfile(path + suffix, copy + suffix)
            except FileNotFoundError:
                if not suffix:
                    raise
        return SqliteStore.open_alone(copy, how_to_copy(copy), path=path), folder
    except BaseException:
        shutil.rmtree(folder)
        raise


def _wait(attempt: int) -> None:
    time.sleep(_PAUSE_SECONDS * attempt)


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except FileNotFoundError:
        return False


class _Unlocked:
    """A file that is read without locks: what was torn is read again, from the file as it is later.

    Source of a LayeredStore.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._store, self._copy = _open(path)

    def read(self, work: Callable[[SqliteStore], _Read]) -> _Read:
        for attempt in range(_ATTEMPTS):
            try:
                return work(self._store)
            except _TORN:
                if attempt == _ATTEMPTS - 1:
                    raise
                _wait(attempt + 1)
                self.close()
                self._store, self._copy = _open(self._path)
        raise AssertionError

    def close(self) -> None:
        self._store.close()
        if self._copy:
            shutil.rmtree(self._copy, ignore_errors=True)


class WaitingStore(LayeredStore):
    """A Store that reads another and what waits beside it, and adds to what waits.

    Of changes it takes those alone that add messages to logs; others raise LocksError.
    """

    def commit(self, commit: Commit) -> Committed | Lost:
        """Let the messages of a change wait, durably; raises LocksError for any other change."""
        (update,) = commit.refs if len(commit.refs) == 1 else (None,)
        only_adds = not (commit.receipt or commit.agreed or commit.held_back)
        if update is None or update.new is None or not commit.messages or not only_adds:
            raise self.error
        if not update.name.startswith(LOG_PREFIX):
            raise self.error
        actual = self.ref(update.name)
        if (None if actual is None else actual.root) != update.old:
            return Lost(update.name, actual)
        log = update.name[len(LOG_PREFIX) :]
        drop(self.folder, log, commit.messages.values())
        self.show(update.name, update.new, commit.nodes, commit.messages)
        return Committed()

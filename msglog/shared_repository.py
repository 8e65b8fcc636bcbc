"""A repository that the threads of a process share, and that outlives a fork.

Source: sqlite.org, "How To Corrupt An SQLite Database File", 2.6: a connection is never used in a
process that was forked from the one that opened it, not even to close it.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakSet

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError, local_error
from msglog.layout import STORE_NAME
from msglog.repository import Repository
from msglog.store.store import StoreGoneError

if TYPE_CHECKING:
    from os import PathLike
    from typing import TypeAlias

    Opening: TypeAlias = tuple[int, int]
    """A process, and which opening of the repository in it, counted from 1."""

FORK_SECONDS = 15.0
"""How long a fork waits at most for what other threads have begun."""

_INHERITED: list[Repository] = []
"""Repositories that forks have left us, kept so that nobody closes them."""


class ClosedError(UsageError):
    """A logbook was used after it was closed."""


class ForkedError(UsageError):
    """What one process has begun was gone on with in a process forked from it."""


class SharedRepository:
    """One open repository. Threads take turns; a forked child opens it anew when it first uses it.

    So does everybody where the store is another file than before: removed and made anew, restored
    or repaired. Processes that log something live long.

    Raises StoreError and its kin when it is opened.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = os.path.abspath(folder)
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._closed = False
        self._place: tuple[int, int] | None = None
        self._openings = 0
        self._repository: Repository | None = self._open()
        _OPEN.add(self)

    def close(self) -> None:
        """Close it; whoever uses it afterwards gets ClosedError. To say so twice is harmless."""
        self._note_fork()
        with self._lock:
            self._closed = True
            if self._repository is not None:
                self._repository.close()
                self._repository = None

    @property
    def is_closed(self) -> bool:
        """Whether it is closed."""
        return self._closed

    def check_open(self) -> None:
        """Raise ClosedError if it is closed."""
        if self._closed:
            raise ClosedError(f"the logbook in {self.folder} is closed")

    @property
    def opening(self) -> Opening:
        """The process that we are in and what it has open, for `using`."""
        with self.using():
            return self._process, self._openings

    def using(self, opening: Opening | None = None) -> Use:
        """Give a block the repository, and keep other threads from it.

        opening: it must still be this one, or else ForkedError or StoreGoneError is raised.
        """
        return Use(self, opening)

    def enter(self, opening: Opening | None) -> tuple[threading.RLock, Repository]:
        """Return the repository, and the lock that is held for it: for Use."""
        self._note_fork()
        if opening is not None and opening[0] != self._process:
            raise ForkedError(
                "an iteration cannot go on in a forked process", hint="Begin it anew there."
            )
        lock = self._lock
        lock.acquire()
        try:
            self.check_open()
            if self._repository is not None and _place(self.folder) != self._place:
                self._repository.close()
                self._repository = None
            if self._repository is None:
                self._repository = self._open()
            self._check_opening(opening)
        except BaseException:
            lock.release()
            raise
        return lock, self._repository

    def _check_opening(self, opening: Opening | None) -> None:
        if opening is not None and opening[1] != self._openings:
            raise StoreGoneError(
                f"{self.folder} is another repository than before",
                hint="Begin the iteration anew.",
            )

    def _open(self) -> Repository:
        self._place = _place(self.folder)
        self._openings += 1
        try:
            return Repository.open(self.folder)
        except OSError as error:
            raise local_error(error) from error

    def hold(self) -> bool:
        """Keep all other threads out until `let_go`: for a fork. Return whether that is so.

        A thread that is within SQLite at that moment would leave its locks behind, in the child for
        ever: not those of this class, but SQLite's own.
        """
        return self._lock.acquire(timeout=FORK_SECONDS)

    def let_go(self) -> None:
        """Let other threads go on."""
        self._lock.release()

    def _note_fork(self) -> None:
        """Leave to the process that we were forked from what is its own."""
        if self._process == os.getpid():
            return
        if self._repository is not None:
            _INHERITED.append(self._repository)
            self._repository = None
        self._lock = threading.RLock()
        self._process = os.getpid()


class Use:
    """A block that has a repository for itself among the threads of this process.

    What the system refuses in it leaves it as LocalError.
    """

    __slots__ = ("_lock", "_opening", "_shared")

    def __init__(self, shared: SharedRepository, opening: Opening | None) -> None:
        self._shared = shared
        self._opening = opening

    def __enter__(self) -> Repository:
        """Wait for the other threads."""
        self._lock, repository = self._shared.enter(self._opening)
        return repository

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Let them go on."""
        self._lock.release()
        if isinstance(error, OSError):
            raise local_error(error) from error


def _place(folder: str) -> tuple[int, int] | None:
    """Return what tells the store's file from one that takes its place; None for no file."""
    try:
        status = os.stat(os.path.join(folder, STORE_NAME))
    except OSError:
        return None
    return status.st_dev, status.st_ino


_OPEN: WeakSet[SharedRepository] = WeakSet()
_held: list[SharedRepository] = []


def _before_fork() -> None:
    _held.extend([one for one in list(_OPEN) if one.hold()])


def _after_fork() -> None:
    while _held:
        _held.pop().let_go()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)

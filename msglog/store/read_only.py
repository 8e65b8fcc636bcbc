"""A store that this process can only read: on a disk that is mounted so, or somebody else's.

SQLite reads a file with a write-ahead log through memory that all its users share, which lies in a
file beside it. Where somebody uses the store that file is there, and SQLite manages by itself.
Where nobody does, there is none, and SQLite cannot make it. So the file is read as it is, under the
lock of readers: then whoever comes to write has to make that file, which stays while we hold the
lock. What was read is good if it is not there afterwards, and is read again, together with them,
if it is. See docs/adr/0015-shared-disks-and-journals.md.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError
from msglog.incoming import about_damage
from msglog.layout import FOLDER
from msglog.shared_disk import locks_are_local
from msglog.shared_lock import NoLockError, SharedLock, read_beginning
from msglog.sqlite_file import (
    BUSY_SECONDS,
    LOCAL_KINDS,
    READ_ONLY,
    STILL,
    DatabaseError,
    LocksError,
    how_to_copy,
    kind_of,
    mount_of,
)
from msglog.store.layered import LayeredStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import (
    ForeignStoreError,
    ReadOnlyStoreError,
    StoreBusyError,
    StoreError,
    StoreFormatError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from msglog.store.collection import BytesDone
    from msglog.store.store import Ref

    _Read = TypeVar("_Read")

ASK_SECONDS = 1.0
"""How often who waits for changes looks for them."""

_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02
_COPIED_AT_ONCE = 1 << 20
_WITH_LOG = b"\x02\x02"
_KIND = slice(18, 20)
"""Where the header says how the file is written (sqlite.org/fileformat.html, 1.3.3)."""

_HEADER_BYTES = 100
_SIZE = 2
"""Where the size stands in what is known of a file."""

_NEVER_WRITTEN = frozenset(b"cramfs erofs fuse.squashfuse iso9660 romfs squashfs udf".split())
"""File systems that nobody writes to once they are made, or not where they are in use."""


def open_read_only(path: str) -> tuple[ReadOnlyStore, list[str]]:
    """Open a store that is only read, with what waits beside it; and what to tell people.

    Raises LocksError where it is known that locks do not work, and otherwise as SqliteStore.open.
    """
    folder = os.path.dirname(path)
    real = os.path.realpath(path)  # beside which SQLite has its other files
    error = ReadOnlyStoreError(
        f"{folder} can only be read",
        why=_why(path),
        hint=f"`msglog clone {_place(folder)}` makes a copy that can be added to.",
    )
    try:
        mount = mount_of(os.path.dirname(real))
    except DatabaseError as failure:
        raise StoreError(f"cannot use {path}", why=str(failure)) from failure
    store = ReadOnlyStore(path, error, _Still(real, mount))
    _, unusable = store.take_up_all()
    return store, [*unusable, *about_damage(folder)]


def _place(folder: str) -> str:
    return os.path.dirname(folder) if os.path.basename(folder) == FOLDER else folder


def _why(path: str) -> str:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "it is mounted read-only"
    return "you may not write to it"


class ReadOnlyStore(LayeredStore):
    """A Store of which others may change the file, and we may not."""

    def snapshot(self, path: str, *, progress: BytesDone | None = None) -> None:
        """Write all into a new file, without what waits."""

        def write(store: SqliteStore) -> None:
            with suppress(FileNotFoundError):  # of a try before
                os.unlink(path)
            store.snapshot(path, progress=progress)

        self._read(write)

    def notice(self) -> RefsNotice:
        """Return what tells that refs are not what they were."""
        return RefsNotice(self)


class RefsNotice:
    """A Notice by looking: who may not write cannot have the writers tell."""

    seconds = ASK_SECONDS

    def __init__(self, store: ReadOnlyStore) -> None:
        self._store = store
        self._refs: dict[str, Ref] = store.refs()

    def fileno(self) -> int:
        """Return -1: there is none."""
        return -1

    def changed(self) -> bool:
        """Tell whether a ref was changed since the last time; raises StoreError."""
        refs = self._store.refs()
        changed = refs != self._refs
        self._refs = refs
        return changed

    def close(self) -> None:
        """Free nothing."""


@dataclass(frozen=True, slots=True)
class _State:
    """What tells that a store was written to: the file, and what writers make beside it.

    Of each its device and number, and but for the memory its size and when it was changed; nothing
    of what is not there.
    """

    file: tuple[int, ...]
    log: tuple[int, ...]
    memory: tuple[int, ...]
    journal: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A store as it is read just now.

    state: what was beside it. Once that is another, the store is to be opened anew. None where
    SQLite itself sees to it that what is read is whole.
    lock: what is held meanwhile. copy: the folder to remove in the end, or "".
    """

    store: SqliteStore
    state: _State | None = None
    lock: SharedLock | None = None
    copy: str = ""

    def close(self) -> None:
        self.store.close()
        if self.lock is not None:
            self.lock.free()
        if self.copy:
            shutil.rmtree(self.copy, ignore_errors=True)


class _Still:
    """A file that is read as it is for as long as nobody writes to it. Source of a LayeredStore."""

    def __init__(self, path: str, mount: bytes) -> None:
        self._path = path
        self._mount = mount
        self._is_local = kind_of(mount) in LOCAL_KINDS
        self._opened = self._open()
        self._identity = self._opened.store.identity

    def read(self, work: Callable[[SqliteStore], _Read]) -> _Read:
        for attempt in range(_ATTEMPTS):
            failure: Exception | None = None
            try:
                result = work(self._opened.store)
            except (IntegrityError, StoreError) as error:
                failure = error
            if self._is_as_it_was():
                if failure is None:
                    return result
                # A reader who cannot write is now and then told so where a moment later he is not.
                if not isinstance(failure, ReadOnlyStoreError) or attempt == _ATTEMPTS - 1:
                    raise failure
            _wait(attempt)
            self._open_anew()
        raise StoreBusyError(
            f"{self._path} is busy", why="others write all the time", hint="Try again in a moment."
        )

    def close(self) -> None:
        self._opened.close()

    def _is_as_it_was(self) -> bool:
        return self._opened.state in (None, _state(self._path))

    def _open_anew(self) -> None:
        self._opened.close()
        self._opened = self._open()
        if self._opened.store.identity != self._identity:
            raise StoreError(f"{self._path} is not the same store any more")

    def _open(self) -> _Opened:
        for attempt in range(_ATTEMPTS):
            _wait(attempt)
            try:
                return self._try_to_open()
            except ReadOnlyStoreError:  # as in `read`
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError

    def _try_to_open(self) -> _Opened:
        """Open the store; raises ReadOnlyStoreError where that may go well in a moment."""
        if kind_of(self._mount) in _NEVER_WRITTEN:
            return self._open_as_it_is(_state(self._path), None)
        if self._is_local:
            lock = self._lock()
            try:
                opened = self._open_under(lock)
            except BaseException:
                lock.free()
                raise
            if opened.lock is None:  # SQLite has locks of its own, or it is a copy
                lock.free()
            return opened
        why = locks_are_local(self._mount)
        if why:
            raise LocksError(f"locks do not work where {self._path} lies", why=why)
        try:
            header = read_beginning(self._path, _HEADER_BYTES)
        except OSError as error:
            raise StoreError(f"cannot use {self._path}", why=error.strerror or "") from error
        if _has_log(header):
            raise StoreError(
                f"{self._path} cannot be read safely from here",
                why="it has a write-ahead log, of which this machine would not see all",
                hint="Read it where its disk is, or let somebody who may write there use it once.",
            )
        try:
            return _Opened(self._open_file(READ_ONLY))
        except ReadOnlyStoreError:
            if not _has_content(_state(self._path).journal):
                raise
        lock = self._lock()
        try:
            return self._open_copy(_state(self._path), lock)
        finally:
            lock.free()

    def _lock(self) -> SharedLock:
        try:
            return SharedLock(self._path, BUSY_SECONDS)
        except TimeoutError as error:
            raise StoreBusyError(
                f"{self._path} is busy", why=error.strerror or "", hint="Try again in a moment."
            ) from error
        except NoLockError as error:
            raise LocksError(
                f"locks do not work where {self._path} lies", why=error.strerror or ""
            ) from error
        except OSError as error:
            raise StoreError(f"cannot use {self._path}", why=error.strerror or "") from error

    def _open_under(self, lock: SharedLock) -> _Opened:
        """Open the store while nobody can switch its journal, end its log or write without one."""
        state = _state(self._path)  # one look for all: what is there from now on is another one
        if not _has_log(lock.read(_HEADER_BYTES, 0)):
            try:
                return _Opened(self._open_file(READ_ONLY))
            except (ReadOnlyStoreError, StoreFormatError) as error:
                if isinstance(error, ForeignStoreError):
                    raise
                return self._open_copy(state, lock)  # what a journal takes back, or an older format
        if state.log and state.memory:
            return _Opened(self._open_file(READ_ONLY))
        if _has_content(state.log):
            return self._open_copy(state, lock)
        return self._open_as_it_is(state, lock)

    def _open_as_it_is(self, state: _State, lock: SharedLock | None) -> _Opened:
        """Open the file without regard to anybody; lock: None if nobody can write it at all."""
        if lock is None and (_has_content(state.log) or _has_content(state.journal)):
            return self._open_copy(state, None)
        try:
            store = self._open_file(STILL)
        except ForeignStoreError:
            raise
        except StoreFormatError:
            return self._open_copy(state, lock)
        return _Opened(store, state if lock else None, lock)

    def _open_copy(self, state: _State, lock: SharedLock | None) -> _Opened:
        """Open a copy of a file that can be had only by writing: from a log, or an older format."""
        folder = tempfile.mkdtemp(prefix="msglog-")
        try:
            copy = os.path.join(folder, os.path.basename(self._path))
            _copy(self._path, copy, lock)
            for suffix in ("-wal", "-journal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(self._path + suffix, copy + suffix)
            store = SqliteStore.open_alone(copy, how_to_copy(copy), path=self._path)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, IntegrityError) and state != _state(self._path):
                raise self._written_meanwhile() from error
            raise
        opened = _Opened(store, state if lock else None, None, folder)
        if lock is not None and state != _state(self._path):
            opened.close()
            raise self._written_meanwhile()
        return opened

    def _open_file(self, how: str) -> SqliteStore:
        return SqliteStore.open_alone(self._path, how, path=self._path)

    def _written_meanwhile(self) -> ReadOnlyStoreError:
        return ReadOnlyStoreError(f"{self._path} cannot be read", why="others write to it just now")


def _copy(path: str, copy: str, lock: SharedLock | None) -> None:
    """Copy a file without opening it where it is locked: to close it would free SQLite's locks."""
    if lock is None:
        shutil.copyfile(path, copy)
        return
    with open(copy, "xb") as file:
        while part := lock.read(_COPIED_AT_ONCE, file.tell()):
            file.write(part)


def _has_log(header: bytes) -> bool:
    return header[_KIND] == _WITH_LOG


def _state(path: str) -> _State:
    return _State(*[_status(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")])


def _status(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    changed = () if path.endswith("-shm") else (status.st_size, status.st_mtime_ns)
    return (status.st_dev, status.st_ino, *changed)


def _has_content(status: tuple[int, ...]) -> bool:
    return len(status) > _SIZE and status[_SIZE] > 0


def _wait(attempt: int) -> None:
    time.sleep(_PAUSE_SECONDS * attempt)

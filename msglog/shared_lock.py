"""The lock that SQLite's readers hold on a file, held by us: meanwhile, nobody writes to it.

But what is in a write-ahead log may be moved into it by who has the log open. The lock belongs to
an open file (fcntl_locking(2): F_OFD_SETLK), not to the process as SQLite's own do, and stands with
them. Which bytes are locked is part of the file format (`os.h`: SHARED_FIRST, SHARED_SIZE).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

_FIRST = 0x40000002
_COUNT = 510
_FLOCK = "hhqqi0q"
"""struct flock of fcntl(2), whose offsets are of 64 bits as Python is built."""

_WAIT = 0.02
_HELD = (errno.EAGAIN, errno.EACCES)

_SPARE: dict[tuple[int, int], list[int]] = {}
"""Open files that are locked no more, by device and number. To close one would give up the locks
that SQLite has on the same file for another connection of this process."""

os.register_at_fork(after_in_child=_SPARE.clear)


class NoLockError(OSError):
    """There is no such lock on this system, or where the file lies."""


class SharedLock:
    """The lock on one file, from when it is made until `free`.

    seconds: how long to wait for a writer who has the file for himself; then raises TimeoutError.
    Raises NoLockError, and OSError where the file cannot be read.
    """

    __slots__ = ("descriptor",)

    def __init__(self, path: str | PathLike[str], seconds: float) -> None:
        self.descriptor = _open(path)
        try:
            self._take(seconds)
        except BaseException:
            _put_by(self.descriptor)
            raise

    def _take(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                _set(self.descriptor, fcntl.F_RDLCK)
            except OSError as error:
                if error.errno not in _HELD:
                    raise NoLockError(error.errno, error.strerror) from error
            else:
                return
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds it")
            time.sleep(_WAIT)

    def read(self, size: int, offset: int) -> bytes:
        """Return some bytes of the file."""
        return os.pread(self.descriptor, size, offset)

    def free(self) -> None:
        """Give up the lock; to say so twice is harmless."""
        if self.descriptor >= 0:
            _set(self.descriptor, fcntl.F_UNLCK)
            _put_by(self.descriptor)
            self.descriptor = -1


def read_beginning(path: str | PathLike[str], size: int) -> bytes:
    """Return the first bytes of a file, without harm to the locks that SQLite has on it."""
    descriptor = _open(path)
    try:
        return os.pread(descriptor, size, 0)
    finally:
        _put_by(descriptor)


def _open(path: str | PathLike[str]) -> int:
    status = os.stat(path)
    spare = _SPARE.get((status.st_dev, status.st_ino))
    return spare.pop() if spare else os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _put_by(descriptor: int) -> None:
    status = os.fstat(descriptor)
    _SPARE.setdefault((status.st_dev, status.st_ino), []).append(descriptor)


def _set(descriptor: int, kind: int) -> None:
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        raise NoLockError(errno.ENOSYS, "this system has no locks of that kind")
    fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, kind, os.SEEK_SET, _FIRST, _COUNT, 0))

"""Folders that last: made and changed so that a power failure takes back nothing that was done.

Of a file that was made, renamed or removed, only the folder's own fsync makes the name durable.
Source: fsync(2), POSIX.1-2024.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

LOCK_SECONDS = 10.0
"""How long a change waits for another one; each takes milliseconds."""

_WAIT = 0.02
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP)


def make(path: str | PathLike[str], *, mode: int = 0o777) -> None:
    """Make a folder, and those above it that are missing, durably; it may be there.

    mode: of the folder itself. Raises OSError.
    """
    folder = os.path.abspath(path)
    above = os.path.dirname(folder)
    if not os.path.isdir(above):
        make(above)
    try:
        os.mkdir(folder, mode)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise
        try:
            sync(above)  # whoever made it may have been cut off before this
        except PermissionError:
            pass  # it is not ours to read, and was there before us
        return
    sync(above)


def sync(path: str | PathLike[str]) -> None:
    """Make the names in a folder durable, where its file system can; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # The names are then as durable as the file system makes them by itself.
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


class Locked:
    """A block in which nobody else of us changes what is in a folder.

    The value is whether that is sure: some file systems have no locks for folders. The kernel frees
    the lock when the process ends. Raises TimeoutError when another one holds it for LOCK_SECONDS,
    and OSError.
    """

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> bool:
        """Wait for the lock."""
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return self._lock()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _lock(self) -> bool:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(
                        errno.ETIMEDOUT, "another process is changing it", os.fspath(self._path)
                    ) from None
                time.sleep(_WAIT)
            except OSError:
                return False
            else:
                return True

    def __exit__(self, *_: object) -> None:
        """Free it."""
        os.close(self._descriptor)

"""The notice of a store in a SQLite file: the kernel tells that a writer was here (inotify).

A writer opens and closes a file beside the store after each change of a ref, see
`msglog.store.sqlite_commit`. Who waits makes that file, and has the kernel tell when it is closed:
so there is nothing that a writer would wait for, or that somebody killed would leave behind. What
the kernel does not tell (another machine's writes on a network file system, or a writer of an older
msglog) is found by asking SQLite now and then: one number.
"""

from __future__ import annotations

import ctypes
import os

from msglog.annotation import TYPE_CHECKING
from msglog.sqlite_file import LOCAL_KINDS, DatabaseError, kind_of, mount_of
from msglog.store.sqlite_commit import NOTICE_SUFFIX
from msglog.store.store import StoreError

if TYPE_CHECKING:
    from os import PathLike

    from msglog.store.sqlite_link import Link

TOLD_SECONDS = 5.0
"""How often to ask where the kernel tells, for writers that it does not tell of."""

UNTOLD_SECONDS = 1.0
"""How often to ask where it could tell and has no more room for it."""

ELSEWHERE_SECONDS = 5.0
"""How often to ask where other machines may write: each time takes locks over a network."""

_CLOSED_AFTER_WRITING = 0x00000008  # IN_CLOSE_WRITE of <sys/inotify.h>
_READ_BYTES = 1 << 16


class SqliteNotice:
    """A Notice of what other connections commit to a file, in this process or in others.

    What the link itself commits is no news.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._file = self._identify()
        self._is_local = _is_local(link.path)
        self._descriptor = -1
        if self._is_local:
            self._descriptor = _watched(f"{os.fspath(link.path)}{NOTICE_SUFFIX}")
        self._version = self._ask()

    @property
    def seconds(self) -> float:
        """Seldom where the kernel tells or asking is dear, and else more often."""
        if not self._is_local:
            return ELSEWHERE_SECONDS
        return UNTOLD_SECONDS if self._descriptor < 0 else TOLD_SECONDS

    def fileno(self) -> int:
        """Return the descriptor of inotify, or -1."""
        return self._descriptor

    def changed(self) -> bool:
        """Tell whether the file was written to since the last time; raises StoreError."""
        self._take_events()
        if self._identify() != self._file:
            raise StoreError(f"{self._link.path} is not the same store any more")
        version = self._ask()
        changed = version != self._version
        self._version = version
        return changed

    def close(self) -> None:
        """Have the kernel forget it; the file stays, for the next one who waits."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take_events(self) -> None:
        try:
            while self._descriptor >= 0 and os.read(self._descriptor, _READ_BYTES):
                pass  # what they say is known: there is one file, and one kind of event
        except BlockingIOError:
            pass

    def _ask(self) -> int:
        """Return a number that is another one after each commit of another connection."""
        return self._link.number("PRAGMA data_version")

    def _identify(self) -> tuple[int, int]:
        """Return what tells one file from another of the same name."""
        try:
            status = os.stat(self._link.path)
        except OSError as error:
            raise StoreError(f"{self._link.path} is gone", why=error.strerror or "") from error
        return status.st_dev, status.st_ino


def _is_local(path: str | PathLike[str]) -> bool:
    """Tell whether a file lies where no other machine writes."""
    try:
        return kind_of(mount_of(os.path.dirname(os.path.abspath(path)))) in LOCAL_KINDS
    except DatabaseError:
        return True  # too few descriptors to find out; nor will there be one for inotify


def _watched(path: str) -> int:
    """Return a descriptor that is readable when a file was closed by a writer; -1 if none can be.

    So where the kernel has no inotify or no more of it (mostly it gives each user 128), and where
    the file cannot be made.
    """
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))
        libc = ctypes.CDLL(None)
        descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, AttributeError):
        return -1
    if (
        descriptor >= 0
        and libc.inotify_add_watch(
            descriptor, ctypes.c_char_p(os.fsencode(path)), ctypes.c_uint32(_CLOSED_AFTER_WRITING)
        )
        < 0
    ):
        os.close(descriptor)
        return -1
    return descriptor

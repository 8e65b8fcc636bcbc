"""Files of SQLite on disks that other machines may write to: NFS, Lustre, GPFS, SMB, FUSE and such.

A write-ahead log needs memory that all who have the file open share, which machines do not. There
the file is kept with a rollback journal, which needs nothing but locks; and that locks work is
tried, by two processes, once for each machine and mount. What a machine cannot find out about
locks between it and others, the options of the mount tell for some kinds.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time

from msglog.annotation import TYPE_CHECKING
from msglog.digest import digest
from msglog.sqlite_file import LocksError, kind_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from os import PathLike
    from typing import Final

LOCKS_FOLDER = "locks"
"""Beside the file: for each machine, on which mount locks were tried and work."""

TRUST_NAME = "trust-locks"
"""A file that somebody makes beside the store to say that locks reach other machines after all."""

PROBE_SECONDS = 5.0
"""How long the whole trial of locks may take: NFS waits for ever for a lock server that is gone."""

_LOCAL_LOCKS: Final = {
    b"nfs": (b"nolock", b"local_lock=all", b"local_lock=posix"),
    b"nfs4": (b"nolock", b"local_lock=all", b"local_lock=posix"),
    b"lustre": (b"localflock",),
    b"cifs": (b"nobrl",),
    b"smb3": (b"nobrl",),
}
"""Options of mounts by which locks are known to this machine alone (nfs(5), mount.lustre(8),
mount.cifs(8))."""

_LOCAL_KINDS: Final = frozenset(
    b"beegfs fuse.curlftpfs fuse.gcsfuse fuse.goofys fuse.gvfsd-fuse fuse.rclone fuse.s3fs"
    b" fuse.sshfs".split()
)
"""Kinds whose locks are known to this machine alone, or are unless it is set up otherwise: the
kernel keeps locks for what FUSE serves without taking them itself, and BeeGFS by default."""

_SEEN_SUFFIX = "-shared"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def settle(
    connection: sqlite3.Connection,
    path: str | PathLike[str],
    mount: bytes,
    identify: Callable[[], None],
) -> None:
    """Make a connection one that may write where other machines do, too.

    mount: the line of /proc/self/mountinfo, or b"". identify: see `msglog.sqlite_file.prepare`.
    Raises LocksError, and what SQLite raises.
    """
    why = why_not(os.path.dirname(os.path.abspath(path)), mount)
    if why:
        raise LocksError(
            f"locks do not work where {os.fspath(path)} lies",
            why=why,
            hint="Use it from a machine or a mount where they do.",
        )
    # A file that was used with a write-ahead log is opened without the memory for it, alone.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    identify()
    if os.access(path, os.W_OK):
        _note_that_it_is_shared(os.fspath(path))
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    set_journal(connection)
    connection.execute("PRAGMA locking_mode = NORMAL")
    # The lock is given back by what is done next, not by saying so.
    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def set_journal(connection: sqlite3.Connection) -> None:
    """Say how a rollback journal is made durable: with its folder, once it is removed.

    With less, a machine that loses power could find the journal again, and undo what it was told
    to be durable.
    """
    connection.execute("PRAGMA synchronous = EXTRA")


def is_seen_elsewhere(path: str | PathLike[str]) -> bool:
    """Tell whether a file on a local disk is the very one that was used over a network.

    Then this is the machine that serves it, and others may have it open. A copy is another file.
    """
    try:
        with open(f"{os.fspath(path)}{_SEEN_SUFFIX}", "rb") as file:
            noted = file.read(32)
    except FileNotFoundError:
        return False
    return noted.strip() == b"%d" % os.stat(path).st_ino


def forget(path: str | PathLike[str]) -> None:
    """Forget that a file, or what it is a copy of, was used over a network."""
    try:
        os.unlink(f"{os.fspath(path)}{_SEEN_SUFFIX}")
    except OSError:
        pass  # mostly there is none, and otherwise it says that of another file


def _note_that_it_is_shared(path: str) -> None:
    note = f"{path}{_SEEN_SUFFIX}"
    number = b"%d\n" % os.stat(path).st_ino
    try:
        with open(note, "rb") as file:
            if file.read(32) == number:
                return
    except FileNotFoundError:
        pass
    _write(note, number)


def why_not(folder: str, mount: bytes, deadline: float = PROBE_SECONDS) -> str:
    """Return why locks are not to be relied on in a folder, or ""; tries them if need be.

    Where the folder cannot be written nothing is tried: nothing will be written there.
    """
    if not os.access(folder, os.W_OK):
        return ""
    if not os.path.exists(os.path.join(folder, TRUST_NAME)):
        why = locks_are_local(mount)
        if why:
            return why
    memory, state = _memory(folder, mount)
    try:
        with open(memory, "rb") as file:
            if file.read(len(state) + 1) == state:
                return ""
    except FileNotFoundError:
        pass
    try:
        os.mkdir(os.path.dirname(memory), 0o700)
    except FileExistsError:
        pass
    why = probe(f"{memory}.{os.urandom(8).hex()}", deadline)
    if not why:
        _write(memory, state)
    return why


def locks_are_local(mount: bytes) -> str:
    """Return why locks are known not to reach other machines, by what a mount says, or ""."""
    kind = kind_of(mount)
    if kind in _LOCAL_KINDS:
        return f"those of {kind.decode()} do not reach other machines"
    options = mount.split(b" ")[-1].split(b",")
    for option in _LOCAL_LOCKS.get(kind, ()):
        if option in options:
            return f"it is mounted with {option.decode()}, by which they do not reach others"
    return ""


def _memory(folder: str, mount: bytes) -> tuple[str, bytes]:
    """Return where it is kept that locks work on this machine, and what stands there if so.

    The line has the number of the mount, which no other has before the machine starts anew.
    """
    try:
        with open(_BOOT_ID, "rb") as file:
            boot = file.read(64)
    except OSError:
        boot = b""
    host = digest(os.fsencode(os.uname().nodename))[:8].hex()
    state = digest(boot + mount).hex().encode()
    return os.path.join(folder, LOCKS_FOLDER, host), state


def _write(path: str, data: bytes) -> None:
    """Write a file whole or not at all; nothing hangs on its being durable."""
    new = f"{path}.{os.getpid()}"
    with open(new, "wb") as file:
        file.write(data)
    os.rename(new, path)


def probe(path: str, deadline: float) -> str:
    """Return why two processes cannot lock a file against each other, or "".

    One takes the lock, so that another must be refused, until the first has let go. Both are
    children, which can be ended should the system never answer. The file is made and removed.
    """
    until = time.monotonic() + deadline
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return f"no file can be made there: {error.strerror}"
    holder, other = _Locker(path), _Locker(path)
    try:
        for who, order, expected in (
            (holder, b"l", b"ok"),
            (other, b"l", b"no"),
            (holder, b"u", b"ok"),
            (other, b"l", b"ok"),
        ):
            answer = who.ask(order, until)
            if answer != expected:
                return _meaning(answer)
    finally:
        holder.end()
        other.end()
        os.unlink(path)
    return ""


def _meaning(answer: bytes) -> str:
    if answer == b"ok":
        return "two processes got the same lock at once"
    if answer == b"no":
        return "a lock stays when it is given back"
    if answer.isdigit():
        return os.strerror(int(answer))
    return "no answer to a lock in time"


class _Locker:
    """A child that locks a file when told to, and says what came of it."""

    def __init__(self, path: str) -> None:
        theirs, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._hangs = False
        self._process = os.fork()
        if not self._process:
            try:
                os.close(self._orders)
                os.close(self._answers)
                _lock_as_told(path, theirs, answers)
            finally:
                os._exit(0)
        os.close(theirs)
        os.close(answers)

    def ask(self, order: bytes, until: float) -> bytes:
        """Return the answer to an order: ok, no, a number of errno, or nothing in time."""
        os.write(self._orders, order)
        ready, _, _ = select.select([self._answers], [], [], max(0, until - time.monotonic()))
        self._hangs = not ready
        return os.read(self._answers, 16) if ready else b""

    def end(self) -> None:
        """End the child; one that hangs in the kernel is left to it."""
        os.close(self._orders)
        os.close(self._answers)
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, os.WNOHANG if self._hangs else 0)


def _lock_as_told(path: str, orders: int, answers: int) -> None:
    import fcntl  # noqa: PLC0415 - in the children alone

    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    while order := os.read(orders, 1):
        try:
            fcntl.lockf(
                descriptor, fcntl.LOCK_UN if order == b"u" else fcntl.LOCK_EX | fcntl.LOCK_NB
            )
            answer = b"ok"
        except OSError as error:
            busy = error.errno in (errno.EAGAIN, errno.EACCES)
            answer = b"no" if busy else b"%d" % (error.errno or 0)
        os.write(answers, answer)

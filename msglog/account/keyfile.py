"""Rewriting authorized_keys so that it is always the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError
from msglog.folder import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE_BYTES = 128 * 1024 * 1024
"""A larger file is not ours to handle: 100,000 keys take about 35 MB."""

LOCK_SECONDS = 10.0
ATTEMPTS = 5
"""So often a file that others change meanwhile is read again before we give up."""

_LOCK = ".msglog-lock"
_NEW = ".msglog-new"
_CHANGEABLE = (stat.S_IFREG, stat.S_IFDIR)
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_WAIT = 0.02


class KeyFileError(LocalError):
    """authorized_keys cannot be read or written; it is as it was."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read. identity: what tells whether it is still the same; None: no file."""

    data: bytes
    identity: tuple[int, ...] | None
    mode: int
    owner: tuple[int, int] | None


def read(path: Path) -> bytes:
    """Return what a file holds, empty if there is none; raises KeyFileError."""
    return _snapshot(path).data


def rewrite(
    path: Path, change: Callable[[bytes], bytes], *, lock_seconds: float = LOCK_SECONDS
) -> bool:
    """Give a file the contents that change makes of its contents; return whether they differ.

    One writer at a time; change is called while nobody else of us writes, so that it may look up
    what to write. A symbolic link stays one: what it points to is rewritten. Mode and owner are
    kept; a file or folder that is missing is made for its owner alone. When others change the
    file meanwhile, theirs is read again. Whatever goes wrong, the file is the old one or the new
    one, on disk. Raises KeyFileError, and what change raises.
    """
    target = _target(path)
    try:
        _make_folder(target.parent)
        with _locked(target, lock_seconds):
            for _ in range(ATTEMPTS):
                old = _snapshot(target)
                data = change(old.data)
                if data == old.data:
                    return False
                if _replace(target, old, data):
                    return True
    except OSError as error:
        raise KeyFileError(
            f"cannot rewrite {path}", why=error.strerror or str(error), hint="It is as it was."
        ) from error
    raise KeyFileError(
        f"cannot rewrite {path}", why="something else keeps changing it", hint="It is as it was."
    )


def change_mode(path: Path, owner: int, *, clear: int, add: int) -> None:
    """Take mode bits from a file or folder and give it others; raises KeyFileError.

    owner: who it must belong to. Symbolic links are not followed, and neither a folder nor a name
    that changes meanwhile leads to anything that belongs to somebody else.
    """
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if status.st_uid != owner or stat.S_IFMT(status.st_mode) not in _CHANGEABLE:
                raise KeyFileError(f"cannot change the mode of {path}", why="it is not its owner's")
            mode = stat.S_IMODE(status.st_mode) & ~clear | add
            # What a mode keeps us from opening can be changed through its descriptor's name alone.
            Path(f"/proc/self/fd/{descriptor}").chmod(mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise KeyFileError(f"cannot change the mode of {path}", why=_reason(error)) from error


@contextlib.contextmanager
def alone(path: Path, *, lock_seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep others of us from rewriting a file; raises KeyFileError."""
    target = _target(path)
    try:
        with _locked(target, lock_seconds):
            yield
    except OSError as error:
        raise KeyFileError(f"cannot lock {path}", why=_reason(error)) from error


def _target(path: Path) -> Path:
    """Return the file that is meant, all symbolic links followed.

    What is there and no file is refused before anything is made beside it, such as a lock.
    """
    try:
        target = path.resolve()
        other = target.exists() and not target.is_file()
    except (OSError, RuntimeError) as error:
        raise KeyFileError(f"cannot find {path}", why=_reason(error)) from error
    if other:
        raise KeyFileError(f"cannot use {path}", why="it is not a regular file")
    return target


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=_FOLDER_MODE)
        _give_away(folder, folder.parent)
        sync(folder.parent)


@contextlib.contextmanager
def _locked(target: Path, seconds: float) -> Iterator[None]:
    """Be the only one of us who writes target; the lock goes with the process."""
    lock = target.with_name(f".{target.name}{_LOCK}")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(lock, flags, _FILE_MODE)
    try:
        _give_away(descriptor, target.parent)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise KeyFileError(
                        f"cannot rewrite {target}",
                        why="another msglog is writing it",
                        hint="Try again in a moment.",
                    ) from None
                time.sleep(_WAIT)
        yield
    finally:
        os.close(descriptor)


def _snapshot(path: Path) -> Snapshot:
    try:
        # Not to hang on a pipe that lies where the file should be.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Snapshot(b"", None, _FILE_MODE, None)
    except OSError as error:
        raise KeyFileError(f"cannot read {path}", why=_reason(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"cannot use {path}", why="it is not a regular file")
        if status.st_size > FILE_BYTES:
            raise KeyFileError(f"cannot use {path}", why="it is too large")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"cannot read {path}", why=_reason(error)) from error
    finally:
        os.close(descriptor)
    return Snapshot(
        data, _identity(status), stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
    )


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _replace(target: Path, old: Snapshot, data: bytes) -> bool:
    """Put data in place of old, unless the file is no longer that; return whether it was."""
    new = target.with_name(f".{target.name}{_NEW}")
    new.unlink(missing_ok=True)  # left by one who was killed: we hold the lock
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(new, flags, _FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            _keep_owner(file.fileno(), old, target.parent)
            os.fchmod(file.fileno(), old.mode)
            os.fsync(file.fileno())
        now = _snapshot(target)
        if now.identity != old.identity or now.data != old.data:
            return False
        new.rename(target)
    finally:
        new.unlink(missing_ok=True)
    sync(target.parent)
    return True


def _keep_owner(descriptor: int, old: Snapshot, folder: Path) -> None:
    status = os.fstat(descriptor)
    if old.owner is None:
        _give_away(descriptor, folder)
    elif old.owner != (status.st_uid, status.st_gid):
        os.fchown(descriptor, *old.owner)


def _give_away(made: int | Path, folder: Path) -> None:
    """Let what root has made for another user belong to that user: the owner of the folder."""
    if os.geteuid() == 0:
        status = folder.stat()
        os.chown(made, status.st_uid, status.st_gid)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

"""Files that get their names only once they are whole, and never over another by accident."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from contextlib import ExitStack, contextmanager, suppress

from msglog import folder as folders
from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from plumbing.context import Context

SUFFIX_BYTES = 4
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_WORKING = ".new-"


class FileExistsAlreadyError(LocalError):
    """Something would be written over a file."""


class MissingFolderError(LocalError):
    """The folder of a file that would be written is not there."""


class UnwritableError(LocalError):
    """A file cannot be made, or what is there in its place cannot be written to."""


@contextmanager
def output_file(context: Context, path: str, *, force: bool) -> Iterator[BinaryIO]:
    """Give a file to write to, which is at path when all went well, and nowhere else.

    path: absolute. force: replace what is there, whose mode is kept; else only its owner may read
    it. What is a pipe or a device is written to as it is. Raises as `check_free` does.
    """
    opened = open_stream(path) if is_stream(path) else _whole_file(context, path, force=force)
    try:
        with opened as file:
            yield file
    except OSError as error:
        if error.filename is None:  # of all that is done meanwhile, only writing fails so
            error.filename = path
        raise


def is_stream(path: str) -> bool:
    """Tell whether a path is that of a pipe or a device, which is written to as it is."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def open_stream(path: str) -> BinaryIO:
    """Open a pipe or a device to write to; raises UnwritableError."""
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY), "wb")
    except OSError as error:
        raise UnwritableError(f"cannot write {path}", why=error.strerror or "") from error


@contextmanager
def _whole_file(context: Context, path: str, *, force: bool) -> Iterator[BinaryIO]:
    remove_unfinished(path)
    check_free(path, force=force)
    with working_folder(path, context) as folder:
        unfinished = os.path.join(folder, "output")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            yield file
            file.flush()
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(os.stat(path).st_mode))
            os.fsync(file.fileno())
        put_in_place(unfinished, path, force=force)
    folders.sync(os.path.dirname(path))


def full_path(context: Context, path: str) -> str:
    """Return the absolute path that is meant; symbolic links are followed to files alone.

    What /dev/stdout leads to may have no name of its own.
    """
    joined = os.path.join(context.directory, path)
    if os.path.exists(joined) and not os.path.isfile(joined):
        return joined
    return os.path.realpath(joined)


def check_free(path: str, *, force: bool) -> None:
    """Raise FileExistsAlreadyError if path cannot be written to, or not without force.

    Raises MissingFolderError where it would be in a folder that there is not.
    """
    around = os.path.dirname(path)
    if not os.path.isdir(around or "."):
        raise MissingFolderError(f"there is no folder {around}")
    if os.path.exists(path) and not os.path.isfile(path):  # such as a folder
        raise FileExistsAlreadyError(f"{path} is not an ordinary file", hint="Name a file.")
    if os.path.lexists(path) and not force:
        raise FileExistsAlreadyError(
            f"{path} is there already", hint="Name another file, or say --force to replace it."
        )


def put_in_place(unfinished: str, path: str, *, force: bool) -> None:
    """Give a file that is whole its name; raises as `check_free` does."""
    if force:
        os.replace(unfinished, path)
        return
    try:
        os.link(unfinished, path)  # unlike a renaming, never over a file that has come meanwhile
    except FileExistsError:
        check_free(path, force=False)
        raise
    except OSError as error:  # such as on a stick with FAT
        if error.errno not in _NO_LINKS:
            raise
        check_free(path, force=False)
        os.rename(unfinished, path)


@contextmanager
def working_folder(path: str, context: Context) -> Iterator[str]:
    """Make a folder of our own beside path, and remove it if it is still there at the end."""
    with ExitStack() as locks:
        folder = _locked_folder(path, context, locks)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(path: str, context: Context, locks: ExitStack) -> str:
    while True:
        folder = f"{path}{_WORKING}{context.random(SUFFIX_BYTES).hex()}"
        try:
            os.mkdir(folder, mode=0o700)
        except OSError as error:  # whose file name nobody has chosen
            raise UnwritableError(f"cannot write {path}", why=error.strerror or "") from error
        try:
            locks.enter_context(folders.Locked(folder))
        except FileNotFoundError:
            continue  # before it was locked, somebody took it for one that was left behind
        if os.path.isdir(folder):
            return folder


def remove_unfinished(path: str) -> None:
    """Remove the folders of those who worked on a path and were killed: nobody locks them."""
    around, name = os.path.split(path)
    length = len(name) + len(_WORKING) + 2 * SUFFIX_BYTES
    try:
        names = os.listdir(around or ".")
    except OSError:
        return  # whatever is wrong here, it is told where it matters
    for one in names:
        if len(one) == length and one.startswith(f"{name}{_WORKING}"):
            with suppress(OSError):
                _remove_unlocked(os.path.join(around, one))


def _remove_unlocked(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)

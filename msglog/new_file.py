"""A new file of SQLite that is filled beside its place, and put there when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


def in_one_file(connection: sqlite3.Connection) -> None:
    """Have a connection write straight into its file, so that what fails is an error at once.

    A write-ahead log is brought into its file when the connection is closed, which says nothing
    where it fails. Raises sqlite3.Error.
    """
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()


@contextmanager
def filled_beside(path: str) -> Iterator[str]:
    """Give the name of a file that becomes path when the block is over, if that is not there.

    It is in a folder of its own, so that what SQLite keeps beside it is gone with an error. It is
    not made durable. Raises OSError, which is a FileExistsError if path exists; and where SQLite
    left a log beside it, without which it would not be whole: `in_one_file` prevents that.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    folder = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        file = os.path.join(folder, os.path.basename(path))
        yield file
        if os.listdir(folder) != [os.path.basename(path)]:
            raise OSError(errno.EIO, "SQLite could not bring all of it into one file")
        os.rename(file, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

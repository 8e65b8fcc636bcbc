"""A new file of SQLite that is filled beside its place, and put there when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def filled_beside(path: str) -> Iterator[str]:
    """Give the name of a file that becomes path when the block is over, if that is not there.

    It is in a folder of its own, so that what SQLite keeps beside it is gone with an error. It is
    not made durable. Raises OSError, which is a FileExistsError if path exists.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    folder = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        file = os.path.join(folder, os.path.basename(path))
        yield file
        os.rename(file, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""SQLite files as msglog keeps them: never made by opening, and made whole or not at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

BUSY_SECONDS = 30.0
"""How long a writer waits for another one."""


class Trouble(Enum):
    """What an error of SQLite means for whoever meets it."""

    BUSY = auto()
    FOREIGN = auto()
    DAMAGED = auto()
    OTHER = auto()


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that must exist; transactions are begun by hand.

    Raises sqlite3.Error.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
    )


@contextmanager
def making(path: Path, suffix: str) -> Iterator[Path]:
    """Give an empty file, readable by its owner alone, that becomes path when the block is done.

    suffix: some random text, for a name that nobody else uses meanwhile. Raises OSError, which is
    a FileExistsError if path exists.
    """
    unfinished = path.with_name(f"{path.name}.new-{suffix}")
    try:
        unfinished.touch(mode=0o600, exist_ok=False)
        yield unfinished
        path.hardlink_to(unfinished)
    finally:
        unfinished.unlink(missing_ok=True)


def trouble(error: sqlite3.Error) -> Trouble:
    """Return what an error of SQLite means.

    The tables were made by us, so that only damage makes one of them, or a text, go wrong.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Trouble.BUSY
    if code == sqlite3.SQLITE_NOTADB:
        return Trouble.FOREIGN
    if code == sqlite3.SQLITE_CORRUPT or str(error).startswith(("no such", "Could not decode")):
        return Trouble.DAMAGED
    return Trouble.OTHER

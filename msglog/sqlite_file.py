"""SQLite files as msglog keeps them: never made by opening, and made whole or not at all."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from os import PathLike
    from typing import Final
else:
    # The package around it imports datetime and collections, for conversions that nobody asks for.
    try:
        import _sqlite3 as sqlite3
    except ImportError:  # an interpreter that has it in another place
        import sqlite3

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")

BUSY_SECONDS = 30.0
"""How long a writer waits for others, and a reader for whoever must be alone."""

WAL_BYTES_LIMIT = 16 << 20
"""From this size on, the write-ahead log is cut off whenever it has grown by `WAL_BYTES_STEP`."""

WAL_BYTES_STEP = 8 << 20

_CUTTING_MILLISECONDS = 200
"""How long that waits for whoever reads just now; each of our statements is over long before."""


class Trouble:
    """What an error of SQLite means for whoever meets it: one of these texts."""

    BUSY: Final = "busy"
    FOREIGN: Final = "foreign"
    DAMAGED: Final = "damaged"
    OTHER: Final = "other"


def connect(path: str | PathLike[str]) -> sqlite3.Connection:
    """Return a connection to a file that must exist; transactions are begun by hand.

    Raises sqlite3.Error.
    """
    return sqlite3.connect(
        f"file://{_quoted(os.path.abspath(path))}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
    )


def wal_size(path: str | PathLike[str]) -> int:
    """Return the bytes of the write-ahead log of a file; 0 where there is none."""
    try:
        return os.stat(f"{os.fspath(path)}-wal").st_size
    except OSError:
        return 0


def cut_wal(connection: sqlite3.Connection, before: int, after: int) -> None:
    """Cut off a long write-ahead log; before, after: its bytes before and after a transaction.

    SQLite begins it anew only when nobody reads, which among many readers may never be so. Whoever
    reads is waited for only briefly, and only at each step: somebody frozen stops nobody. Raises
    sqlite3.Error.
    """
    if after < WAL_BYTES_LIMIT or after // WAL_BYTES_STEP == before // WAL_BYTES_STEP:
        return
    connection.execute(f"PRAGMA busy_timeout = {_CUTTING_MILLISECONDS}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _quoted(path: str) -> str:
    """Return an absolute path as a URI has it (RFC 3986, section 2.1)."""
    return "".join([chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path)])


class Making:
    """A block with an empty file, readable by its owner alone, that becomes path when it is done.

    suffix: some random text, for a name that nobody else uses meanwhile. Raises OSError, which is
    a FileExistsError if path exists.
    """

    __slots__ = ("_path", "_unfinished")

    def __init__(self, path: str | PathLike[str], suffix: str) -> None:
        self._path = path
        self._unfinished = f"{os.fspath(path)}.new-{suffix}"

    def __enter__(self) -> str:
        """Make the file, and return its name until it is done."""
        os.close(os.open(self._unfinished, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return self._unfinished

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Give the file its name, unless there was an error, and remove the other one."""
        try:
            if error is None:
                os.link(self._unfinished, self._path)
        finally:
            os.unlink(self._unfinished)


FAILURES = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""What sqlite3 raises: the second where a text of the file, or what SQLite quotes of it, is not
UTF-8, and the third also where a damaged size makes SQLite ask for what nobody has."""

_REASON_CHARACTERS = 200


def reason(error: Exception) -> str:
    """Return on one line why one of FAILURES was raised.

    SQLite quotes the schema, line ends and all, and whatever damage has put into it.
    """
    if isinstance(error, UnicodeDecodeError):
        return "it has bad text"
    if isinstance(error, MemoryError):
        return "a record asks for more memory than there is"
    text = " ".join(str(error).split())[:_REASON_CHARACTERS]
    return (
        text if text.isprintable() else text.encode("unicode_escape").decode()[:_REASON_CHARACTERS]
    )


def trouble(error: Exception) -> str:
    """Return what one of FAILURES means.

    The tables were made by us, so that only damage makes one of them, or a text, go wrong.
    """
    if not isinstance(error, sqlite3.Error):
        return Trouble.DAMAGED
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # The last one is how waiting ends for somebody who holds the index of the write-ahead log.
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return Trouble.BUSY
    if code == sqlite3.SQLITE_NOTADB:
        return Trouble.FOREIGN
    if code == sqlite3.SQLITE_CORRUPT or str(error).startswith(("no such", "Could not decode")):
        return Trouble.DAMAGED
    return Trouble.OTHER


DatabaseError = sqlite3.Error
"""What every failure of SQLite itself is."""

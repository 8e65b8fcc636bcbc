"""SQLite files as msglog keeps them: never made by opening, and made whole or not at all."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from os import PathLike
    from typing import Final

    from msglog.folder import Locked
else:
    # The package around it imports datetime and collections, for conversions that nobody asks for.
    try:
        import _sqlite3 as sqlite3
    except ImportError:  # an interpreter that has it in another place
        import sqlite3

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")

_UNFINISHED = ".new-"

BUSY_SECONDS = 30.0
"""How long a writer waits for another one."""


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


def _quoted(path: str) -> str:
    """Return an absolute path as a URI has it (RFC 3986, section 2.1)."""
    return "".join([chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path)])


class Making:
    """A block with an empty file, readable by its owner alone, that becomes path when it is done.

    suffix: some random text, for a name that nobody else uses meanwhile. What makers that were
    killed have left is removed. When the block is over, the name is durable; what is in the file is
    for whoever writes it. Raises OSError, which is a FileExistsError if path exists, and a
    TimeoutError if somebody else makes it for too long.
    """

    __slots__ = ("_folder", "_lock", "_path", "_unfinished")

    def __init__(self, path: str | PathLike[str], suffix: str) -> None:
        self._path = os.path.abspath(path)
        self._folder = os.path.dirname(self._path)
        self._unfinished = f"{self._path}{_UNFINISHED}{suffix}"
        self._lock: Locked | None = None

    def __enter__(self) -> str:
        """Make the file, and return its name until it is done."""
        from msglog.folder import Locked  # noqa: PLC0415 - only where something is made

        lock = Locked(self._folder)
        sure = lock.__enter__()
        try:
            if sure:
                self._remove_unfinished()
            os.close(os.open(self._unfinished, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except BaseException:
            lock.__exit__()
            raise
        self._lock = lock
        return self._unfinished

    def _remove_unfinished(self) -> None:
        begin = os.path.basename(self._path) + _UNFINISHED
        for name in os.listdir(self._folder):
            if name.startswith(begin):
                os.unlink(os.path.join(self._folder, name))

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Give the file its name, unless there was an error, and remove the other one."""
        from msglog.folder import sync  # noqa: PLC0415 - as above

        try:
            try:
                if error is None:
                    os.link(self._unfinished, self._path)
            finally:
                os.unlink(self._unfinished)
            sync(self._folder)
        finally:
            if self._lock is not None:
                self._lock.__exit__()


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
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return Trouble.BUSY
    if code == sqlite3.SQLITE_NOTADB:
        return Trouble.FOREIGN
    if code == sqlite3.SQLITE_CORRUPT or str(error).startswith(("no such", "Could not decode")):
        return Trouble.DAMAGED
    return Trouble.OTHER


DatabaseError = sqlite3.Error
"""What every failure of SQLite itself is."""

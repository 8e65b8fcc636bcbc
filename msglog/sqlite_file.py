"""SQLite files as msglog keeps them: never made by opening, and made whole or not at all."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
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


def make_in_memory() -> sqlite3.Connection:
    """Return a connection to an empty database that is nowhere."""
    return sqlite3.connect(":memory:", isolation_level=None)


def copy_into(connection: sqlite3.Connection, path: str) -> None:
    """Write all of a database, as it is at one moment, into a new file, for its owner alone.

    By VACUUM: in one read, beside writers, and without the free pages, where what was deleted is
    still to be found. SQLite's backup begins anew whenever somebody writes between two of its
    steps. Raises sqlite3.Error; then, nothing is left where there was nothing before.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror or str(error)) from error
    try:
        connection.execute("VACUUM INTO ?", (path,))  # which takes an empty file for none
    except BaseException:
        os.unlink(path)
        raise


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
_FAULTS_LIMIT = 100


def reason(error: Exception) -> str:
    """Return on one line why one of FAILURES was raised.

    SQLite quotes the schema, line ends and all, and whatever damage has put into it.
    """
    if isinstance(error, UnicodeDecodeError):
        return "it has bad text"
    if isinstance(error, MemoryError):
        return "a record asks for more memory than there is"
    return _one_line(str(error))


def _one_line(text: str) -> str:
    text = " ".join(text.split())[:_REASON_CHARACTERS]
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
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Trouble.BUSY
    if code == sqlite3.SQLITE_NOTADB:
        return Trouble.FOREIGN
    if code == sqlite3.SQLITE_CORRUPT or str(error).startswith(("no such", "Could not decode")):
        return Trouble.DAMAGED
    return Trouble.OTHER


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield in words, each on one line, what SQLite finds wrong with a file.

    Pages, the order of rows, and that rows and the indexes over them have the same values. Raises
    sqlite3.Error where that cannot even be looked for.
    """
    for (text,) in connection.execute(f"PRAGMA integrity_check({_FAULTS_LIMIT})"):
        if text != "ok":
            for line in str(text).splitlines():
                if not line.startswith("***"):  # a heading
                    yield _one_line(line)


def shape(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return the tables and all else of a file with their columns, as text, for comparison.

    But for what SQLite makes by itself. Raises sqlite3.Error.
    """
    found: set[tuple[str, ...]] = set()
    names = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    for kind, name, sql in names:
        kind, name = str(kind), str(name)  # noqa: PLW2901 - damage can make them of other types
        if name.startswith(("sqlite_stat", "sqlite_autoindex")):
            continue
        found.add((kind, name))
        if kind not in ("table", "index"):
            found.add((kind, name, str(sql)))
            continue
        pragma = "index_xinfo" if kind == "index" else "table_xinfo"
        rows = connection.execute(f"SELECT * FROM pragma_{pragma}(?)", (name,)).fetchall()  # noqa: S608
        # Where a column stands in its table depends on the format that the table was made with.
        if kind == "index":
            rows = [(row[0], *row[2:]) for row in rows]
        else:
            rows = [row[1:] for row in rows]
        found.update((kind, name, *map(str, row)) for row in rows)
    return found


DatabaseError = sqlite3.Error
"""What every failure of SQLite itself is."""

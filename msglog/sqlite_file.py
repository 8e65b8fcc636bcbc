"""SQLite files as msglog keeps them: never made by opening, and made whole or not at all."""

from __future__ import annotations

import errno
import os
import time

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from os import PathLike
    from typing import Final

    from msglog.folder import Locked
    from msglog.store.collection import Beat, BytesDone
else:
    # The package around it imports datetime and collections, for conversions that nobody asks for.
    try:
        import _sqlite3 as sqlite3
    except ImportError:  # an interpreter that has it in another place
        import sqlite3

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")

_UNFINISHED = ".new-"

BUSY_SECONDS = 30.0
"""How long a writer waits for others, and a reader for whoever must be alone."""

WAL_BYTES_LIMIT = 16 << 20
"""From this size on, the write-ahead log is cut off whenever it has grown by `WAL_BYTES_STEP`."""

WAL_BYTES_STEP = 8 << 20

_CUTTING_SECONDS = 0.2
"""How long that waits for whoever reads just now; each of our statements is over long before."""

_CUTTING_PAUSE = 0.01

_FIRST_PAUSES = (0.001, 0.002, 0.005, 0.007, 0.007, 0.007)
"""Mostly one other writes, and is done by then."""

_LONGEST_PAUSE = 0.100
_SHORTEST_PAUSE = 0.005

SHARED = "mode=rw"
"""Others may have the file open, too."""

PRIVATE = "mode=rw&nolock=1"
"""Nobody else knows the file: it is just being made, maybe where locks do not work."""

COPY = "mode=rw&vfs=unix-dotfile"
"""A private one with a write-ahead log, which SQLite reads only where there are locks of a kind."""

READ_ONLY = "mode=ro"
"""To read what others may write, with their locks and the memory that they share."""

STILL = "mode=ro&immutable=1"
"""To read a file as it is, without locks: what changes meanwhile looks damaged."""

LOG_BYTES = 8 << 20
"""How long a write-ahead log becomes before what it holds is moved into its file."""

_LONG_LOG_BYTES = 4 * LOG_BYTES
"""From here on moving it waits for other writers, rather than they for the next chance."""

LOCAL_KINDS = frozenset(
    b"bcachefs btrfs exfat ext2 ext3 ext4 f2fs hfsplus jfs msdos nilfs2 ntfs3 overlay ramfs"
    b" reiserfs tmpfs vfat xfs zfs".split()
)
"""File systems that no other machine writes to, whose locks and shared memory are the kernel's."""

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_NOT_NOW = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)

_MOUNTS = "/proc/self/mountinfo"
_DESCRIPTORS = "/proc/self/fdinfo"


class Trouble:
    """What an error of SQLite means for whoever meets it: one of these texts."""

    BUSY: Final = "busy"
    FOREIGN: Final = "foreign"
    DAMAGED: Final = "damaged"
    READ_ONLY: Final = "read-only"
    OTHER: Final = "other"


class LocksError(LocalError):
    """Locks do not work where a file lies, so that it must not be written."""


def connect(
    path: str | PathLike[str], *, how: str = SHARED, patience: float | None = None
) -> sqlite3.Connection:
    """Return a connection to a file that must exist; transactions are begun by hand.

    how: SHARED, PRIVATE, COPY, READ_ONLY or STILL. patience: how many seconds it waits for others,
    BUSY_SECONDS if it is None. Threads may share it if they take turns. Raises sqlite3.Error.
    """
    return sqlite3.connect(
        f"file://{_quoted(os.path.abspath(path))}?{how}",
        uri=True,
        timeout=BUSY_SECONDS if patience is None else patience,
        isolation_level=None,
        check_same_thread=False,
    )


def begin_writing(connection: sqlite3.Connection) -> None:
    """Begin a transaction as a writer, for as long as the connection has patience.

    SQLite asks ever more seldom, so that among many writers those who have waited longest have the
    least chance, and run out of patience while others come and go. Here who waits asks ever more
    often: docs/adr/0002. Raises sqlite3.Error.
    """
    ((patience,),) = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - started
                if trouble(error) != Trouble.BUSY or waited * 1000 >= patience:
                    raise
            else:
                return
            time.sleep(pause(attempt, waited))
            attempt += 1
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def pause(attempt: int, waited: float) -> float:
    """Return after how many seconds to ask again whether it is a writer's turn.

    attempt: how many times it asked before. waited: seconds since the first time.
    """
    if attempt < len(_FIRST_PAUSES):
        return _FIRST_PAUSES[attempt]
    return max(_SHORTEST_PAUSE, _LONGEST_PAUSE / (1.0 + waited * waited))


def how_to_copy(path: str) -> str:
    """Return how to open a copy of ours: what a journal takes back is not seen in all ways.

    With COPY each journal looks like that of a writer at work (so up to SQLite 3.40 at least).
    """
    try:
        return PRIVATE if os.stat(f"{path}-journal").st_size else COPY
    except FileNotFoundError:
        return COPY


def make_in_memory() -> sqlite3.Connection:
    """Return a connection to an empty database that is nowhere."""
    return sqlite3.connect(":memory:", isolation_level=None)


def make_scratch() -> sqlite3.Connection:
    """Return a connection to an empty database that SQLite keeps in a temporary file if it grows.

    For what is of no use after this process: nothing is durable. What a transaction needs to be
    rolled back is kept in memory, so one should not change much of what was there before it.
    """
    connection = sqlite3.connect("", isolation_level=None)
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


def copy_into(connection: sqlite3.Connection, path: str, progress: BytesDone | None = None) -> None:
    """Write all of a database, as it is at one moment, into a new file, for its owner alone.

    By VACUUM: in one read, beside writers, and without the free pages, where what was deleted is
    still to be found. SQLite's backup begins anew whenever somebody writes between two of its
    steps. Raises sqlite3.Error; then, nothing is left where there was nothing before.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror or str(error)) from error
    from msglog.sqlite_progress import attended  # noqa: PLC0415 - for what takes long alone

    beat = None if progress is None else _watching(connection, path, progress)
    try:
        with attended(connection, beat):
            # It takes an empty file for none, and names that are not UTF-8 if told as bytes.
            connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(path),))
    except BaseException:
        os.unlink(path)
        raise


def _watching(connection: sqlite3.Connection, path: str, progress: BytesDone) -> Beat:
    """Return what tells how long a file has become that a database is copied into."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    whole = (pages - free) * size

    def tell() -> None:
        progress(os.stat(path).st_size, whole)

    return tell


def mount_of(folder: str) -> bytes:
    """Return the line of /proc/self/mountinfo for what a folder lies on; b"" if nobody can tell.

    By the number of the mount that the kernel names for the open folder: st_dev is not in that
    table for btrfs, Lustre and others, and a path may go through links and mounts. Raises
    sqlite3.Error where this process has too few descriptors or too little memory to tell.
    """
    try:
        descriptor = os.open(folder or ".", os.O_PATH | os.O_CLOEXEC)
        try:
            known = _read(f"{_DESCRIPTORS}/{descriptor}")
        finally:
            os.close(descriptor)
        start = known.index(b"mnt_id:") + len(b"mnt_id:")
        wanted = b"\n%b " % known[start : known.index(b"\n", start)].strip()
        table = b"\n" + _read(_MOUNTS, wanted)
        start = table.index(wanted) + 1
        return table[start : table.index(b"\n", start)]
    except OSError as error:
        if error.errno in _NOT_NOW:  # to guess now would change how the file is written for long
            raise sqlite3.OperationalError(error.strerror or str(error)) from error
        return b""
    except (AttributeError, ValueError):  # another system, or no /proc
        return b""


def _read(path: str, wanted: bytes = b"") -> bytes:
    """Return a file of /proc, at least up to the end of the line that begins with wanted."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while part := os.read(descriptor, 1 << 16):
            text += part
            if wanted and b"\n" in (b"\n" + text).partition(wanted)[2]:
                break
        return text
    finally:
        os.close(descriptor)


def kind_of(mount: bytes) -> bytes:
    """Return the kind of file system in a line of /proc/self/mountinfo."""
    return mount.partition(b" - ")[2].partition(b" ")[0]


def prepare(
    connection: sqlite3.Connection, path: str | PathLike[str], identify: Callable[[], None]
) -> None:
    """Choose how a connection to a file writes durably where the file lies.

    On a local disk that is a write-ahead log. Others go by `msglog.shared_disk`.
    identify: raises if the file is none of ours; before that nothing is changed. Raises what
    SQLite raises, and LocksError.
    """
    mount = mount_of(os.path.dirname(os.path.abspath(path)))
    if kind_of(mount) not in LOCAL_KINDS:
        from msglog.shared_disk import settle  # noqa: PLC0415 - few have one

        settle(connection, path, mount, identify)
        return
    identify()
    ((mode,),) = connection.execute("PRAGMA journal_mode")
    if mode != "wal":
        from msglog.shared_disk import forget, is_seen_elsewhere, set_journal  # noqa: PLC0415 - once

        if is_seen_elsewhere(path):
            set_journal(connection)
            return
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        forget(path)
    connection.execute("PRAGMA synchronous = FULL")
    # See keep_log_short. The limit makes the length of the file tell how long the log is.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")


def wal_size(path: str | PathLike[str]) -> int:
    """Return the bytes of the write-ahead log of a file; 0 where there is none."""
    try:
        return os.stat(f"{os.fspath(path)}-wal").st_size
    except OSError:
        return 0


def keep_log_short(
    connection: sqlite3.Connection, path: str | PathLike[str], *, limit: int = LOG_BYTES
) -> None:
    """Move what a long write-ahead log holds into its file; to be called after each commit.

    SQLite does it by itself, but up to 3.51.2 wrongly where another connection writes at the very
    same moment. Here a second connection holds the lock of the writers meanwhile: see ADR 15.
    What fails is left to the next one: what was committed is durable either way.
    """
    size = wal_size(path)
    if size <= limit:
        return
    try:
        guard = connect(path, patience=BUSY_SECONDS if size > _LONG_LOG_BYTES else 0)
        try:
            guard.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            guard.close()
    except sqlite3.Error:
        return


def cut_wal(
    connection: sqlite3.Connection, path: str | PathLike[str], before: int, after: int
) -> None:
    """See that a very long write-ahead log is begun anew; before, after: its bytes at a commit.

    A writer begins it anew when all of it is in the file and nobody reads it, which among many
    readers may never be so. Here writers are locked out until it is moved: whoever reads from then
    on reads the file, and those before are done in a moment. They are waited for only briefly, and
    only at each step: somebody frozen stops nobody. SQLite's own TRUNCATE moves the log beside a
    writer that it cannot lock out, see `keep_log_short`. What fails is left to the next one.
    """
    if after < WAL_BYTES_LIMIT or after // WAL_BYTES_STEP == before // WAL_BYTES_STEP:
        return
    try:
        guard = connect(path, patience=0)
        try:
            guard.execute("BEGIN IMMEDIATE")
            deadline = time.monotonic() + _CUTTING_SECONDS
            while True:
                rows = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                time.sleep(_CUTTING_PAUSE)
                if rows[0][1] == rows[0][2] or time.monotonic() >= deadline:
                    return
        finally:
            guard.close()
    except sqlite3.Error:
        return


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

    __slots__ = ("_alone", "_folder", "_lock", "_path", "_unfinished")

    def __init__(self, path: str | PathLike[str], suffix: str) -> None:
        self._path = os.path.abspath(path)
        self._folder = os.path.dirname(self._path)
        self._unfinished = f"{self._path}{_UNFINISHED}{suffix}"
        self._lock: Locked | None = None
        self._alone = False

    def __enter__(self) -> str:
        """Make the file, and return its name until it is done."""
        from msglog.folder import Locked  # noqa: PLC0415 - only where something is made

        lock = Locked(self._folder)
        self._alone = lock.__enter__()
        try:
            if self._alone:
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
                    self._give_name()
            finally:
                try:
                    os.unlink(self._unfinished)
                except FileNotFoundError:
                    pass
            sync(self._folder)
        finally:
            if self._lock is not None:
                self._lock.__exit__()

    def _give_name(self) -> None:
        if self._alone:
            # In one step, so that a maker who is killed leaves nothing.
            if os.path.lexists(self._path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._path)
            os.rename(self._unfinished, self._path)
            return
        try:
            os.link(self._unfinished, self._path)
        except FileExistsError:
            # NFS repeats a request whose answer was lost, and then finds what it has made itself.
            if not os.path.samefile(self._unfinished, self._path):
                raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Only who makes the name may put the file there.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            try:
                os.rename(self._unfinished, self._path)
            except BaseException:
                os.unlink(self._path)
                raise


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
    # The last one is how waiting ends for somebody who holds the index of the write-ahead log.
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return Trouble.BUSY
    if code == sqlite3.SQLITE_NOTADB:
        return Trouble.FOREIGN
    if code == sqlite3.SQLITE_READONLY:
        return Trouble.READ_ONLY
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

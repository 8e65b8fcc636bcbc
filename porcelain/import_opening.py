"""What `import` was told to read, opened: which format it has, and who turns it into rows."""

from __future__ import annotations

import stat
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import LocalError, UsageError
from porcelain.import_source import LINE_BYTES_LIMIT, Reading, without_mark

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from typing import IO

    from plumbing.context import Context
    from porcelain.import_source import Row

JSON_LINES, SQLITE, GIT, SYSLOG, JOURNAL = FORMATS = ("jsonl", "sqlite", "git", "syslog", "journal")
DEFAULT_AUTHOR = "imported"
DEFAULT_TIMEZONE = "UTC"
DEFAULT_REVISION = "HEAD"

_OPTIONS = {
    "timezone": (SQLITE, SYSLOG),
    "author": (SQLITE, SYSLOG, JOURNAL),
    "year": (SYSLOG,),
    "revision": (GIT,),
}
"""Which options say something about which formats."""

_KINDS = "a SQLite file of the proof of concept nor JSON Lines nor entries of systemd's journal"


class UnknownFormatError(UsageError):
    """A file is nothing that can be imported, or not with these options."""


class UnreadableSourceError(LocalError):
    """A file cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can be imported; name: as the user knows it."""

    name: str
    rows: Callable[[], Iterator[Row]]
    reading: Reading


def open_source(arguments: Namespace, context: Context, cleanup: ExitStack) -> Source:
    """Open what the arguments name; cleanup closes it.

    Raises UnknownFormatError, UnreadableSourceError, and what the formats raise.
    """
    chosen: str | None = arguments.format
    if chosen == GIT:
        return _git(arguments, context)
    opened = _open(arguments, context, cleanup)
    found = chosen or _guess(opened.first, opened.name)
    _check_options(arguments, found)
    if found == SQLITE:
        return _sqlite(arguments, opened, cleanup)
    if found == SYSLOG:
        return _syslog(arguments, opened)
    file, first, reading = opened.file, opened.first, opened.reading
    if found == JOURNAL:
        from porcelain.journal import journal_rows  # noqa: PLC0415 - one format at a time

        author = _author(arguments)
        return opened.source(lambda: journal_rows(file, first, reading, author=author))
    from porcelain.json_lines import json_rows  # noqa: PLC0415 - as above

    return opened.source(lambda: json_rows(file, first, reading))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file with its first line, or standard input, which has no path."""

    name: str
    file: IO[bytes]
    first: bytes
    path: Path | None
    reading: Reading

    def source(self, rows: Callable[[], Iterator[Row]]) -> Source:
        return Source(self.name, rows, self.reading)


def _guess(first: bytes, name: str) -> str:
    from porcelain.poc_database import MAGIC  # noqa: PLC0415 - only without --format

    if first.startswith(MAGIC):
        return SQLITE
    if first.startswith(b"__CURSOR="):
        return JOURNAL
    if without_mark(first).lstrip()[:1] in (b"{", b""):
        if b'"__CURSOR"' in first and b'"__REALTIME_TIMESTAMP"' in first:
            return JOURNAL
        return JSON_LINES
    raise UnknownFormatError(
        f"{name} cannot be imported",
        why=f"it is neither {_KINDS}",
        hint="For anything else, say its --format.",
    )


def _check_options(arguments: Namespace, found: str) -> None:
    for option, formats in _OPTIONS.items():
        if getattr(arguments, option) is not None and found not in formats:
            raise UnknownFormatError(
                f"--{option} is not for {found}", why=f"it is for {' and '.join(formats)}"
            )


def _open(arguments: Namespace, context: Context, cleanup: ExitStack) -> _Opened:
    if arguments.file in (None, "-"):
        if context.stdin_terminal:
            raise UnknownFormatError("there is nothing to import", hint="Name a file.")
        first = context.stdin.readline(LINE_BYTES_LIMIT + 1)
        return _Opened("standard input", context.stdin, first, None, Reading())
    path = Path(context.directory, arguments.file)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UnknownFormatError(
                f"{arguments.file} is a folder", hint="For a history of git, say --format git."
            )
        if not stat.S_ISREG(found.st_mode):
            raise UnknownFormatError(
                f"{arguments.file} is not a file", hint="Pipe it in to read from a device."
            )
        file = cleanup.enter_context(path.open("rb"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableSourceError(f"cannot read {arguments.file}", why=why or "") from error
    first = file.readline(LINE_BYTES_LIMIT + 1)
    return _Opened(arguments.file, file, first, path, Reading(whole=found.st_size))


def _git(arguments: Namespace, context: Context) -> Source:
    from porcelain.git_history import GitHistory  # noqa: PLC0415 - one format at a time

    if arguments.file == "-":
        raise UnknownFormatError(
            "a history of git is not read from standard input", hint="Name its folder."
        )
    _check_options(arguments, GIT)
    folder = str(Path(context.directory, arguments.file or "."))
    revision = DEFAULT_REVISION if arguments.revision is None else arguments.revision
    history = GitHistory(folder, revision, context.environment)
    reading = Reading()
    return Source(arguments.file or ".", lambda: history.rows(reading), reading)


def _sqlite(arguments: Namespace, opened: _Opened, cleanup: ExitStack) -> Source:
    from porcelain.poc_database import PocDatabase  # noqa: PLC0415 - one format at a time
    from porcelain.timezone import parse_timezone  # noqa: PLC0415 - as above

    zone = parse_timezone(_zone(arguments))
    path = opened.path
    if path is None:  # SQLite wants a file
        temporary = NamedTemporaryFile(prefix="msglog-import-")  # noqa: SIM115 - cleanup closes it
        copy = cleanup.enter_context(temporary)
        copy.write(opened.first)
        copyfileobj(opened.file, copy)
        copy.flush()
        path = Path(copy.name)
    database = PocDatabase(path, opened.name, author=_author(arguments), zone=zone)
    cleanup.callback(database.close)
    return Source(opened.name, database.rows, Reading())


def _syslog(arguments: Namespace, opened: _Opened) -> Source:
    from porcelain.syslog import Setting, syslog_rows  # noqa: PLC0415 - one format at a time
    from porcelain.timezone import parse_timezone  # noqa: PLC0415 - as above

    path = opened.path
    written = None if path is None else path.stat().st_mtime_ns // 1000
    zone = parse_timezone(_zone(arguments))
    setting = Setting(_author(arguments), zone, arguments.year, written)
    again = None if path is None else lambda: path.open("rb")
    file, first, reading = opened.file, opened.first, opened.reading
    return opened.source(lambda: syslog_rows(file, first, reading, setting, again))


def _zone(arguments: Namespace) -> str:
    return DEFAULT_TIMEZONE if arguments.timezone is None else str(arguments.timezone)


def _author(arguments: Namespace) -> str:
    return DEFAULT_AUTHOR if arguments.author is None else str(arguments.author)

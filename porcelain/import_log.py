"""`import`: puts messages from a file into a log, once, however often it is said."""

from __future__ import annotations

import stat
from contextlib import ExitStack
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import IntegrityError, LocalError, UsageError
from msglog.index.change import insert
from msglog.key import make_key
from msglog.objectid import object_id
from msglog.refname import DEFAULT_LOG, log_ref
from msglog.repository import Insertion
from porcelain.discovery import open_repository
from porcelain.display import one_line
from porcelain.import_source import json_rows
from porcelain.message_json import to_json
from porcelain.poc_database import MAGIC, PocDatabase, parse_timezone
from porcelain.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator
    from typing import IO, TypeAlias

    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context
    from porcelain.import_source import Row

DEFAULT_AUTHOR = "imported"
BATCH_MESSAGES = 4096
BATCH_BYTES = 4 << 20
"""A batch is committed when it has so many messages or bytes, which bounds the memory taken."""

_SHOWN = 5
_HEAD_BYTES = 4096

_Rows: TypeAlias = "Callable[[], Iterator[Row]]"


class UnknownFormatError(UsageError):
    """A file is nothing that can be imported."""


class BadRowsError(UsageError):
    """Some rows of a file cannot be messages; nothing was imported."""


class UnreadableSourceError(LocalError):
    """A file cannot be read."""


@dataclass(slots=True)
class _Tally:
    """What was found and done. skipped: objects of a newer msglog."""

    read: int = 0
    new: int = 0
    skipped: int = 0


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `import`."""
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="a SQLite file or JSON Lines; else stdin")
    add("--log", default=DEFAULT_LOG, metavar="NAME", help="the log to add to (main)")
    add("--timezone", metavar="ZONE", help="of the SQLite file's times (UTC)")
    add("--author", metavar="NAME", help="of the SQLite file's messages (imported)")


def run(arguments: Namespace, context: Context) -> int:
    """Check the whole file, then put what it has into the log in batches."""
    repository = open_repository(context)
    with ExitStack() as cleanup:
        cleanup.callback(repository.close)
        repository.log(arguments.log)
        rows = _open(arguments, context, cleanup)
        name = _name(arguments)
        _check(rows(), name)
        tally = _Tally()
        with Progress(context, f"Importing {one_line(name)}") as progress:
            for batch in _batches(rows(), tally):
                tally.new += _add(repository, arguments.log, batch, context)
                progress.update(tally.read)
        log = repository.log(arguments.log)
    if tally.skipped:
        said = f"{tally.skipped} lines of a newer msglog were left out: JSON has not all of them.\n"
        context.stderr.write(f"msglog: {said}".encode())
    if context.json:
        fields = {"log": log.name, "read": tally.read, "new": tally.new, "skipped": tally.skipped}
        context.write(to_json({**fields, "count": log.count, "root": log.root.hex()}))
    elif not context.quiet:
        old = tally.read - tally.new
        context.write(f"{log.name}: {tally.new} new, {old} there already, {log.count} in all\n")
    return 0


def _name(arguments: Namespace) -> str:
    file: str | None = arguments.file
    return "standard input" if file in (None, "-") else str(file)


def _open(arguments: Namespace, context: Context, cleanup: ExitStack) -> _Rows:
    """Return what gives the rows of the source from the beginning, each time that it is called."""
    name = _name(arguments)
    file, path = _source(arguments, context, cleanup)
    head = file.read(_HEAD_BYTES)
    if head.startswith(MAGIC):
        zone = parse_timezone("UTC" if arguments.timezone is None else arguments.timezone)
        author = DEFAULT_AUTHOR if arguments.author is None else arguments.author
        database = PocDatabase(path, name, author=author, zone=zone)
        cleanup.callback(database.close)
        return database.rows
    if head.lstrip()[:1] not in (b"{", b""):
        raise UnknownFormatError(
            f"{name} cannot be imported",
            why="it is neither a SQLite file of the proof of concept nor JSON Lines",
        )
    if arguments.timezone is not None or arguments.author is not None:
        raise UnknownFormatError(
            "--timezone and --author are for SQLite files", why=f"each line of {name} has its own"
        )
    return lambda: json_rows(file)


def _source(arguments: Namespace, context: Context, cleanup: ExitStack) -> tuple[IO[bytes], Path]:
    """Open the file; standard input is copied first, because it is read twice."""
    if arguments.file in (None, "-"):
        if context.stdin_terminal:
            raise UnknownFormatError("there is nothing to import", hint="Name a file.")
        temporary = NamedTemporaryFile(prefix="msglog-import-")  # noqa: SIM115 - cleanup closes it
        copy = cleanup.enter_context(temporary)
        copyfileobj(context.stdin, copy)
        copy.seek(0)
        return copy.file, Path(copy.name)
    path = Path(context.directory, arguments.file)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnknownFormatError(
                f"{arguments.file} is not a file", hint="Pipe it in to read from a device."
            )
        return cleanup.enter_context(path.open("rb")), path
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableSourceError(f"cannot read {arguments.file}", why=why or "") from error


def _check(rows: Iterator[Row], name: str) -> None:
    """Raise BadRowsError if any row is bad, naming the first of them."""
    bad = 0
    shown: list[str] = []
    for row in rows:
        why = row.why
        if row.message is not None:
            try:
                row.message.encode()
            except IntegrityError as error:
                why = error.why
        if why:
            bad += 1
            if len(shown) < _SHOWN:
                shown.append(f"row {row.number}: {why}")
    if bad:
        more = ["..."] if bad > _SHOWN else []
        raise BadRowsError(
            f"{bad} {'row' if bad == 1 else 'rows'} of {name} cannot be imported",
            why="; ".join([*shown, *more]),
            hint="Nothing was imported.",
        )


def _batches(rows: Iterator[Row], tally: _Tally) -> Iterator[dict[Key, bytes]]:
    batch: dict[Key, bytes] = {}
    size = 0
    for row in rows:
        if row.message is None:
            tally.skipped += 1
            continue
        tally.read += 1
        data = row.message.encode()
        batch[make_key(row.message.time, object_id(data))] = data
        size += len(data)
        if len(batch) >= BATCH_MESSAGES or size >= BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _add(repository: Repository, name: str, batch: dict[Key, bytes], context: Context) -> int:
    """Put a batch into the log and return how many of its messages the log did not have."""
    log = repository.log(name)
    keys = sorted(batch)
    index = insert(repository.store.read_nodes, log.root, keys)
    if index.root == log.root:
        return 0
    insertion = Insertion(log_ref(name), keys, computed=(log.root, index))
    repository.commit([insertion], messages=batch, time=context.now(), reason="import")
    return index.count - log.count

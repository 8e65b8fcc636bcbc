"""`import`: puts messages from elsewhere into a log, once, however often it is said."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.errors import LocalError, MsglogError, UsageError
from msglog.index.change import insert
from msglog.refname import DEFAULT_LOG, log_ref
from msglog.repository import Insertion
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.import_opening import FORMATS, open_source
from porcelain.message_json import to_json
from porcelain.printing import note
from porcelain.progress import Progress
from porcelain.spool import Spool

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import TypeAlias

    from msglog.key import Key
    from msglog.repository import Log, Repository
    from plumbing.context import Context
    from porcelain.import_opening import Source

    _Messages: TypeAlias = "Iterator[tuple[Key, bytes]]"

BATCH_MESSAGES = 4096
BATCH_BYTES = 4 << 20
"""A batch is committed when it has so many messages or bytes, which bounds the memory taken."""

_SHOWN = 5


class BadRowsError(UsageError):
    """Some rows of a file cannot be messages."""


@dataclass(slots=True)
class _Tally:
    """What was found and done.

    skipped: objects of a newer msglog. bad: rows that are no messages, of which shown has some.
    """

    read: int = 0
    new: int = 0
    skipped: int = 0
    bad: int = 0
    shown: list[str] = field(default_factory=list)


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `import`."""
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="what to read, a folder for git; else stdin")
    add("--log", default=DEFAULT_LOG, metavar="NAME", help="the log to add to (main)")
    add("--format", choices=FORMATS, metavar="FORMAT", help=f"{', '.join(FORMATS)} (as it looks)")
    add("-k", "--keep-going", action="store_true", help="leave bad rows out, import the others")
    add("--timezone", metavar="ZONE", help="of times that do not say theirs (UTC)")
    add("--author", metavar="NAME", help="of messages that do not say theirs (imported)")
    add("--year", type=_year, metavar="YEAR", help="of syslog's first line, if it says none")
    add("--revision", metavar="REV", help="from where to go back in git's history (HEAD)")


def run(arguments: Namespace, context: Context) -> int:
    """Check the whole source, then put what it has into the log in batches."""
    repository = open_repository(context)
    tally = _Tally()
    with ExitStack() as cleanup:
        cleanup.callback(repository.close)
        repository.check_writable()
        before = repository.log(arguments.log)
        source = open_source(arguments, context, cleanup)
        name = one_line(source.name)
        cleanup.push(partial(_tell_what_is_kept, context, repository, before))
        if arguments.keep_going:
            with Progress(context, f"Importing {name}") as progress:
                messages = _checked(source, tally, context, progress)
                _put(repository, arguments.log, messages, tally, context)
        else:
            spool = cleanup.enter_context(Spool())
            with Progress(context, f"Checking {name}") as progress:
                for key, data in _checked(source, tally, context, progress):
                    spool.put(key, data)
            if tally.bad:
                raise _complaint(source, tally, "Nothing was imported.")
            with Progress(context, f"Importing {name}") as progress:
                messages = _followed(spool, progress)
                _put(repository, arguments.log, messages, tally, context)
        _report(repository, arguments.log, tally, context)
    if tally.bad:
        raise _complaint(source, tally, "The others were imported.")
    return 0


def _tell_what_is_kept(
    context: Context, repository: Repository, before: Log, _: object, error: object, __: object
) -> None:
    """Say what became of an import that was cut: the batches that were put in are there."""
    if not isinstance(error, KeyboardInterrupt | LocalError):
        return
    try:
        kept = repository.log(before.name).root != before.root
    except MsglogError:
        return  # the log is gone, or the store cannot be read: the error says enough
    if kept:
        text = f"what came is kept in {before.name}; the same import again adds the rest"
    else:
        text = "nothing was imported"
    note(context, f"msglog: {text}")


def _report(repository: Repository, name: str, tally: _Tally, context: Context) -> None:
    log = repository.log(name)
    if tally.skipped:
        some = plural(tally.skipped, "object")
        text = f"msglog: {some} of a newer msglog left out, of which the file has not all"
        context.stderr.write(f"{text}\n".encode())
    if context.json:
        fields = {
            "log": log.name,
            "read": tally.read,
            "new": tally.new,
            "skipped": tally.skipped,
            "bad": tally.bad,
        }
        context.write(to_json({**fields, "count": log.count, "root": log.root.hex()}))
    elif not context.quiet:
        old = tally.read - tally.new
        context.write(f"{log.name}: {tally.new} new, {old} there already, {log.count} in all\n")


def _checked(source: Source, tally: _Tally, context: Context, progress: Progress) -> _Messages:
    """Yield the messages of a source, and note what is none."""
    reading = source.reading
    for row in source.rows():
        if row.key is not None:
            tally.read += 1
            yield row.key, row.data
        elif not row.why:
            tally.skipped += 1
        else:
            tally.bad += 1
            if context.verbose:
                progress.hide()
                note(context, one_line(f"msglog: {source.name}: {row.name}: {row.why}"))
            if len(tally.shown) < _SHOWN:
                tally.shown.append(f"{row.name}: {row.why}")
        progress.update(tally.read, reading.rows, size=reading.size, whole=reading.whole)


def _followed(spool: Spool, progress: Progress) -> _Messages:
    for number, message in enumerate(spool.messages()):
        progress.update(number, spool.count)
        yield message


def _complaint(source: Source, tally: _Tally, hint: str) -> BadRowsError:
    """Return the error that names the first of the bad rows."""
    more = ["..."] if tally.bad > len(tally.shown) else []
    return BadRowsError(
        f"{plural(tally.bad, 'row')} of {source.name} cannot be imported",
        why="; ".join([*tally.shown, *more]),
        hint=hint,
    )


def _put(
    repository: Repository, name: str, messages: _Messages, tally: _Tally, context: Context
) -> None:
    for batch in _batches(messages):
        tally.new += _add(repository, name, batch, context)


def _batches(messages: _Messages) -> Iterator[dict[Key, bytes]]:
    batch: dict[Key, bytes] = {}
    size = 0
    for key, data in messages:
        batch[key] = data
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


def _year(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == 4 and text != "0000"):
        from argparse import ArgumentTypeError  # noqa: PLC0415 - argparse is here if need be

        raise ArgumentTypeError(f"{text[:80]!r} is not a year such as 2026")
    return int(text)

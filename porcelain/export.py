"""`export`: writes messages of a log as JSON Lines, as a table (CSV) or as a Markdown page."""

from __future__ import annotations

import os
from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace
from porcelain.discovery import open_repository
from porcelain.display import one_line, plural
from porcelain.list_log import Selection, configure_filters
from porcelain.message_json import to_json
from porcelain.output_file import full_path, output_file
from porcelain.progress import Progress
from porcelain.tidying import shown_size

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator
    from typing import BinaryIO, TypeAlias

    from msglog.key import Key
    from msglog.repository import Repository
    from msglog.revision import Revision
    from plumbing.context import Context

    _Render: TypeAlias = "Callable[[Key, bytes], str]"

JSON_LINES, TABLE, PAGE = FORMATS = ("jsonl", "csv", "md")
_STANDARD = ("-", "/dev/stdout")
"""How standard output is called; the second would not be written to by itself if it is a file."""

_ENDINGS = {".csv": TABLE, ".md": PAGE, ".markdown": PAGE}


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `export`."""
    add = parser.add_argument
    add("--format", choices=FORMATS, metavar="FORMAT", help=f"{', '.join(FORMATS)} (as FILE ends)")
    configure_filters(parser)
    add("-o", "--output", metavar="FILE", help="write to FILE, whole or not at all; `-` for stdout")
    add("--force", action="store_true", help="write over FILE if it is there")


@dataclass(slots=True)
class _Tally:
    """What was written."""

    messages: int = 0
    size: int = 0


def run(arguments: Namespace, context: Context) -> int:
    """Write the messages that were asked for, oldest first."""
    output: str | None = None if arguments.output in _STANDARD else arguments.output
    repository = open_repository(context)
    tally = _Tally()
    try:
        arguments.max_count, arguments.reverse = None, True  # all that match, oldest first
        selection = Selection(arguments, context, repository)
        revision, parts = selection.revision, selection.parts()
        before, render = _format(arguments, context, repository, revision)
        total = None if _is_filtered(arguments) else revision.count(repository)
        with (
            _opened(output, context, force=arguments.force) as file,
            Progress(_around(context, output), f"Exporting {revision.name}") as progress,
        ):
            _write(file, before, tally)
            for keys, objects in parts:
                _write(file, "".join(map(render, keys, objects)), tally)
                tally.messages += len(keys)
                progress.update(tally.messages, total, size=tally.size)
    finally:
        repository.close()
    if output is not None:
        _report(output, tally, context)
    return 0


def _report(output: str, tally: _Tally, context: Context) -> None:
    if context.json:
        fields = {"file": output, "messages": tally.messages, "bytes": tally.size}
        context.write(to_json(fields))
    elif not context.quiet:
        said = f"{plural(tally.messages, 'message')}, {shown_size(tally.size)}"
        context.write(f"Exported {said} to {one_line(output)}\n")


def _write(file: BinaryIO, text: str, tally: _Tally) -> None:
    data = text.encode()
    tally.size += len(data)
    file.write(data)


@contextmanager
def _opened(output: str | None, context: Context, *, force: bool) -> Iterator[BinaryIO]:
    if output is None:
        yield context.stdout
        return
    with output_file(context, full_path(context, output), force=force) as file:
        yield file


def _around(context: Context, output: str | None) -> Context:
    """Return the context for progress: none is shown between the messages on a terminal."""
    if output is None and context.stdout_terminal:
        return replace(context, quiet=True)
    return context


def _is_filtered(arguments: Namespace) -> bool:
    chosen = (arguments.since, arguments.until, arguments.received_since)
    return bool(
        any(time is not None for time in chosen)
        or arguments.author
        or arguments.tag
        or arguments.grep
    )


def _format(
    arguments: Namespace, context: Context, repository: Repository, revision: Revision
) -> tuple[str, _Render]:
    """Return how an export begins, and what makes the text of a message."""
    chosen = arguments.format
    if chosen is None:
        ending = os.path.splitext(arguments.output or "")[1].lower()
        chosen = _ENDINGS.get(ending, JSON_LINES)
    if chosen == TABLE:
        from porcelain.table import head, table_row  # noqa: PLC0415 - one format at a time

        return head(), table_row
    if chosen == PAGE:
        from porcelain.page import Page  # noqa: PLC0415 - as above

        page = Page(repository.abbreviation_length(), context.local_offset)
        return page.head(revision.name), page.message
    from porcelain.json_lines import exact_json  # noqa: PLC0415 - as above

    return "", exact_json

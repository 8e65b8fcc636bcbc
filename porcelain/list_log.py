"""`list`: shows the messages of a log, newest first (also called `log`)."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.choice import Choice, Criteria, last_key_at, pattern
from msglog.errors import UsageError
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY, LAST_KEY, first_key_at
from msglog.layout import VIEWS_NAME
from msglog.refname import DEFAULT_LOG
from msglog.repository import Repository
from msglog.revision import find_revision
from porcelain.discovery import open_repository
from porcelain.printing import make_printer, paged

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Collection, Generator, Iterator

    from msglog.choice import Part
    from msglog.config import Config
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from plumbing.context import Context
    from porcelain.listing import Render
    from porcelain.printing import Printer

_LONG = 5000
"""How many messages a log has that is listed by two processes."""


class ThreadsError(UsageError):
    """Threads were to be drawn where nobody looks at them."""


class SeveralLogsError(UsageError):
    """Several logs were named where one is shown."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `list`."""
    add = parser.add_argument
    add("-n", "--max-count", type=parse_count, metavar="N", help="at most N messages")
    add("--reverse", action="store_true", help="oldest first")
    configure_filters(parser)
    add("--threads", action="store_true", help="draw replies below what they answer")
    configure_form(parser)
    add("--date", metavar="STYLE", help="local, written, human, relative, iso, short ...")


def configure_form(parser: ArgumentParser) -> None:
    """Add the arguments that say how a message is shown."""
    add = parser.add_mutually_exclusive_group().add_argument
    add("--oneline", action="store_true", help="one line a message")
    add("--format", metavar="FORMAT", help="oneline, full, or text with %%(author) %%(title) ...")


def configure_filters(parser: ArgumentParser) -> None:
    """Add the arguments that say which messages of a log are meant."""
    add = parser.add_argument
    add(
        "--log",
        action="append",
        default=[],
        metavar="NAME",
        help="the log to show (main), or what B has and A lacks, as A..B",
    )
    add("--since", "--after", metavar="TIME", help="written at TIME or later")
    add("--until", "--before", metavar="TIME", help="written at TIME or earlier")
    add("--received-since", metavar="TIME", help="received from elsewhere at TIME or later")
    add("--author", action="append", default=[], metavar="RE", help="by an author that matches")
    add("--tag", action="append", default=[], metavar="TAG", help="with this tag, each if repeated")
    add("--grep", action="append", default=[], metavar="RE", help="with a body that matches")
    add("-i", "--regexp-ignore-case", action="store_true", help="match without regard to case")


def chosen_log(arguments: Namespace) -> str:
    """Return the name of the log that filters say; raises SeveralLogsError."""
    names: list[str] = [*dict.fromkeys(arguments.log)] or [DEFAULT_LOG]
    if len(names) > 1:
        raise SeveralLogsError(
            f"--log names {len(names)} logs",
            why="one is shown at a time",
            hint="`msglog search --log NAME` looks in several.",
        )
    return names[0]


def run(arguments: Namespace, context: Context) -> int:
    """Show the messages that were asked for."""
    if context.json and arguments.threads:
        raise ThreadsError(
            "--threads draws for people", hint="With --json, each message has its reply_to."
        )
    repository = open_repository(context)
    selection = Selection(arguments, context, repository)
    if context.json:
        from porcelain.message_json import json_text  # noqa: PLC0415 - only with --json

        _write(context, selection, json_text, between="")
    else:
        _print(arguments, context, repository, selection)
    selection.close()
    return 0


def _print(
    arguments: Namespace, context: Context, repository: Repository, selection: Selection
) -> None:
    from porcelain.listing import choose_text  # noqa: PLC0415 - not with --json

    settings = _terminal_settings(context, repository)
    pager = None if settings is None else settings.text("core.pager")
    chosen = arguments.date
    if chosen is None and settings is not None:
        chosen = settings.text("list.date")
    style = "oneline" if arguments.oneline else arguments.format
    if style is None:
        style = "oneline" if arguments.threads else "full"
    make = choose_text(
        style, chosen, context, repository, log=selection.log, opened=lambda: selection.repository
    )
    missing = _what_is_missing(context, repository, settings, selection)
    with paged(context, pager) as output:
        printer = make_printer(output)
        render = make(printer)
        if arguments.reverse:
            _say_what_is_missing(printer, missing)
        if arguments.threads:
            from porcelain.threads import draw_threads  # noqa: PLC0415 - only with --threads

            draw_threads(
                output,
                repository,
                selection.parts(),
                render,
                reverse=arguments.reverse,
                spaced=style == "full",
            )
        else:
            _write(output, selection, render, between="\n" if style == "full" else "")
        if not arguments.reverse:
            _say_what_is_missing(printer, missing)


def _what_is_missing(
    context: Context,
    repository: Repository,
    settings: Config | None,
    selection: Selection,
) -> list[str]:
    """Return, for a terminal, which older messages are not here, if the list comes that far."""
    if settings is None:
        return []
    remotes = settings.remotes()
    recorded = os.path.exists(os.path.join(repository.folder, VIEWS_NAME))
    if not recorded and not any(remote.since for remote in remotes.values()):
        return []
    from porcelain.scope import missing_before, shown  # noqa: PLC0415 - few remotes have a view

    lines = []
    for remote, horizon in missing_before(repository.folder, selection.log, [*remotes.values()]):
        if selection.goes_back_to(horizon.view):
            number = "may be" if horizon.older is None else f"({horizon.older}) are"
            before = shown(horizon.view, context)
            lines.append(f"Messages from before {before} {number} at {remote.name} only.")
    return lines


def _say_what_is_missing(printer: Printer, lines: list[str]) -> None:
    for line in lines:
        printer.line(("time", line))


def _write(context: Context, selection: Selection, render: Render, *, between: str) -> None:
    """Write the messages, as many at a time as are read, which bounds what is in memory."""
    work = _Rendering(selection, render, between)
    if selection.is_long():
        from porcelain.second_process import rendered_by_two  # noqa: PLC0415 - only for long lists

        selection.close()
        texts = rendered_by_two(work)
    else:
        texts = work.texts()
    unwanted = len(between)
    try:
        for text in texts:
            context.stdout.write(text[unwanted:])
            unwanted = 0
    finally:
        texts.close()


class _Rendering:
    """The text of a selection, whole or as `porcelain.second_process` divides it.

    Every message has `between` before it, the first one as well.
    """

    def __init__(self, selection: Selection, render: Render, between: str) -> None:
        self._selection = selection
        self._render = render
        self._between = between

    def texts(self) -> Generator[bytes]:
        for part in self._selection.parts():
            yield self._text(part)

    def begin(self) -> None:
        self._selection.open()

    def pieces(self) -> Iterator[list[ObjectId]]:
        return self._selection.pieces()

    def render(self, piece: list[ObjectId], done: int) -> Iterator[tuple[int, bytes]]:
        for taken, part in self._selection.parts_of(piece, done):
            yield taken, self._text(part)

    def _text(self, part: Part) -> bytes:
        if not part[0]:
            return b""
        texts = self._between.join(map(self._render, *part))
        return f"{self._between}{texts}".encode("utf-8", "surrogateescape")


def _terminal_settings(context: Context, repository: Repository) -> Config | None:
    """Return the settings on a terminal; what is piped is the same for everybody."""
    if not context.stdout_terminal:
        return None
    from porcelain.settings import load_settings  # noqa: PLC0415 - only on a terminal

    return load_settings(context, repository.folder)


class Selection:
    """Which messages of a log are shown, in which order: a choice, as arguments have it."""

    def __init__(self, arguments: Namespace, context: Context, repository: Repository) -> None:
        self.repository = repository
        revision = find_revision(
            repository, chosen_log(arguments), remotes=lambda: _remotes(context, repository)
        )
        self.revision = revision
        self.log = revision.log
        since = _time(arguments.since, context)
        until = _time(arguments.until, context, last=True)
        fold: bool = arguments.regexp_ignore_case
        self._criteria = Criteria(
            FIRST_KEY if since is None else first_key_at(since),
            LAST_KEY if until is None else last_key_at(until),
            _time(arguments.received_since, context),
            tuple([pattern(text, fold=fold) for text in arguments.author]),
            tuple([pattern(text, fold=fold) for text in arguments.grep]),
            frozenset(arguments.tag),
            arguments.max_count,
            arguments.reverse,
        )

    def open(self) -> None:
        """Open the repository anew, after it was closed."""
        self.repository = Repository.open(self.repository.path)

    def close(self) -> None:
        """Close the repository."""
        self.repository.close()

    def goes_back_to(self, view: Key) -> bool:
        """Tell whether messages from before a view would be shown, if they were here."""
        criteria = self._criteria
        if criteria.first >= view or criteria.received is not None:
            return False
        return criteria.limit is None or criteria.limit > self.revision.count(self.repository)

    def is_long(self) -> bool:
        """Tell whether `pieces` can be had and are worth a second process."""
        criteria = self._criteria
        if criteria.limit is not None or criteria.received is not None:
            return False
        if self.revision.base != EMPTY_ROOT or self.revision.count(self.repository) < _LONG:
            return False
        from porcelain.second_process import has_two_cores  # noqa: PLC0415 - only for long lists

        return has_two_cores()

    def pieces(self) -> Iterator[list[ObjectId]]:
        """Yield all that is to be gone through in pieces of some hundred messages."""
        return self._choice().pieces()

    def parts_of(self, piece: list[ObjectId], done: int) -> Iterator[tuple[int, Part]]:
        """Yield the messages of a piece but the first: how many were gone through, and which."""
        return self._choice().parts_of(piece, done)

    def parts(self) -> Iterator[Part]:
        """Yield the messages, newest first or with --reverse oldest first, some at a time."""
        return self._choice().parts()

    def _choice(self) -> Choice:
        revision = self.revision
        return Choice(self.repository, revision.root, self._criteria, base=revision.base)


def _remotes(context: Context, repository: Repository) -> Collection[str]:
    from porcelain.settings import load_settings  # noqa: PLC0415 - where nothing is found

    return load_settings(context, repository.folder).remotes()


def _time(text: str | None, context: Context, *, last: bool = False) -> int | None:
    if text is None:
        return None
    from msglog.when import parse_bound  # noqa: PLC0415 - only with a time

    bound = parse_bound(text, last=last, now=context.now(), local_offset=context.local_offset)
    return bound.time


def parse_count(text: str) -> int:
    """Return a number of messages, as argparse takes the type of an argument."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        from argparse import ArgumentTypeError  # noqa: PLC0415 - argparse is here if need be

        raise ArgumentTypeError(f"{text[:80]!r} is not a number of messages")
    return int(text)

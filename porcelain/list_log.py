"""`list`: shows the messages of a log, newest first (also called `log`)."""

from __future__ import annotations

import os
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.key import FIRST_KEY, LAST_KEY, Key, first_key_at, key_object_id
from msglog.layout import VIEWS_NAME
from msglog.message import Foreign, decode_object
from msglog.message_scan import scan
from msglog.refname import DEFAULT_LOG
from msglog.repository import Repository
from porcelain.discovery import open_repository
from porcelain.printing import make_printer, paged

if TYPE_CHECKING:
    import re  # what shows messages is loaded only once they can be
    from argparse import ArgumentParser, Namespace
    from collections.abc import Generator, Iterator
    from typing import TypeAlias

    from msglog.config import Config
    from msglog.objectid import ObjectId
    from plumbing.context import Context
    from porcelain.listing import Render
    from porcelain.printing import Printer

_RECEIPTS_AT_ONCE = 256
_LONG = 5000
"""How many messages a log has that is listed by two processes."""

_PIECE = 512
_Part: TypeAlias = "tuple[list[Key], list[bytes]]"
"""Some messages: their keys, and in the same order their bytes."""


class ThreadsError(UsageError):
    """Threads were to be drawn where nobody looks at them."""


class PatternError(UsageError):
    """A pattern is not a regular expression."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `list`."""
    add = parser.add_argument
    add("-n", "--max-count", type=parse_count, metavar="N", help="at most N messages")
    add("--reverse", action="store_true", help="oldest first")
    configure_filters(parser)
    add("--oneline", action="store_true", help="one line a message")
    add("--threads", action="store_true", help="draw replies below what they answer")
    add("--date", metavar="STYLE", help="local, written, human, relative, iso, short ...")
    add("--format", metavar="FORMAT", help="oneline, full, or text with %%(author) %%(title) ...")


def configure_filters(parser: ArgumentParser) -> None:
    """Add the arguments that say which messages of a log are meant."""
    add = parser.add_argument
    add("--log", default=DEFAULT_LOG, metavar="NAME", help="the log to show (main)")
    add("--since", "--after", metavar="TIME", help="written at TIME or later")
    add("--until", "--before", metavar="TIME", help="written at TIME or earlier")
    add("--received-since", metavar="TIME", help="received from elsewhere at TIME or later")
    add("--author", action="append", default=[], metavar="RE", help="by an author that matches")
    add("--tag", action="append", default=[], metavar="TAG", help="with this tag, each if repeated")
    add("--grep", action="append", default=[], metavar="RE", help="with a body that matches")
    add("-i", "--regexp-ignore-case", action="store_true", help="match without regard to case")


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
    missing = _what_is_missing(context, repository, settings, arguments, selection)
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
    arguments: Namespace,
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
    for remote, horizon in missing_before(repository.folder, arguments.log, [*remotes.values()]):
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

    def _text(self, part: _Part) -> bytes:
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
    """Which messages of a log are shown, in which order."""

    def __init__(self, arguments: Namespace, context: Context, repository: Repository) -> None:
        self.repository = repository
        log = repository.log(arguments.log)
        self.log = log.name
        self._root, self._count = log.root, log.count
        since = _time(arguments.since, context)
        until = _time(arguments.until, context)
        self._first = FIRST_KEY if since is None else first_key_at(since)
        self._last = LAST_KEY if until is None else _last_key_at(until)
        self._received = _time(arguments.received_since, context)
        self._limit: int | None = arguments.max_count
        self._reverse: bool = arguments.reverse
        fold: bool = arguments.regexp_ignore_case
        self._authors = [_pattern(text, fold=fold) for text in arguments.author]
        self._bodies = [_pattern(text, fold=fold) for text in arguments.grep]
        self._tags = frozenset(arguments.tag)
        self._filtered = bool(self._authors or self._bodies or self._tags)

    def open(self) -> None:
        """Open the repository anew, after it was closed."""
        self.repository = Repository.open(self.repository.path)

    def close(self) -> None:
        """Close the repository."""
        self.repository.close()

    def goes_back_to(self, view: Key) -> bool:
        """Tell whether messages from before a view would be shown, if they were here."""
        all_fit = self._limit is None or self._limit > self._count
        return all_fit and self._first < view and self._received is None

    def is_long(self) -> bool:
        """Tell whether `pieces` can be had and are worth a second process."""
        if self._limit is not None or self._received is not None or self._count < _LONG:
            return False
        from porcelain.second_process import has_two_cores  # noqa: PLC0415 - only for long lists

        return has_two_cores()

    def pieces(self) -> Iterator[list[ObjectId]]:
        """Yield all that is to be gone through in pieces of some hundred messages."""
        if self._first > self._last:
            return iter(())
        return self.repository.divide(
            self._root,
            size=_PIECE,
            first=self._first,
            last=self._last,
            reverse=not self._reverse,
        )

    def parts_of(self, piece: list[ObjectId], done: int) -> Iterator[tuple[int, _Part]]:
        """Yield the messages of a piece but the first: how many were gone through, and which."""
        keys = self.repository.keys_below(
            piece, first=self._first, last=self._last, reverse=not self._reverse
        )
        for part in self.repository.parts(islice(keys, done, None), at_first=_PIECE):
            yield len(part[0]), self._those_that_match(part) if self._filtered else part

    def parts(self) -> Iterator[_Part]:
        """Yield the messages, newest first or with --reverse oldest first, some at a time."""
        if self._limit is None:
            return self._matching(self._keys(newest_first=not self._reverse))
        newest = self._newest(self._limit)
        if not self._reverse:
            return newest
        # The newest N, oldest first: only their keys are held.
        if self._filtered:
            keys = [key for part, _ in newest for key in part]
        else:
            keys = list(islice(self._keys(newest_first=True), self._limit))
        return self.repository.parts(reversed(keys))

    def _newest(self, limit: int) -> Iterator[_Part]:
        keys = self._keys(newest_first=True)
        if self._filtered:
            return _first_of(self._matching(keys), limit)
        return self.repository.parts(islice(keys, limit))

    def _matching(self, keys: Iterator[Key]) -> Iterator[_Part]:
        parts = self.repository.parts(keys)
        if not self._filtered:
            return parts
        return filter(all, map(self._those_that_match, parts))

    def _those_that_match(self, part: _Part) -> _Part:
        found = [both for both in zip(*part, strict=True) if self._matches(both[1])]
        return [key for key, _ in found], [data for _, data in found]

    def _keys(self, *, newest_first: bool) -> Iterator[Key]:
        if self._first > self._last:
            return iter(())
        keys = self.repository.keys(
            self._root, first=self._first, last=self._last, reverse=newest_first
        )
        return keys if self._received is None else self._received_of(keys, self._received)

    def _received_of(self, keys: Iterator[Key], since: int) -> Iterator[Key]:
        batch: list[Key] = []
        for key in keys:
            batch.append(key)
            if len(batch) >= _RECEIPTS_AT_ONCE:
                yield from self._received_in(batch, since)
                batch = []
        yield from self._received_in(batch, since)

    def _received_in(self, batch: list[Key], since: int) -> list[Key]:
        receipts = self.repository.store.receipts(batch)
        return [key for key in batch if key in receipts and receipts[key].time >= since]

    def _matches(self, data: bytes) -> bool:
        plain = scan(data)
        if plain is not None:
            _, _, _, author, body, tags, _ = plain
        else:
            message = decode_object(data)
            if isinstance(message, Foreign):
                return False
            author, body, tags = message.author, message.body, message.tags
        return (
            self._tags.issubset(tags)
            and _any_matches(self._authors, author)
            and _any_matches(self._bodies, body)
        )


def _first_of(parts: Iterator[_Part], limit: int) -> Iterator[_Part]:
    while limit > 0:
        keys, objects = next(parts, ([], []))
        if not keys:
            return
        yield keys[:limit], objects[:limit]
        limit -= len(keys)


def _any_matches(patterns: list[re.Pattern[str]], text: str) -> bool:
    return not patterns or any(pattern.search(text) for pattern in patterns)


def _pattern(text: str, *, fold: bool) -> re.Pattern[str]:
    import re  # noqa: PLC0415 - few lists are filtered, and all of them start

    try:
        return re.compile(text, re.MULTILINE | (re.IGNORECASE if fold else re.NOFLAG))
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{text[:80]!r} is not a regular expression", why=str(error)) from error


def _time(text: str | None, context: Context) -> int | None:
    if text is None:
        return None
    from porcelain.when import parse  # noqa: PLC0415 - only with a time

    return parse(text, now=context.now(), local_offset=context.local_offset).time


def _last_key_at(time: int) -> Key:
    return Key(first_key_at(time)[: -len(key_object_id(LAST_KEY))] + key_object_id(LAST_KEY))


def parse_count(text: str) -> int:
    """Return a number of messages, as argparse takes the type of an argument."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        from argparse import ArgumentTypeError  # noqa: PLC0415 - argparse is here if need be

        raise ArgumentTypeError(f"{text[:80]!r} is not a number of messages")
    return int(text)

"""`list`: shows the messages of a log, newest first (also called `log`)."""

from __future__ import annotations

import re
from collections import deque

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.key import FIRST_KEY, LAST_KEY, Key, first_key_at, key_object_id
from msglog.message import Foreign, decode_object
from msglog.refname import DEFAULT_LOG
from porcelain.discovery import open_repository
from porcelain.printing import make_printer, paged

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import TypeVar

    from msglog.message import Message
    from msglog.repository import Repository
    from plumbing.context import Context

    _Item = TypeVar("_Item")

_RECEIPTS_AT_ONCE = 256


class PatternError(UsageError):
    """A pattern is not a regular expression."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `list`."""
    add = parser.add_argument
    add("-n", "--max-count", type=_count, metavar="N", help="at most N messages")
    add("--log", default=DEFAULT_LOG, metavar="NAME", help="the log to show (main)")
    add("--since", "--after", metavar="TIME", help="written at TIME or later")
    add("--until", "--before", metavar="TIME", help="written at TIME or earlier")
    add("--received-since", metavar="TIME", help="received from elsewhere at TIME or later")
    add("--author", action="append", default=[], metavar="RE", help="by an author that matches")
    add("--tag", action="append", default=[], metavar="TAG", help="with this tag, each if repeated")
    add("--grep", action="append", default=[], metavar="RE", help="with a body that matches")
    add("-i", "--regexp-ignore-case", action="store_true", help="match without regard to case")
    add("--reverse", action="store_true", help="oldest first")
    add("--oneline", action="store_true", help="one line a message")
    add("--format", metavar="FORMAT", help="oneline, full, or text with %%h %%an %%ad %%s %%B ...")


def run(arguments: Namespace, context: Context) -> int:
    """Show the messages that were asked for."""
    repository = open_repository(context)
    selection = _Selection(arguments, context, repository)
    if context.json:
        _print_json(context, selection)
    else:
        _print(arguments, context, repository, selection)
    repository.close()
    return 0


def _print_json(context: Context, selection: _Selection) -> None:
    from porcelain.message_json import message_fields, to_json  # noqa: PLC0415 - only with --json

    for key, message in selection.messages():
        context.write(to_json(message_fields(key_object_id(key), message)))


def _print(
    arguments: Namespace, context: Context, repository: Repository, selection: _Selection
) -> None:
    from porcelain.rendering import Format, full, line  # noqa: PLC0415 - not with --json

    style = "oneline" if arguments.oneline else arguments.format or "full"
    form = None if style in ("oneline", "full") else Format(style)
    length = repository.abbreviation_length()
    with paged(context, _configured_pager(context, repository)) as output:
        printer = make_printer(output)
        first = True
        for key, message in selection.messages():
            if form is not None:
                printer.line(form.apply(key, message, length))
            elif style == "oneline":
                printer.line(*line(key, message, length))
            else:
                if not first:
                    printer.line("")
                printer.line(*full(key, message))
            first = False


def _configured_pager(context: Context, repository: Repository) -> str | None:
    if not (context.stdout_terminal and context.pager):
        return None
    from porcelain.settings import load_settings  # noqa: PLC0415 - only on a terminal

    return load_settings(context, repository.folder).text("core.pager")


class _Selection:
    """Which messages of a log are shown, in which order."""

    def __init__(self, arguments: Namespace, context: Context, repository: Repository) -> None:
        self._repository = repository
        self._root = repository.log(arguments.log).root
        since = _time(arguments.since, context)
        until = _time(arguments.until, context)
        self._first = FIRST_KEY if since is None else first_key_at(since)
        self._last = LAST_KEY if until is None else _last_key_at(until)
        self._received = _time(arguments.received_since, context)
        self._limit: int | None = arguments.max_count
        self._reverse: bool = arguments.reverse
        flags = re.IGNORECASE if arguments.regexp_ignore_case else re.NOFLAG
        self._authors = [_pattern(text, flags) for text in arguments.author]
        self._bodies = [_pattern(text, flags) for text in arguments.grep]
        self._tags = frozenset(arguments.tag)
        self._filtered = bool(self._authors or self._bodies or self._tags)

    def messages(self) -> Iterator[tuple[Key, Message | Foreign]]:
        """Yield the messages, newest first or with --reverse oldest first, a few in memory."""
        if self._limit is None:
            yield from self._matching(newest_first=not self._reverse)
            return
        if not self._reverse:
            yield from _first_of(self._matching(newest_first=True), self._limit)
            return
        # The newest N, oldest first: only their keys are held.
        newest: deque[Key] = deque()
        if self._filtered:
            for key, _ in _first_of(self._matching(newest_first=True), self._limit):
                newest.appendleft(key)
        else:
            for key in _first_of(self._keys(newest_first=True), self._limit):
                newest.appendleft(key)
        for key, data in self._repository.messages(iter(newest)):
            yield key, decode_object(data)

    def _matching(self, *, newest_first: bool) -> Iterator[tuple[Key, Message | Foreign]]:
        for key, data in self._repository.messages(self._keys(newest_first=newest_first)):
            message = decode_object(data)
            if not self._filtered or self._matches(message):
                yield key, message

    def _keys(self, *, newest_first: bool) -> Iterator[Key]:
        if self._first > self._last:
            return iter(())
        keys = self._repository.keys(
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
        receipts = self._repository.store.receipts(batch)
        return [key for key in batch if key in receipts and receipts[key].time >= since]

    def _matches(self, message: Message | Foreign) -> bool:
        if isinstance(message, Foreign):
            return False
        return (
            self._tags.issubset(message.tags)
            and _any_matches(self._authors, message.author)
            and _any_matches(self._bodies, message.body)
        )


def _first_of(items: Iterator[_Item], limit: int) -> Iterator[_Item]:
    for position, item in enumerate(items if limit else (), 1):
        yield item
        if position >= limit:
            return


def _any_matches(patterns: list[re.Pattern[str]], text: str) -> bool:
    return not patterns or any(pattern.search(text) for pattern in patterns)


def _pattern(text: str, flags: re.RegexFlag) -> re.Pattern[str]:
    try:
        return re.compile(text, flags | re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{text[:80]!r} is not a regular expression", why=str(error)) from error


def _time(text: str | None, context: Context) -> int | None:
    if text is None:
        return None
    from porcelain.when import parse  # noqa: PLC0415 - only with a time

    return parse(text, now=context.now(), local_offset=context.local_offset).time


def _last_key_at(time: int) -> Key:
    return Key(first_key_at(time)[: -len(key_object_id(LAST_KEY))] + key_object_id(LAST_KEY))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        from argparse import ArgumentTypeError  # noqa: PLC0415 - argparse is here if need be

        raise ArgumentTypeError(f"{text[:80]!r} is not a number of messages")
    return int(text)

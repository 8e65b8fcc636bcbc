"""`search`: finds messages by their words, best first, with the words marked."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.errors import NegativeAnswer
from msglog.key import key_object_id
from msglog.message import Foreign, decode_object
from msglog.search.answer import search
from msglog.search.condition import condition, shown_words
from msglog.search.found import READ_AT_ONCE, index_places, read_hits
from msglog.search.question import question
from msglog.search.snippet import Snippets
from msglog.timestamp import readable_on
from porcelain.abbreviation import UniquePrefixes
from porcelain.dates import date_style
from porcelain.discovery import open_repository
from porcelain.display import block, one_line, plural
from porcelain.list_log import configure_form
from porcelain.listing import choose_text
from porcelain.message_json import message_fields, to_json
from porcelain.places import cache_directory
from porcelain.printing import make_printer, note, paged, wants_color
from porcelain.progress import Progress
from porcelain.rendering import line_head, needs_newer
from porcelain.search_query import joined, read_time
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from msglog.message import Message
    from msglog.repository import Repository
    from msglog.search.answer import Answer
    from msglog.search.catalogue import Hit
    from msglog.search.query import Query
    from plumbing.context import Context
    from porcelain.listing import Render
    from porcelain.printing import Piece, Printer

    Show: TypeAlias = Callable[[Hit, bytes], str]

_INDENT = "    "


class NothingFoundError(NegativeAnswer):
    """No message is as the query says."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `search`."""
    add = parser.add_argument
    add(
        "query",
        nargs="+",
        metavar="QUERY",
        help='words, "phrases", author:, tag:, meta:, log:, since:, NOT ...',
    )
    add("-n", "--max-count", type=_count, metavar="N", help="at most N messages, the best")
    add("--log", action="append", default=[], metavar="NAME", help="in this log (in all logs)")
    configure_form(parser)
    add("--date", metavar="STYLE", help="local, written, human, relative, iso, short ...")
    add("--reindex", action="store_true", help="make the index anew first")


def run(arguments: Namespace, context: Context) -> int:
    """Show the messages that were found."""
    repository = open_repository(context)
    with closing(repository):
        query = _query(arguments, context, repository)
        with Progress(context, "Indexing") as progress:
            answer = search(
                repository,
                condition(query),
                places=index_places(repository, lambda: cache_directory(context)),
                limit=None if arguments.max_count is None else max(arguments.max_count, 1),
                tell=progress.update,
                anew=arguments.reindex,
            )
        if answer.unread:
            unread = plural(answer.unread, "message")
            note(context, f"msglog: {unread} cannot be read, see `msglog verify`")
        if not answer:
            raise NothingFoundError(
                f"nothing is found for {joined(arguments.query)[:80]!r}",
                hint=f"Similar words are {', '.join(answer.similar)}." if answer.similar else "",
            )
        if arguments.max_count != 0:
            _print(arguments, context, repository, answer, shown_words(query))
    return 0


def _query(arguments: Namespace, context: Context, repository: Repository) -> Query:
    """Return what is asked for; raises UsageError for what is wrong in a filter."""
    text = joined(arguments.query)
    return question(repository, text, logs=arguments.log, read_time=read_time(context))


def _print(
    arguments: Namespace, context: Context, repository: Repository, answer: Answer, wanted: str
) -> None:
    if context.json:
        with closing(Snippets(wanted)) as snippets:
            _write(context, repository, answer, _json(snippets))
        return
    settings = load_settings(context, repository.folder)
    chosen = arguments.date
    if chosen is None and context.stdout_terminal:
        chosen = settings.text("list.date")
    style = "oneline" if arguments.oneline else arguments.format or "snippet"
    shown: list[Hit] = []
    make = choose_text(
        "oneline" if style == "snippet" else style,
        chosen,
        context,
        repository,
        log=lambda: ",".join(shown[-1].logs),
        opened=lambda: repository,
    )
    with (
        closing(Snippets(wanted)) as snippets,
        paged(context, settings.text("core.pager")) as output,
    ):
        printer = make_printer(output)
        if style == "snippet":
            several = len(repository.logs()) > 1
            width = context.width if context.stdout_terminal else None
            head = _head(context, repository, chosen)
            show = _with_snippet(printer, snippets, head, width, several=several)
        else:
            show = _without_score(make(printer), shown, between="\n" if style == "full" else "")
        _write(output, repository, answer, show)


def _head(
    context: Context, repository: Repository, chosen: str | None
) -> Callable[[Hit, Message | Foreign], list[Piece]]:
    """Return what makes the beginning of a hit's first line: its id and when it was."""
    length = repository.abbreviation_length()
    date = readable_on(context.local_offset, minutes=True)
    if chosen is not None:
        date = date_style(chosen, context)
    prefixes = UniquePrefixes(repository) if wants_color(context) else None

    def head(hit: Hit, message: Message | Foreign) -> list[Piece]:
        unique = None if prefixes is None else prefixes.length(key_object_id(hit.key).hex())
        return line_head(hit.key, message, length, date=date, unique=unique)

    return head


def _write(context: Context, repository: Repository, answer: Answer, show: Show) -> None:
    for hit, data in _read(repository, answer):
        context.stdout.write(show(hit, data).encode("utf-8", "surrogateescape"))


def _read(repository: Repository, answer: Answer) -> Iterator[tuple[Hit, bytes]]:
    """Yield what was found with its bytes, a few at a time."""
    hits = iter(answer)
    while batch := list(islice(hits, READ_AT_ONCE)):
        yield from read_hits(repository, batch)


def _without_score(render: Render, shown: list[Hit], *, between: str = "") -> Show:
    """Return what shows a hit as `list` shows the message.

    shown: holds the hit that is being shown.
    """
    before = iter(("",))

    def show(hit: Hit, data: bytes) -> str:
        shown[:] = [hit]
        return next(before, between) + render(hit.key, data)

    return show


def _with_snippet(
    printer: Printer,
    snippets: Snippets,
    head: Callable[[Hit, Message | Foreign], list[Piece]],
    width: int | None,
    *,
    several: bool,
) -> Show:
    """Return what shows a hit by who, when and why it was found.

    head: makes the beginning of its first line. width: of the terminal, if there is one.
    several: whether the repository has more than one log, so that those of the hit are named.
    """

    def show(hit: Hit, data: bytes) -> str:
        message = decode_object(data)
        pieces = head(hit, message)
        if isinstance(message, Foreign):
            return printer.text(*pieces, needs_newer(message))
        pieces.append(("author", one_line(message.author)))
        if several:
            pieces += [" ", ("name", f"[{', '.join(hit.logs)}]")]
        if message.tags:
            pieces += [" ", ("tag", f"({', '.join(map(one_line, message.tags))})")]
        pieces.append(f"\n{_INDENT}")
        snippet = snippets.of(message.body)
        text = snippet.text if width is None else _wrapped(snippet.text, width)
        end = 0
        for first, last in snippet.marks:
            pieces += [_indented(text[end:first]), ("match", _indented(text[first:last]))]
            end = last
        pieces.append(_indented(text[end:]))
        return printer.text(*pieces)

    return show


def _wrapped(text: str, width: int) -> str:
    """Return a text with newlines in place of some spaces."""
    from textwrap import wrap  # noqa: PLC0415 - only on a terminal

    room = max(width - len(_INDENT), 20)
    return "\n".join(wrap(text, room, break_long_words=False, break_on_hyphens=False))


def _indented(text: str) -> str:
    return block(text).replace("\n", f"\n{_INDENT}")


def _json(snippets: Snippets) -> Show:
    """Return what shows a hit as a line of JSON: the message, and how it was found."""

    def show(hit: Hit, data: bytes) -> str:
        message = decode_object(data)
        body = "" if isinstance(message, Foreign) else message.body
        snippet = snippets.of(body)
        fields = message_fields(key_object_id(hit.key), message)
        fields["logs"] = list(hit.logs)
        fields["score"] = float(f"{hit.score:.6g}")
        fields["snippet"] = snippet.text
        fields["matches"] = [list(mark) for mark in snippet.marks]
        return to_json(fields)

    return show


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        from argparse import ArgumentTypeError  # noqa: PLC0415 - argparse is here if need be

        raise ArgumentTypeError(f"{text[:80]!r} is not a number of messages")
    return int(text)

"""The text of listed messages: of ordinary ones straight from their bytes.

What is not ordinary is decoded and shown as `porcelain.rendering` has it, and so would be the rest:
to the byte, only slower.
"""

from __future__ import annotations

from functools import lru_cache

from msglog.annotation import TYPE_CHECKING
from msglog.key import TIME_BYTES
from msglog.message import decode_object
from msglog.message_scan import scan
from msglog.timestamp import readable, readable_on
from msglog.unsafe_text import is_safe_block
from porcelain.display import block, one_line
from porcelain.printing import wants_color
from porcelain.rendering import full, line, title, to_the_minute

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context
    from porcelain.dates import Date
    from porcelain.printing import Printer
    from porcelain.rendering import Format

Render: TypeAlias = "Callable[[Key, bytes], str]"
"""Returns the text of an object, whose digest has been checked, with its last newline."""

Unique: TypeAlias = "Callable[[str], int] | None"
"""Returns how many of an id's digits tell it from all others; None: that is not shown."""

_ID_DIGITS = 2 * TIME_BYTES
"""Where the id begins in the hex digits of a key."""


def choose_text(
    style: str,
    date: str | None,
    context: Context,
    repository: Repository,
    *,
    log: str | Callable[[], str],
    opened: Callable[[], Repository],
) -> Callable[[Printer], Render]:
    """Return what makes the text of messages for a printer, having looked at all that is wrong.

    style: oneline, full or a format. date: how times are shown, if somebody has said so.
    log: whose messages they are, or what tells that of each. opened: gives the repository, which
    may be opened anew meanwhile.
    Raises FormatError and DateStyleError.
    """
    length = repository.abbreviation_length()
    shown = None
    if date is not None:
        from porcelain.dates import date_style  # noqa: PLC0415 - only with --date

        shown = date_style(date, context, line=style == "oneline")
    if style not in ("oneline", "full"):
        from porcelain.dates import date_style  # noqa: PLC0415 - only with --format
        from porcelain.rendering import Format  # noqa: PLC0415 - as above

        form = Format(
            style,
            date=shown or readable_on(context.local_offset),
            dates=lambda name: date_style(name, context),
            log=log,
        )
        return lambda _: format_text(form, length)
    unique: Unique = None
    if wants_color(context):
        from porcelain.abbreviation import UniquePrefixes  # noqa: PLC0415 - only in colour

        prefixes = UniquePrefixes(repository)
        unique = lambda digits: prefixes.length(digits, opened())  # noqa: E731 - see its type
    if style == "full":
        full_date = shown or readable_on(context.local_offset)
        return lambda printer: full_text(printer, full_date, unique)
    line_date = shown or readable_on(context.local_offset, minutes=True)
    return lambda printer: line_text(printer, length, line_date, unique)


def full_text(printer: Printer, date: Date = readable, unique: Unique = None) -> Render:
    """Return what shows messages in full."""
    id_on, id_off = printer.marks("id")
    author_on, author_off = printer.marks("author")
    time_on, time_off = printer.marks("time")
    tag_on, tag_off = printer.marks("tag")
    rest_on, _ = printer.marks("dim")
    head = f"{id_on}message "

    @lru_cache(maxsize=512)
    def by(author: str) -> str:
        shown = f"{author_on}{one_line(author)}{author_off}"
        return f"{id_off}\nAuthor: {shown}\nTime:   {time_on}"

    def needed(key: Key) -> int | None:
        return None if unique is None else unique(key.hex()[_ID_DIGITS:])

    def render(key: Key, data: bytes) -> str:
        plain = scan(data)
        if plain is None:
            return printer.text(*full(key, decode_object(data), date=date, unique=needed(key)))
        _, time, offset, author, body, tags, reply_to = plain
        if not is_safe_block(body):
            body = block(body)
        if "\n" in body:
            body = body.replace("\n", "\n    ")
        more = f"{time_off}\n"
        if tags:
            more += f"Tags:   {tag_on}{', '.join(map(one_line, tags))}{tag_off}\n"
        if reply_to is not None:
            more += f"Reply:  {id_on}{reply_to.hex()}{id_off}\n"
        digits = key.hex()[_ID_DIGITS:]
        if unique is not None:
            end = unique(digits)
            digits = f"{digits[:end]}{id_off}{rest_on}{digits[end:]}"
        return f"{head}{digits}{by(author)}{date(time, offset)}{more}\n    {body}\n"

    return render


def line_text(
    printer: Printer, length: int, date: Date = to_the_minute, unique: Unique = None
) -> Render:
    """Return what shows messages on one line; length: how many digits of their ids."""
    id_on, id_off = printer.marks("id")
    author_on, author_off = printer.marks("author")
    time_on, time_off = printer.marks("time")
    tag_on, tag_off = printer.marks("tag")
    rest_on, _ = printer.marks("dim")

    @lru_cache(maxsize=512)
    def by(author: str) -> str:
        return f"{time_off} {author_on}{one_line(author)}{author_off}: "

    before_time = f"{id_off} {time_on}"
    id_end = _ID_DIGITS + length

    def needed(key: Key) -> int | None:
        return None if unique is None else unique(key.hex()[_ID_DIGITS:])

    def render(key: Key, data: bytes) -> str:
        plain = scan(data)
        if plain is None:
            message = decode_object(data)
            return printer.text(*line(key, message, length, date=date, unique=needed(key)))
        _, time, offset, author, body, tags, _ = plain
        more = f" {tag_on}({', '.join(map(one_line, tags))}){tag_off}\n" if tags else "\n"
        digits = key.hex()[_ID_DIGITS:id_end]
        if unique is not None:
            digits = key.hex()[_ID_DIGITS:]
            end = unique(digits)
            digits = f"{digits[:end]}{id_off}{rest_on}{digits[end:length]}"
        return f"{id_on}{digits}{before_time}{date(time, offset)}{by(author)}{title(body)}{more}"

    return render


def format_text(form: Format, length: int) -> Render:
    """Return what shows messages in a format; length: how many digits their %h has."""

    def render(key: Key, data: bytes) -> str:
        plain = scan(data)
        if plain is None:
            return f"{form.apply(key, decode_object(data), length)}\n"
        return f"{form.apply_ordinary(key, plain, length)}\n"

    return render

"""The text of listed messages: of ordinary ones straight from their bytes.

What is not ordinary is decoded and shown as `porcelain.rendering` has it, and so would be the rest:
to the byte, only slower.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from msglog.key import TIME_BYTES, Key
from msglog.message import decode_object
from msglog.message_scan import scan
from msglog.timestamp import readable
from msglog.unsafe_text import is_safe_block
from porcelain.display import block, one_line
from porcelain.printing import Printer
from porcelain.rendering import Format, full, line, title

Render: TypeAlias = Callable[[Key, bytes], str]
"""Returns the text of an object, whose digest has been checked, with its last newline."""

_ID_DIGITS = 2 * TIME_BYTES
"""Where the id begins in the hex digits of a key."""

_shown_author = lru_cache(maxsize=512)(one_line)


def full_text(printer: Printer) -> Render:
    """Return what shows messages in full."""
    id_on, id_off = printer.marks("id")
    author_on, author_off = printer.marks("author")
    time_on, time_off = printer.marks("time")
    tag_on, tag_off = printer.marks("tag")

    def render(key: Key, data: bytes) -> str:
        plain = scan(data)
        if plain is None:
            return printer.text(*full(key, decode_object(data)))
        _, time, offset, author, body, tags, reply_to = plain
        if not is_safe_block(body):
            body = block(body)
        if "\n" in body:
            body = body.replace("\n", "\n    ")
        more = ""
        if tags:
            more = f"Tags:   {tag_on}{', '.join(map(one_line, tags))}{tag_off}\n"
        if reply_to is not None:
            more += f"Reply:  {id_on}{reply_to.hex()}{id_off}\n"
        return (
            f"{id_on}message {key.hex()[_ID_DIGITS:]}{id_off}\n"
            f"Author: {author_on}{_shown_author(author)}{author_off}\n"
            f"Time:   {time_on}{readable(time, offset)}{time_off}\n"
            f"{more}\n    {body}\n"
        )

    return render


def line_text(printer: Printer, length: int) -> Render:
    """Return what shows messages on one line; length: how many digits of their ids."""
    id_on, id_off = printer.marks("id")
    author_on, author_off = printer.marks("author")
    time_on, time_off = printer.marks("time")
    tag_on, tag_off = printer.marks("tag")
    id_end = _ID_DIGITS + length

    def render(key: Key, data: bytes) -> str:
        plain = scan(data)
        if plain is None:
            return printer.text(*line(key, decode_object(data), length))
        _, time, offset, author, body, tags, _ = plain
        more = f" {tag_on}({', '.join(map(one_line, tags))}){tag_off}" if tags else ""
        return (
            f"{id_on}{key.hex()[_ID_DIGITS:id_end]}{id_off} "
            f"{time_on}{readable(time, offset)[:-9]}{time_off} "
            f"{author_on}{_shown_author(author)}{author_off}: {title(body)}{more}\n"
        )

    return render


def format_text(form: Format, length: int) -> Render:
    """Return what shows messages in a format; length: how many digits their %h has."""

    def render(key: Key, data: bytes) -> str:
        plain = scan(data)
        if plain is None:
            return f"{form.apply(key, decode_object(data), length)}\n"
        return f"{form.apply_ordinary(key, plain, length)}\n"

    return render

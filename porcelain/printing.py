"""Lines for people, made of styled pieces: plain text, unless colours are wanted."""

from __future__ import annotations

from contextlib import contextmanager

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.dataclass import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from plumbing.context import Context

Piece: TypeAlias = "str | tuple[str, str]"
"""Text that is safe to show, or (style, text); the styles are those of `porcelain.console`."""


class Printer(Protocol):
    """Somewhere to print lines."""

    def line(self, *pieces: Piece) -> None:
        """Print one line, or a block of them, and the newline after it."""

    def text(self, *pieces: Piece) -> str:
        """Return what `line` prints."""

    def marks(self, style: str) -> tuple[str, str]:
        """Return what goes before and what after a text, which is not empty, in a style."""


class PlainPrinter:
    """Prints pieces without their styles."""

    def __init__(self, context: Context) -> None:
        self._write = context.write

    def line(self, *pieces: Piece) -> None:
        """Print one line."""
        self._write(self.text(*pieces))

    def text(self, *pieces: Piece) -> str:
        """Return the line."""
        return "".join([piece if isinstance(piece, str) else piece[1] for piece in pieces]) + "\n"

    def marks(self, _style: str) -> tuple[str, str]:
        """Return nothing."""
        return "", ""


def wants_color(context: Context) -> bool:
    """Tell whether standard output gets colours."""
    if context.color == "auto":
        return context.stdout_terminal
    return context.color == "always"


def make_printer(context: Context) -> Printer:
    """Return the printer that suits standard output."""
    if wants_color(context):
        from porcelain.console import StyledPrinter  # noqa: PLC0415 - rich only for colours

        return StyledPrinter(context)
    return PlainPrinter(context)


def note(context: Context, text: str) -> None:
    """Say something that is not data, on standard error, unless `-q`; text must be safe."""
    if not context.quiet:
        context.stderr.write(f"{text}\n".encode("utf-8", "surrogateescape"))
        context.stderr.flush()


def tell_all(context: Context, notices: Sequence[str]) -> None:
    """Say on standard error, a line each, what people must know, even with `-q`."""
    if not notices:
        return
    from porcelain.display import one_line  # noqa: PLC0415 - rarely is there anything to say

    for notice in notices:
        text = f"msglog: {one_line(notice)}\n"
        context.stderr.write(text.encode("utf-8", "surrogateescape"))
    context.stderr.flush()


@contextmanager
def paged(context: Context, pager: str | None) -> Iterator[Context]:
    """Give a context whose output goes through the pager, if there is a terminal and one is wanted.

    pager: the one of the user's configuration. A pager that is quit early ends the output.
    """
    if not (context.stdout_terminal and context.pager):
        yield context
        return
    from porcelain.pager import start_pager  # noqa: PLC0415 - only on a terminal

    running = start_pager(context, pager)
    if running is None:
        yield context
        return
    try:
        yield replace(context, stdout=running.stdin)
    except BrokenPipeError:
        pass  # the reader has seen enough
    finally:
        running.finish()

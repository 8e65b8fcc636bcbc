"""Colours, help and progress bars by rich: the only module that imports it, and only on demand."""

from __future__ import annotations

import codecs

from rich.color import ColorSystem
from rich.style import Style

from msglog.annotation import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from argparse import HelpFormatter
    from typing import IO, Any

    from plumbing.context import Context
    from porcelain.printing import Piece

_STYLES = {
    "id": Style.parse("yellow"),
    "author": Style.parse("bold"),
    "time": Style.parse("cyan"),
    "tag": Style.parse("green"),
    "name": Style.parse("bold cyan"),
    "good": Style.parse("green"),
    "attention": Style.parse("bold yellow"),
    "bad": Style.parse("bold red"),
    "dim": Style.parse("dim"),
    "match": Style.parse("bold red"),
    "bar": Style.parse("blue"),
    "heat1": Style.parse("dim green"),
    "heat2": Style.parse("green"),
    "heat3": Style.parse("bright_green"),
    "heat4": Style.parse("bold bright_green"),
}


class StyledPrinter:
    """Prints pieces in their styles; text is never looked into for markup."""

    def __init__(self, context: Context) -> None:
        self._write = context.write

    def line(self, *pieces: Piece) -> None:
        """Print one line."""
        self._write(self.text(*pieces))

    def text(self, *pieces: Piece) -> str:
        """Return the line with its codes."""
        return "".join([_render(piece) for piece in pieces]) + "\n"

    def marks(self, style: str) -> tuple[str, str]:
        """Return the codes before and after a text in a style."""
        before, _, after = _render((style, "text")).partition("text")
        return before, after


def help_formatter(context: Context) -> type[HelpFormatter]:
    """Return the class that formats a command's help in colours."""
    from rich.console import Console  # noqa: PLC0415 - only for help
    from rich_argparse import RichHelpFormatter  # noqa: PLC0415 - only for help

    class Formatter(RichHelpFormatter):
        """rich-argparse without markup, for the terminal of the context."""

        help_markup = False
        text_markup = False
        group_name_formatter = str

        def __init__(self, prog: str, **options: Any) -> None:  # noqa: ANN401 - argparse's
            console = Console(force_terminal=True, width=context.width, color_system="standard")
            super().__init__(prog, width=context.width, console=console, **options)

    return Formatter


class Bar:
    """A bar on standard error that shows how far a long piece of work has come."""

    def __init__(self, context: Context, text: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - only for long work
        from rich.progress import (  # noqa: PLC0415 - only for long work
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
        )

        stream = cast("IO[str]", codecs.getwriter("utf-8")(context.stderr, "replace"))
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(
                file=stream,
                force_terminal=True,
                width=context.width,
                no_color=context.color == "never",
            ),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task(text, total=None)
        self._progress.start()

    def update(self, done: int, total: int | None) -> None:
        """Show that done of total are done."""
        self._progress.update(self._task, completed=done, total=total, refresh=True)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _render(piece: Piece) -> str:
    if isinstance(piece, str):
        return piece
    style, text = piece
    return _STYLES[style].render(text, color_system=ColorSystem.STANDARD)

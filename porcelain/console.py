"""Colours, help and progress bars by rich: the only module that imports it, and only on demand."""

from __future__ import annotations

import os

from rich.color import ColorSystem
from rich.style import Style

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from argparse import HelpFormatter
    from collections.abc import Mapping
    from typing import Any, ClassVar, Literal

    from plumbing.context import Context
    from porcelain.printing import Piece


@dataclass(frozen=True, slots=True)
class Palette:
    """How each style of `porcelain.printing` looks. name: of its colours, as rich calls them."""

    name: Literal["standard", "256"]
    system: ColorSystem
    styles: Mapping[str, Style]


MANY = Palette(
    "256",
    ColorSystem.EIGHT_BIT,
    {
        "id": Style.parse("color(136)"),
        "author": Style.parse("bold"),
        "time": Style.parse("color(31)"),
        "tag": Style.parse("color(64)"),
        "option": Style.parse("color(31)"),
        "name": Style.parse("bold color(31)"),
        "good": Style.parse("color(64)"),
        "attention": Style.parse("bold color(166)"),
        "bad": Style.parse("bold color(196)"),
        "dim": Style.parse("dim"),
        "match": Style.parse("bold color(196)"),
        "bar": Style.parse("color(32)"),
        "rest": Style.parse("color(245)"),
        "heat1": Style.parse("color(65)"),
        "heat2": Style.parse("color(64)"),
        "heat3": Style.parse("color(64)"),
        "heat4": Style.parse("color(64)"),
    },
)
"""Of 256 colours, which are the same on every terminal: those of a middle brightness, to be read on
a light ground as well as on a dark one."""

FEW = Palette(
    "standard",
    ColorSystem.STANDARD,
    {
        "id": Style.parse("magenta"),
        "author": Style.parse("bold"),
        "time": Style.parse("none"),
        "tag": Style.parse("green"),
        "option": Style.parse("magenta"),
        "name": Style.parse("bold"),
        "good": Style.parse("green"),
        "attention": Style.parse("bold magenta"),
        "bad": Style.parse("bold red"),
        "dim": Style.parse("dim"),
        "match": Style.parse("bold red"),
        "bar": Style.parse("cyan"),
        "rest": Style.parse("dim"),
        "heat1": Style.parse("dim green"),
        "heat2": Style.parse("green"),
        "heat3": Style.parse("green"),
        "heat4": Style.parse("green"),
    },
)
"""Of 16 colours, which every terminal has its own of: yellow, and what is bold and not red or
magenta, which many show brighter, cannot be read on white, and blue not on black."""

_BAR_WIDTH = 40
_BAR_LEAST = 6
_SPARE = 3
"""Columns left free: the last one, after which lines wrap, and two for the `^C` of who gives up."""


class StyledPrinter:
    """Prints pieces in their styles; text is never looked into for markup."""

    def __init__(self, context: Context) -> None:
        self._write = context.write
        self._palette = palette(context.environment)

    def line(self, *pieces: Piece) -> None:
        """Print one line."""
        self._write(self.text(*pieces))

    def text(self, *pieces: Piece) -> str:
        """Return the line with its codes."""
        return "".join([self._rendered(piece) for piece in pieces]) + "\n"

    def marks(self, style: str) -> tuple[str, str]:
        """Return the codes before and after a text in a style."""
        before, _, after = self._rendered((style, "text")).partition("text")
        return before, after

    def _rendered(self, piece: Piece) -> str:
        if isinstance(piece, str):
            return piece
        style, text = piece
        return self._palette.styles[style].render(text, color_system=self._palette.system)


def palette(environment: Mapping[str, str]) -> Palette:
    """Return the palette for as many colours as the environment says that the terminal has."""
    many = environment.get("COLORTERM") or "256color" in environment.get("TERM", "")
    return MANY if many else FEW


def help_formatter(context: Context) -> type[HelpFormatter]:
    """Return the class that formats a command's help in colours."""
    from rich.console import Console  # noqa: PLC0415 - only for help
    from rich_argparse import RichHelpFormatter  # noqa: PLC0415 - only for help

    chosen = palette(context.environment)

    class Formatter(RichHelpFormatter):
        """rich-argparse without markup, for the terminal of the context."""

        help_markup = False
        text_markup = False
        group_name_formatter = str
        styles: ClassVar = {
            **RichHelpFormatter.styles,
            "argparse.args": chosen.styles["option"],
            "argparse.groups": chosen.styles["name"],
            "argparse.metavar": chosen.styles["tag"],
            "argparse.prog": chosen.styles["dim"],
        }

        def __init__(self, prog: str, **options: Any) -> None:  # noqa: ANN401 - argparse's
            console = Console(force_terminal=True, width=context.width, color_system=chosen.name)
            super().__init__(prog, width=context.width, console=console, **options)

    return Formatter


class Bar:
    """A line on standard error that shows how far a long piece of work has come.

    It is written over in place, is no wider than the terminal, and is taken away at the end. A
    terminal that cannot do that, or a pipe, gets the words without the bar.

    text: what is done, safe to show. started: by the clock of the steps.
    """

    def __init__(self, context: Context, text: str, started: float) -> None:
        from porcelain.pace import Pace  # noqa: PLC0415 - only for long work

        self._stream = context.stderr
        self._text = text
        self._pace = Pace(started)
        self._width = context.width
        self._plain = not context.stderr_terminal or context.environment.get("TERM") == "dumb"
        self._palette = None if context.color == "never" else palette(context.environment)
        self._shown = 0

    def update(
        self, now: float, done: int, total: int | None, size: int, whole: int | None
    ) -> None:
        """Show that done of total messages, and size of whole bytes, are done."""
        from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only for long work

        from porcelain.pace import Step  # noqa: PLC0415 - as above

        step = Step(done, total, size, whole)
        words = [word for word in self._pace.words(now, step) if word]
        room = self._room()
        text = self._text
        longest = max(room - 2 - len(words[0]) if words else room, room // 3)
        if cell_len(text) > longest:
            text = set_cell_size(text, longest - 1) + "…"
        while words and cell_len(text) + sum(2 + len(word) for word in words) > room:
            words.pop()
        after = "  ".join(words)
        size_left = room - cell_len(text) - len(after) - 4
        bar = "" if self._plain else self._bar(step.fraction, min(size_left, _BAR_WIDTH), now)
        self._draw("  ".join([part for part in (text, bar, after) if part]))

    def hide(self) -> None:
        """Take the line away."""
        if self._shown:
            self._draw("")
            self._shown = 0

    def _room(self) -> int:
        try:  # standard output, whose width is known, may be a file; and windows change
            width = os.get_terminal_size(self._stream.fileno()).columns or self._width
        except (OSError, ValueError):
            width = self._width
        return max(width, 20) - _SPARE

    def _bar(self, fraction: float | None, width: int, now: float) -> str:
        if width < _BAR_LEAST:
            return ""
        from io import StringIO  # noqa: PLC0415 - only for long work

        from rich.cells import cell_len  # noqa: PLC0415 - as above
        from rich.console import Console  # noqa: PLC0415 - as above
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        chosen = self._palette
        console = Console(
            file=StringIO(),
            force_terminal=True,
            color_system=None if chosen is None else chosen.name,
            no_color=chosen is None,
            width=width,
            legacy_windows=False,
        )
        look = {} if chosen is None else _bar_look(chosen)
        bar = ProgressBar(
            **look,
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            width=width,
            pulse=fraction is None,
            animation_time=now,
        )
        with console.capture() as capture:
            console.print(bar, end="")
        drawn = capture.get()
        # Without colours, what is still to be done is not drawn.
        return drawn + " " * (width - cell_len(Text.from_ansi(drawn).plain))

    def _draw(self, line: str) -> None:
        width = len(line) if self._plain else 0
        padding = " " * (self._shown - width) if self._plain else "\x1b[K"
        data = f"\r{line}{padding}" if line else f"\r{padding}\r"
        self._stream.write(data.encode("utf-8", "replace"))
        self._stream.flush()
        self._shown = width or 1


def _bar_look(chosen: Palette) -> dict[str, Style]:
    done, rest = chosen.styles["bar"], chosen.styles["rest"]
    names = ("complete_style", "finished_style", "pulse_style")
    return {"style": rest, **dict.fromkeys(names, done)}

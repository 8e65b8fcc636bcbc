"""Colours, help and progress bars by rich: the only module that imports it, and only on demand."""

from rich.color import ColorSystem
from rich.style import Style

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
}


class StyledPrinter:
    """Prints pieces in their styles; text is never looked into for markup."""

    def __init__(self, context: Context) -> None:
        self._write = context.write

    def line(self, *pieces: Piece) -> None:
        """Print one line."""
        self._write("".join([_render(piece) for piece in pieces]) + "\n")


def _render(piece: Piece) -> str:
    if isinstance(piece, str):
        return piece
    style, text = piece
    return _STYLES[style].render(text, color_system=ColorSystem.STANDARD)

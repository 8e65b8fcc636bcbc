"""Showing what is new in watched logs, as it comes."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from plumbing.news import Vanished
from porcelain.display import one_line
from porcelain.printing import make_printer, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbing.context import Context
    from plumbing.news import Arrived, News
    from porcelain.listing import Render


class NewsDisplay:
    """Prints messages of logs, each to be read at once by whoever reads the output.

    style: oneline, full, or a format, as for `list`. headings: say of which log messages are,
    whenever it is another one than before, as `tail` does. length: gives how many digits of ids to
    show where they are cut.
    """

    def __init__(
        self, context: Context, style: str, *, headings: bool, length: Callable[[], int]
    ) -> None:
        self._context = context
        self._between = "\n" if style == "full" and not context.json else ""
        self._headings = headings and style in ("full", "oneline") and not context.json
        self._render = _renderer(context, style, length)
        self._log = ""
        self._printed = False

    def show(self, news: News) -> None:
        """Print what is new; raises BrokenPipeError where nobody reads it any more."""
        if isinstance(news, Vanished):
            note(self._context, f"msglog: {one_line(news.log)} is not there any more")
            return
        if self._context.json:
            self._write_json(news)
            return
        for key, data in zip(news.keys, news.objects, strict=True):
            before = self._between if self._printed else ""
            if self._headings and news.log != self._log:
                self._log = news.log
                before = ("\n" if self._printed else "") + f"==> {one_line(news.log)} <==\n"
            self._printed = True
            self._context.write(before + self._render(key, data))
        self._context.stdout.flush()

    def _write_json(self, news: Arrived) -> None:
        """Write an object a line, each at once: the next message may be long in coming."""
        beginning = f'{{"log": "{news.log}", '
        for key, data in zip(news.keys, news.objects, strict=True):
            self._context.write(beginning + self._render(key, data)[1:])
            self._context.stdout.flush()


def _renderer(context: Context, style: str, length: Callable[[], int]) -> Render:
    if context.json:
        from porcelain.message_json import json_text  # noqa: PLC0415 - only with --json

        return json_text
    from porcelain.listing import format_text, full_text, line_text  # noqa: PLC0415 - not with --json
    from porcelain.rendering import Format  # noqa: PLC0415 - as above

    if style == "full":
        return full_text(make_printer(context))
    if style == "oneline":
        return line_text(make_printer(context), length())
    return format_text(Format(style), length())

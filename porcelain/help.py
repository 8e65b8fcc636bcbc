"""`help`: shows what a command does, or lists the commands."""

from __future__ import annotations

from argparse import HelpFormatter
from functools import partial
from textwrap import fill

from msglog.annotation import TYPE_CHECKING
from porcelain.commands import (
    COMMANDS,
    GROUPS,
    UnknownCommandError,
    description,
    load,
    summary,
)
from porcelain.parser import CommandParser
from porcelain.printing import wants_color
from porcelain.vocabulary import meant_command

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from plumbing.context import Context


_WIDE = 10_000
_INDENT = " " * 6


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `help`."""
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="the command to explain")
    parser.add_argument("--man", action="store_true", help="print a manual page, for `man -l -`")


def run(arguments: Namespace, context: Context) -> int:
    """Show the help of one command, or the list of all."""
    if arguments.man:
        from porcelain.manual import command_page, overview_page  # noqa: PLC0415 - only for --man

        if arguments.command:
            _parser(arguments.command)  # which refuses what there is not
            context.write(command_page(arguments.command[0]))
        else:
            context.write(overview_page())
        return 0
    if not arguments.command:
        # In a pipe a command has a line, whatever reads it.
        context.write(_overview(context.width if context.stdout_terminal else _WIDE))
        return 0
    return show_help(_parser(arguments.command), context)


def _parser(words: Sequence[str]) -> CommandParser:
    """Return the parser of a command, or of one below it; raises UnknownCommandError."""
    name = words[0]
    module = load(name)
    parser = CommandParser(prog=f"msglog {name}", description=description(name))
    module.configure(parser)
    for word in words[1:]:
        below = parser.subcommands()
        if word not in below:
            raise UnknownCommandError(
                f"{word[:80]!r} is not a command of {parser.prog}",
                hint=meant_command(word, below) or f"See `{parser.prog} --help`.",
            )
        parser = below[word]
    return parser


def show_help(parser: CommandParser, context: Context) -> int:
    """Print the help of a parser, coloured where colours are wanted."""
    if wants_color(context):
        from porcelain.console import help_formatter  # noqa: PLC0415 - rich only for colours

        parser.formatter_class = help_formatter(context)
    else:
        parser.formatter_class = partial(HelpFormatter, width=context.width)
    context.write(parser.format_help())
    return 0


def _overview(columns: int) -> str:
    """Return the list of all commands, without a word that is broken at the edge."""
    fold = partial(fill, width=columns, break_long_words=False, break_on_hyphens=False)
    lines = ["usage: msglog [OPTIONS] COMMAND ...", ""]
    width = max(map(len, COMMANDS)) + 2
    for group in GROUPS:
        lines.append(group)
        for name, command in COMMANDS.items():
            if command.group == group:
                try:
                    head = f"  {name:{width}}"
                    if columns < 2 * len(head):  # too little is left beside the name
                        lines.append(head.rstrip())
                        head = _INDENT
                    indent = " " * len(head)
                    lines.append(fold(summary(name), initial_indent=head, subsequent_indent=indent))
                except ModuleNotFoundError:
                    continue
        lines.append("")
    last = "`msglog help COMMAND` explains one. A first log: `msglog init && msglog add hello`."
    lines.append(fold(last))
    return "\n".join(lines) + "\n"

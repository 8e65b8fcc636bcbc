"""`completion`: prints a shell's completion of commands and options."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from porcelain.commands import COMMANDS, load, summary
from porcelain.parser import CommandParser

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context

_SHELLS = ("bash", "zsh", "tcsh")


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `completion`."""
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))


def run(arguments: Namespace, context: Context) -> int:
    """Print the script; all parsers are built here and nowhere else."""
    import shtab  # noqa: PLC0415 - only here

    script: str = shtab.complete(_everything(), shell=arguments.shell)
    context.write(script.rstrip("\n") + "\n")
    return 0


def _everything() -> CommandParser:
    parser = CommandParser(prog="msglog")
    parser.add_argument("--version", action="store_true")
    commands = parser.add_subparsers(dest="command")
    for name in COMMANDS:
        module = load(name)
        module.configure(commands.add_parser(name, help=summary(module).replace("%", "%%")))
    return parser

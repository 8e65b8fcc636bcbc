"""The argument parser of one command: argparse with its four traps disarmed."""

from __future__ import annotations

import argparse
import re
from functools import partial
from shlex import quote

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.guess import question
from porcelain.vocabulary import meant_command, meant_option
from porcelain.words import LAST_COUNTS, Namespace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

_NOT_AN_OPTION = "\0"
"""Put before an argument after `--`, so that it is never an option; no argument can contain it."""

_MISSING = "the following arguments are required"
_WANTS_VALUE = "expected one argument"
_IGNORED = re.compile(r"ignored explicit argument '(.+)'")
_INVALID_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)
_LISTING = ("list", "ls")
_NUMBER = re.compile(r"-\d+", re.ASCII)
_QUOTED = re.compile(r"'?([\w-]+)'?")
"""A choice, which newer versions of argparse do not quote."""


class CommandLineError(UsageError):
    """The arguments of a command are not what it takes."""


class HelpRequested(Exception):  # noqa: N818 - not an error: the answer is the parser's help
    """`--help` was among the arguments."""

    def __init__(self, parser: CommandParser) -> None:
        super().__init__(parser.prog)
        self.parser = parser


class _Help(argparse.Action):
    """`--help`, which leaves it to the dispatcher to show the help."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 - argparse's signature
        values: str | Sequence[Any] | None,  # noqa: ARG002 - argparse's signature
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        if isinstance(parser, CommandParser):
            parser.refuse_text()
            raise HelpRequested(parser)


class _Store(argparse._StoreAction):  # noqa: SLF001 - argparse has no other name for it
    """An argument with one value, which is refused where two are given and only one would count."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if (
            option_string is not None
            and self.option_strings[0] not in LAST_COUNTS
            and isinstance(parser, CommandParser)
            and parser.stored.setdefault(self.dest, values) != values
        ):
            raise CommandLineError(f"{option_string} is given twice", hint="Only one can count.")
        super().__call__(parser, namespace, values, option_string)


class CommandParser(argparse.ArgumentParser):
    """A parser that takes the global options too, wherever they stand, and never exits.

    Options and arguments may be mixed; abbreviations of options are refused; defaults of global
    options are suppressed, so that a subcommand never resets what was said before it. Subparsers
    made by `add_subparsers` are of this class. Errors are CommandLineError, help HelpRequested.

    intermixed: False for the parser that takes what stands before the command, and hands on the
    rest untouched. stored: the options with one value that were given, by name.
    """

    def __init__(self, *, intermixed: bool = True, **options: Any) -> None:  # noqa: ANN401 - argparse's
        # Without a width, argparse imports shutil to ask the terminal, for each option added.
        options.setdefault("formatter_class", partial(argparse.HelpFormatter, width=80))
        options.update(allow_abbrev=False, add_help=False)
        super().__init__(**options)
        self._intermixed = intermixed
        self._parsing = False
        self._first = False
        self._given: list[str] = []
        self.stored: dict[str, object] = {}
        self.register("action", None, _Store)
        self.register("action", "store", _Store)
        self.color = False  # from Python 3.14 on, argparse colours by itself otherwise
        add_global_options(self)

    def parse(self, arguments: Sequence[str], namespace: Namespace) -> Namespace:
        """Return the namespace that arguments fill; raises CommandLineError or HelpRequested."""
        self._first = True
        given = list(arguments)
        for place, text in enumerate(given if self._intermixed else ()):
            if text == "--" or self._takes_the_rest(text):
                rest = [_NOT_AN_OPTION + word for word in given[place + 1 :]]
                given[place:] = rest if text == "--" else [text, *rest]
                break
            joined = text.endswith("=--") or not text.startswith("--")
            if joined and text.startswith("-") and text.endswith("--"):
                given[place] = f"{text[:-2]}{_NOT_AN_OPTION}--"  # argparse would leave it out
        parsed, unknown = self.parse_known_args(given, namespace)
        if unknown:
            self._refuse_unknown(unknown)
        self._refuse_numbers(parsed)
        for name, value in vars(parsed).items():
            if isinstance(value, str):
                setattr(parsed, name, value.removeprefix(_NOT_AN_OPTION))
            elif isinstance(value, list):
                stripped = [
                    item.removeprefix(_NOT_AN_OPTION) if isinstance(item, str) else item
                    for item in value
                ]
                setattr(parsed, name, stripped)
        return parsed

    def _takes_the_rest(self, text: str) -> bool:
        """Tell whether text is an option after which nothing is an option any more."""
        action = self._option_string_actions.get(text)
        return action is not None and action.nargs == argparse.REMAINDER

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as argparse's method does, options and arguments mixed where that is possible.

        What is not known to the parser of a subcommand is refused here, and not by the one above,
        which has other options to suggest and another help to name.
        """
        if self._parsing:
            return super().parse_known_args(args, namespace)
        given = list(args or ())
        self.stored = {}
        self._given = given
        self._parsing = True
        mixed = self._intermixed and not self._cannot_be_mixed()
        try:
            parse = self.parse_known_intermixed_args if mixed else super().parse_known_args
            found, unknown = parse(given, namespace)
        finally:
            self._parsing = False
        if unknown and not self._first:
            self._refuse_unknown(unknown)
        return found, unknown

    def _cannot_be_mixed(self) -> bool:
        """Tell whether there are subcommands, or arguments that exclude options."""
        positionals = self._get_positional_actions()
        exclusive = [
            action
            for group in self._mutually_exclusive_groups
            for action in group._group_actions  # noqa: SLF001 - argparse itself looks there
        ]
        return any(
            action.nargs in (argparse.PARSER, argparse.REMAINDER) or action in exclusive
            for action in positionals
        )

    def subcommands(self) -> dict[str, CommandParser]:
        """Return the parsers of the commands below this one by name."""
        found: dict[str, CommandParser] = {}
        for action in self._get_positional_actions():
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no other way
                found.update(action.choices)
        return found

    def error(self, message: str) -> NoReturn:
        """Raise CommandLineError with what argparse says, and with what to write instead."""
        hint = f"See `{self.prog} --help`."
        if message.startswith(_MISSING):
            self._refuse_mistaken()
        if _WANTS_VALUE in message:
            hint = self._value_hint(message) or hint
        explicit = _IGNORED.search(message)
        if explicit is not None:
            for word in self._given:
                if word.startswith("-") and word.endswith(explicit[1]):
                    self._refuse_unknown([word])
        choice = _INVALID_CHOICE.search(message)
        if choice is not None:
            hint = self._choice_hint(choice[1], _QUOTED.findall(choice[2])) or hint
        raise CommandLineError(message.replace(_NOT_AN_OPTION, ""), hint=hint)

    def _choice_hint(self, word: str, choices: list[str]) -> str:
        """Tell which choice was probably meant, or how to have a list without a choice."""
        optional = any(
            isinstance(action, argparse._SubParsersAction) and not action.required  # noqa: SLF001 - as above
            for action in self._get_positional_actions()
        )
        if optional and word in _LISTING and "list" not in choices:
            return f"`{self.prog}` alone lists them."
        return meant_command(word, choices)

    def refuse_text(self) -> None:
        """Refuse text that begins with `-h`, which argparse takes for `-h` from Python 3.13 on."""
        for word in self._given:
            if word == "--":
                return
            if word.startswith("-h") and len(word) > 2:
                self._refuse_unknown([word])

    def _refuse_mistaken(self) -> None:
        """Refuse what looks like an option and is none: it may have been meant as an argument."""
        for word in self._given:
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            if word.startswith("-") and len(name) > 1 and name not in self._option_string_actions:
                self._refuse_unknown([word])

    def _refuse_numbers(self, parsed: argparse.Namespace) -> None:
        """Refuse `-3` where there is `-n`, which it means elsewhere: argparse takes it for text."""
        if "-n" not in self._option_string_actions:
            return
        for action in self._get_positional_actions():
            value = getattr(parsed, action.dest, None)
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str) and _NUMBER.fullmatch(word):
                    self._refuse_unknown([word])

    def _value_hint(self, message: str) -> str:
        """Tell how to write a value that begins with a hyphen, if that is what went wrong."""
        names = message.removeprefix("argument ").partition(":")[0].split("/")
        for option, value in zip(self._given, self._given[1:], strict=False):
            if option in names and value.startswith("-"):
                long = next((name for name in names if name.startswith("--")), option)
                joined = f"{long}={value}" if long.startswith("--") else f"{long}{value}"
                return (
                    f"Write `{joined}`: a value that begins with '-' must be joined to its option."
                )
        return ""

    def _refuse_unknown(self, unknown: list[str]) -> NoReturn:
        first = unknown[0].removeprefix(_NOT_AN_OPTION)
        if not first.startswith("-") or first == "-":
            hint = f"See `{self.prog} --help`."
            if "--log" in self._option_string_actions and not self._get_positional_actions():
                hint = f"If it is a log, write `--log {quote(first)}`."
            raise CommandLineError(f"unexpected argument {first!r}", hint=hint)
        # Without their hyphens, which make all options alike.
        options = [name[2:] for name in self._option_string_actions if name.startswith("--")]
        see = f"See `{self.prog} --help`."
        if len(first) > 2 and first[1] != "-" and self._get_positional_actions():
            see = "Text that begins with - stands after `--`."
        if first[1:].isdecimal() and "-n" in self._option_string_actions:
            see = f"Write `-n {first[1:]}`."
        name = first.partition("=")[0]
        meant = question(name.lstrip("-"), options, shape="--{}")
        hint = meant_option(self.prog, name) or meant or see
        raise CommandLineError(f"unknown option {first!r}", hint=hint)

    def format_help(self) -> str:
        """Return the help, with a usage that lists the arguments and not each option."""
        if self.usage is None:
            formatter = argparse.HelpFormatter(self.prog, width=10_000)
            formatter.add_usage(None, self._get_positional_actions(), ())
            usage = formatter.format_help().removeprefix("usage: ").strip().replace("%", "%%")
            self.usage = usage.replace(self.prog, f"{self.prog} [OPTIONS]", 1)
        return super().format_help()


def parse_leading(arguments: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Return the options in front of a command, `version` among them, and the rest untouched."""
    parser = CommandParser(prog="msglog", usage="msglog [OPTIONS] COMMAND ...", intermixed=False)
    parser.add_argument("--version", action="store_true", default=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = Namespace()
    try:
        parser.parse(arguments, chosen)
    except HelpRequested:
        chosen.command = ["help"]
    values = dict(vars(chosen))
    words: list[str] = values.pop("command")
    return Namespace(**values), words


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options that every command takes, before or after the command."""
    group = parser.add_argument_group("global options")
    add = group.add_argument
    unset = argparse.SUPPRESS
    add("-h", "--help", action=_Help, nargs=0, default=unset, help="show this help")
    add(
        "-C",
        dest="directory",
        metavar="DIR",
        action="append",
        default=unset,
        help="run as if started in DIR",
    )
    add("--json", action="store_true", default=unset, help="print JSON Lines")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", default=unset, help="say less")
    volume.add_argument("-v", "--verbose", action="store_true", default=unset, help="say more")
    add(
        "--color",
        choices=("auto", "always", "never"),
        metavar="WHEN",
        default=unset,
        help="colours: auto, always or never",
    )
    add(
        "--no-pager",
        dest="pager",
        action="store_false",
        default=unset,
        help="write straight to standard output",
    )
    add("--progress", action="store_true", default=unset, help="show progress without a terminal")

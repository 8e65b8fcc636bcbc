"""Manual pages: what the help says of commands, as roff: for `man`, and for builders of packages.

Source of the form: man(7), and groff_man_style(7) for what readers other than groff understand.
"""

from __future__ import annotations

import argparse

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.version import RELEASED, __version__
from porcelain.commands import COMMANDS, GROUPS, description, load, summary
from porcelain.parser import CommandParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECTION = 1
STATUSES = (
    ("0", "done"),
    ("1", "a negative answer: nothing found, or damage found"),
    ("2", "a wrong call"),
    ("3", "not authorised"),
    ("4", "the remote cannot be reached, or does not speak msglog"),
    ("5", "the data is damaged, or a peer lied"),
    ("6", "refused by a policy or a quota"),
    ("7", "a local failure: no repository, disk full, newer format, busy"),
)
_GLOBAL = "global options"


def page_name(command: str = "") -> str:
    """Return what the page of a command is called, or that of msglog itself."""
    return f"msglog-{command}" if command else "msglog"


class Prose(Protocol):
    """What there is to say of a command beside what its parser knows.

    synopsis, examples: lines as they are typed. description, sections: roff.
    """

    synopsis: list[str]
    description: list[str]
    sections: list[str]
    examples: list[str]


def pages(prose: Callable[[str], Prose | None] = lambda _: None) -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of every page. prose: gives what there is for a command."""
    yield f"{page_name()}.{SECTION}", overview_page()
    for command in COMMANDS:
        yield f"{page_name(command)}.{SECTION}", command_page(command, prose(command))


def overview_page() -> str:
    """Return the page of msglog itself."""
    lines = _head(page_name(), "a logbook that people and programs share over SSH")
    lines += [".SH SYNOPSIS", r".B msglog", escape("[OPTIONS] COMMAND ..."), ".SH DESCRIPTION"]
    lines += [
        escape(
            "Keeps logs of short immutable messages, offline first, and makes any two logs equal by"
            " push and pull. Each command has a page of its own."
        )
    ]
    for group in GROUPS:
        lines.append(f".SH {escape(group.upper(), quoted=True)}")
        for command, entry in COMMANDS.items():
            if entry.group == group:
                lines += [".TP", rf".BR {escape(page_name(command))} ({SECTION})"]
                lines.append(escape(_sentence(summary(command))))
    parser = CommandParser(prog="msglog")
    lines += [*_options(parser, everywhere=True), *_statuses()]
    lines += [".SH FILES"]
    for path, what in (
        (".msglog", "a repository, in the folder that it is for"),
        ("~/.local/share/msglog/.msglog", "your own log, under $XDG_DATA_HOME"),
        ("~/.config/msglog/config.toml", "your configuration, under $XDG_CONFIG_HOME"),
    ):
        lines += [".TP", f".I {escape(path)}", escape(_sentence(what))]
    return "\n".join(lines) + "\n"


def command_page(command: str, prose: Prose | None = None) -> str:
    """Return the page of a command."""
    module = load(command)
    parser = CommandParser(prog=f"msglog {command}", description=description(command))
    module.configure(parser)
    lines = _head(page_name(command), summary(command))
    lines.append(".SH SYNOPSIS")
    lines += _synopsis(parser) if prose is None else _verbatim(prose.synopsis)
    lines.append(".SH DESCRIPTION")
    lines += [escape(description(command))] if prose is None else prose.description
    lines += [*_arguments(parser), *_actions(parser), *_options(parser, everywhere=False)]
    if prose is not None:
        lines += [*prose.sections, ".SH EXAMPLES", *_verbatim(prose.examples)]
    lines += [*_options(parser, everywhere=True), *_statuses()]
    lines += [".SH SEE ALSO", rf".BR {page_name()} ({SECTION})"]
    return "\n".join(lines) + "\n"


def _verbatim(lines: Sequence[str]) -> list[str]:
    return [".nf", *[escape(line) or r"\&" for line in lines], ".fi"]


def _head(name: str, what: str) -> list[str]:
    title = escape(name.upper(), quoted=True)
    return [
        rf'.TH {title} {SECTION} {RELEASED} "msglog {escape(__version__)}" "msglog manual"',
        ".SH NAME",
        rf"{escape(name)} \- {escape(what)}",
    ]


def _synopsis(parser: CommandParser) -> list[str]:
    parser.format_help()  # which makes the usage
    usage = (parser.usage or parser.prog).replace("%%", "%")
    return [f".B {escape(parser.prog)}", escape(usage.removeprefix(parser.prog).strip())]


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    found = [
        action
        for action in parser._get_positional_actions()  # noqa: SLF001 - argparse has no other way
        if not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    ]
    if found:
        yield ".SH ARGUMENTS"
    for action in found:
        yield from _item(rf".I {escape(_value(action))}", action)


def _actions(parser: argparse.ArgumentParser, names: Sequence[str] = ()) -> Iterator[str]:
    """Yield the subcommands of a command, and those below them, each with what it takes."""
    for action in parser._get_positional_actions():  # noqa: SLF001 - as above
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            continue
        if not names:
            yield ".SH ACTIONS"
        helps = {choice.dest: choice.help for choice in action._choices_actions}  # noqa: SLF001
        for name, below in action.choices.items():
            if name not in helps:
                continue  # another name of one that is there
            path = [*names, name]
            taken = " ".join(map(_usage_of, below._get_positional_actions()))  # noqa: SLF001
            yield f".SS {escape(f'{chr(32).join(path)} {taken}'.strip(), quoted=True)}"
            yield escape(_sentence(below.description or helps[name] or ""))
            for option in _own_options(below):
                yield from _item(_option_line(option), option)
            yield from _actions(below, path)


def _usage_of(action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
        return "..."
    value = _value(action)
    return {"?": f"[{value}]", "*": f"[{value} ...]", "+": f"{value} ..."}.get(
        str(action.nargs), value
    )


def _own_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options of a parser but those that every command takes."""
    everywhere = {
        id(action)
        for group in parser._action_groups  # noqa: SLF001 - as above
        if group.title == _GLOBAL
        for action in group._group_actions  # noqa: SLF001 - as above
    }
    return [
        action
        for action in parser._actions  # noqa: SLF001 - as above
        if action.option_strings and id(action) not in everywhere
    ]


def _options(parser: argparse.ArgumentParser, *, everywhere: bool) -> Iterator[str]:
    own = _own_options(parser)
    found = own
    if everywhere:
        all_of_them = [action for action in parser._actions if action.option_strings]  # noqa: SLF001
        found = [action for action in all_of_them if action not in own]
    if found:
        yield ".SH GLOBAL OPTIONS" if everywhere else ".SH OPTIONS"
    for action in found:
        yield from _item(_option_line(action), action)


def _option_line(action: argparse.Action) -> str:
    names = ", ".join(rf"\fB{escape(name)}\fR" for name in action.option_strings)
    return names if action.nargs == 0 else rf"{names} \fI{escape(_value(action))}\fR"


def _item(tag: str, action: argparse.Action) -> Iterator[str]:
    yield ".TP"
    yield tag
    yield escape(_sentence((action.help or "").replace("%%", "%"))) or r"\&"


def _value(action: argparse.Action) -> str:
    metavar = action.metavar
    if isinstance(metavar, tuple):
        return " ".join(metavar)
    if metavar is None and action.choices is not None:
        return "|".join(map(str, action.choices))
    return metavar or action.dest.upper()


def _statuses() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for status, what in STATUSES:
        yield from (".TP", f".B {status}", escape(_sentence(what)))


def _sentence(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def escape(text: str, *, quoted: bool = False) -> str:
    """Return text so that roff prints it as it is; quoted: as one argument of a macro."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga")
    escaped = escaped.replace("'", r"\(aq").replace('"', r"\(dq").replace("~", r"\(ti")
    escaped = escaped.replace("^", r"\(ha")
    if escaped.startswith("."):
        escaped = rf"\&{escaped}"
    return f'"{escaped}"' if quoted else escaped

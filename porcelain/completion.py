"""`completion`: prints a shell's completion of commands, options and names."""

from __future__ import annotations

import re
from argparse import ArgumentParser, _SubParsersAction

from msglog.account.role import Role
from msglog.annotation import TYPE_CHECKING
from msglog.config import DATE_STYLES
from plumbing.complete import IDS, LOGS, REMOTES, REVISIONS, SETTINGS, TAGS
from porcelain.commands import COMMANDS, load, summary
from porcelain.parser import CommandParser

if TYPE_CHECKING:
    from argparse import Action, Namespace
    from collections.abc import Iterator
    from typing import Any

    from plumbing.context import Context

_SHELLS = ("bash", "zsh", "fish", "tcsh")
_BY_OPTION = {"--log": LOGS, "--tag": TAGS, "--reply-to": IDS, "--remote": REMOTES, "-C": "folder"}
_BY_METAVAR = {
    "REMOTE": REMOTES,
    "LOG": LOGS,
    "ID": IDS,
    "TAG": TAGS,
    "FILE": "file",
    "DIR": "folder",
}
"""What an argument is completed to, by how the help calls it."""

_NAMES: dict[tuple[str, ...], str] = {
    ("logs", "rename", "old"): LOGS,
    ("logs", "delete", "name"): LOGS,
    **{(command, "log"): REVISIONS for command in ("list", "log", "export", "stats")},
    **{("diff-index", side): REVISIONS for side in ("a", "b")},
    **{("remote", action, "name"): REMOTES for action in ("remove", "rm", "rename", "set-url")},
    **{("remote", action, "name"): REMOTES for action in ("get-url", "show")},
    **{("config", action, "key"): SETTINGS for action in ("get", "set", "unset")},
}
"""The same for arguments that the help calls by names of other things, by command and name."""

_ROLES = tuple(role.value for role in Role)
_CHOICES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("admin", "user", "add", "role"): _ROLES,
    ("admin", "user", "set-role", "role"): _ROLES,
    ("admin", "grant", "role"): _ROLES,
    **{(command, "date"): DATE_STYLES for command in ("list", "log", "search", "show")},
}
"""What arguments are completed to whose values argparse does not check, but what reads them."""

_BASH_CALL = "complete -o bashdefault -F _shtab_msglog msglog"
_BASH_JOINED = """
# Of --log=main, bash makes three words, as long as = is in COMP_WORDBREAKS: here it is two again.
_msglog() {
  local -a words=()
  local place at=$COMP_CWORD
  for ((place = 0; place < ${#COMP_WORDS[@]}; place++)); do
    if [[ $place -gt 0 && ${COMP_WORDS[place]} = "=" && ${COMP_WORDS[place-1]} = --* ]]; then
      [[ $place -le $COMP_CWORD ]] || continue
      if [[ $place -eq $COMP_CWORD ]]; then words+=(""); else ((at--)); fi
    else
      words+=("${COMP_WORDS[place]}")
    fi
  done
  local -a COMP_WORDS=("${words[@]}")
  local COMP_CWORD=$at
  _shtab_msglog "$@"
}

complete -o bashdefault -F _msglog msglog"""

_FISH_VALUE = "string replace -r -- '^--[^=]*=' ''"
"""Leaves of --log=main what msglog is asked for."""

_ZSH_VALUE = re.compile(r'^(  ["{][^\[\n]*)(\[.*\]:)(?!:)', re.MULTILINE)
_ZSH_NAME = re.compile(r"--[\w-]+|-\w\b")


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `completion`."""
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))


def run(arguments: Namespace, context: Context) -> int:
    """Print the script; all parsers are built here and nowhere else."""
    import shtab  # noqa: PLC0415 - only here

    parser = _everything()
    for path, action in _actions(parser, ()):
        offered = _CHOICES.get((*path, action.dest))
        if offered is not None:
            action.choices = offered
        kind = _kind(path, action)
        if kind is not None:
            places = {"file": shtab.FILE, "folder": shtab.DIRECTORY}
            action.complete = places.get(kind) or _names(kind)  # type: ignore[attr-defined]
    script: str = shtab.complete(parser, shell=arguments.shell)
    if arguments.shell == "bash":
        script = script.replace(_BASH_CALL, _BASH_JOINED)
    elif arguments.shell == "zsh":
        script = _ZSH_VALUE.sub(_take_joined, script)
    context.write(script.rstrip("\n") + "\n")
    return 0


def _take_joined(spec: re.Match[str]) -> str:
    """Return what zsh is told of an option so that it knows --log=main as well."""
    if "--run[" in spec.group():
        return spec.group()  # it takes all that follows
    names = _ZSH_NAME.sub(
        lambda name: f"{name[0]}=" if name[0].startswith("--") else f"{name[0]}+", spec[1]
    )
    return f"{names}{spec[2]}"


def _everything() -> CommandParser:
    parser = CommandParser(prog="msglog")
    parser.add_argument("--version", action="store_true")
    commands = parser.add_subparsers(dest="command")
    for name in COMMANDS:
        module = load(name)
        module.configure(commands.add_parser(name, help=summary(name).replace("%", "%%")))
    explained: CommandParser = commands.choices["help"]
    _replace_arguments(explained, parser)
    return parser


def _replace_arguments(explained: CommandParser, parser: ArgumentParser) -> None:
    """Have `help` followed by what there is to be explained, at each depth."""
    for action in list(explained._actions):  # noqa: SLF001 - argparse cannot take one back
        if not action.option_strings:
            explained._remove_action(action)  # noqa: SLF001 - as above
    _add_names(explained, parser)


def _add_names(into: ArgumentParser, parser: ArgumentParser) -> None:
    """Give a parser the names of the commands of another one, without their options."""
    for action in parser._actions:  # noqa: SLF001 - as shtab itself does
        if isinstance(action, _SubParsersAction):
            names = into.add_subparsers(dest="explained", parser_class=_Name)
            helps = {action.choices[one.dest]: one.help for one in action._choices_actions}  # noqa: SLF001 - as above
            for name, below in action.choices.items():
                name_parser = names.add_parser(name, help=helps[below])
                if below is not into:
                    _add_names(name_parser, below)


class _Name(ArgumentParser):
    """A parser of nothing but names."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's
        super().__init__(**{**options, "add_help": False})


def _actions(
    parser: ArgumentParser, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Action]]:
    """Yield all arguments of all commands, each with its command; these lose their descriptions."""
    for action in parser._actions:  # noqa: SLF001 - as shtab itself does
        yield path, action
        if isinstance(action, _SubParsersAction):
            for name, below in action.choices.items():
                below.description = None  # where there is one, shtab shows it in place of the help
                yield from _actions(below, (*path, name))


def _kind(path: tuple[str, ...], action: Action) -> str | None:
    named = _NAMES.get((*path, action.dest))
    if named is not None or action.choices is not None:
        return named
    for option in action.option_strings:
        if option in _BY_OPTION:
            return _BY_OPTION[option]
    return _BY_METAVAR.get(str(action.metavar))


def _names(kind: str) -> dict[str, object]:
    """Return how each shell asks msglog for names when they are wanted."""
    ask = f"msglog complete {kind}"
    function = f"_msglog_{kind}"
    return {
        "bash": function,
        "zsh": function,
        "fish": f"({ask} --describe (commandline -ct | {_FISH_VALUE}) 2>/dev/null)",
        "tcsh": f"`{ask}`",
        "preamble": {
            "bash": f'{function}() {{\n  compgen -W "$({ask} "$1" 2>/dev/null)" -- "$1"\n}}',
            "zsh": (
                f"{function}() {{\n"
                "  local -a found\n"
                f'  found=("${{(@f)$({ask} --describe "$PREFIX" 2>/dev/null)}}")\n'
                '  found=("${(@)found//:/\\\\:}")\n'
                "  found=(\"${(@)found/$'\\t'/:}\")\n"
                f"  _describe -V {kind} found\n"
                "}"
            ),
        },
    }

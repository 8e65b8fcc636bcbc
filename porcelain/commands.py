"""The table of all commands: which module a name stands for, imported when it is called."""

from __future__ import annotations

import sys

from msglog.annotation import TYPE_CHECKING, Protocol, cast
from msglog.dataclass import dataclass
from msglog.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


class Module(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def configure(self, parser: ArgumentParser) -> None:
        """Add the command's options and arguments to its parser."""

    def run(self, arguments: Namespace, context: Context) -> int:
        """Do what was asked and return the exit status; raises MsglogError."""


class UnknownCommandError(UsageError):
    """There is no command of this name."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is listed.

    module: its dotted name. group: one of GROUPS.
    finds_repository: the dispatcher looks for the repository that it works on, which plumbing
        never does by itself.
    """

    module: str
    group: str
    finds_repository: bool = False


START, WORK, SHARE, CARE, PLUMBING = (
    "Start a log",
    "Write and read messages",
    "Share messages",
    "Look after logs and servers",
    "Plumbing, for scripts",
)
GROUPS = (START, WORK, SHARE, CARE, PLUMBING)

COMMANDS = {
    "init": Command("porcelain.init", START),
    "clone": Command("porcelain.clone", START),
    "add": Command("porcelain.add", WORK),
    "list": Command("porcelain.list_log", WORK),
    "log": Command("porcelain.list_log", WORK),
    "show": Command("porcelain.show", WORK),
    "search": Command("porcelain.search", WORK),
    "stats": Command("porcelain.stats", WORK),
    "logs": Command("porcelain.logs", WORK),
    "status": Command("porcelain.status", WORK),
    "remote": Command("porcelain.remote", SHARE),
    "fetch": Command("porcelain.fetch", SHARE),
    "pull": Command("porcelain.pull", SHARE),
    "push": Command("porcelain.push", SHARE),
    "sync": Command("porcelain.sync", SHARE),
    "watch": Command("porcelain.watch", SHARE),
    "config": Command("porcelain.config", CARE),
    "import": Command("porcelain.import_log", CARE),
    "export": Command("porcelain.export", CARE),
    "backup": Command("porcelain.backup", CARE),
    "restore": Command("porcelain.restore", CARE),
    "verify": Command("porcelain.verify", CARE, finds_repository=True),
    "gc": Command("porcelain.gc", CARE),
    "drop": Command("porcelain.drop", CARE),
    "admin": Command("porcelain.admin.command", CARE),
    "completion": Command("porcelain.completion", CARE),
    "help": Command("porcelain.help", CARE),
    "authorized-keys": Command("plumbing.authorized_keys", PLUMBING),
    "authorized-principals": Command("plumbing.authorized_principals", PLUMBING),
    "cat-object": Command("plumbing.cat_object", PLUMBING, finds_repository=True),
    "check-ref-format": Command("plumbing.check_ref_format", PLUMBING),
    "complete": Command("plumbing.complete", PLUMBING, finds_repository=True),
    "diff-index": Command("plumbing.diff_index", PLUMBING, finds_repository=True),
    "fetch-pack": Command("plumbing.fetch_pack", PLUMBING, finds_repository=True),
    "for-each-ref": Command("plumbing.for_each_ref", PLUMBING, finds_repository=True),
    "hash-object": Command("plumbing.hash_object", PLUMBING, finds_repository=True),
    "ls-index": Command("plumbing.ls_index", PLUMBING, finds_repository=True),
    "ls-remote": Command("plumbing.ls_remote", PLUMBING, finds_repository=True),
    "receive-pack": Command("plumbing.receive_pack", PLUMBING),
    "rev-parse": Command("plumbing.rev_parse", PLUMBING, finds_repository=True),
    "send-pack": Command("plumbing.send_pack", PLUMBING, finds_repository=True),
}


def load(name: str) -> Module:
    """Import the module of a command; raises UnknownCommandError with a guess at what was meant."""
    command = COMMANDS.get(name)
    if command is None:
        from porcelain.vocabulary import (  # noqa: PLC0415 - only where something was mistyped
            meant_command,
        )

        raise UnknownCommandError(
            f"{name[:80]!r} is not a msglog command",
            hint=meant_command(name, [*COMMANDS, "--version"], most=3) or "See `msglog help`.",
        )
    __import__(command.module)  # as importlib does it, which need not be imported for this
    return cast("Module", sys.modules[command.module])


def summary(name: str) -> str:
    """Return what a command does in one line: the first of its module's docstring.

    That speaks of a command by its first name; of another one it says what it is another name for.
    """
    first = (load(name).__doc__ or "").partition("\n")[0].strip().rstrip(".")
    if first.startswith("`"):
        documented, _, first = first.partition(": ")
        first = first.replace(f"(also called `{name}`)", f"(also called {documented})")
    return first[:1].lower() + first[1:]


def description(name: str) -> str:
    """Return the summary of a command as a sentence."""
    text = summary(name)
    return f"{text[:1].upper()}{text[1:]}."

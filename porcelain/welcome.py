"""What `msglog` alone shows: how things stand in short and what to type; outside, how to begin."""

from __future__ import annotations

import os
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_time
from msglog.message import Foreign, decode_object
from msglog.refname import tracking_ref
from msglog.view import scope_of
from porcelain.dates import human
from porcelain.discovery import NoRepositoryError, open_repository
from porcelain.display import fit, one_line, plural
from porcelain.places import FOLDER, user_directory
from porcelain.printing import make_printer
from porcelain.rendering import title
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.config import Remote
    from msglog.repository import Log, Repository
    from plumbing.context import Context
    from porcelain.printing import Piece, Printer

_SHOWN = 8
_LEAST_ROOM = 20
_COUNTED = 1000
"""Further messages are not counted, so that it is quick however much there is."""

_BEGIN = (
    ("msglog init", "make a repository in this folder"),
    ("msglog init --user", "or a log of your own, for everywhere else"),
    ("msglog clone user@host", "or get a copy of one that is shared"),
    ("msglog add 'hello'", "then write a message"),
    ("msglog list", "and read what there is"),
)
_GO_ON = (
    ("msglog add", "write a message: TEXT, or in your editor"),
    ("msglog list", "read, newest first: --oneline, --threads"),
    ("msglog show ID", "all about one message"),
)
_SHARE = ("msglog sync", "send and fetch what is new")
_JOIN = ("msglog remote add origin user@host", "name a place to share with")
_STATUS = ("msglog status", "all logs, compared with each remote")


def show_welcome(context: Context) -> int:
    """Print the screen; with `--json`, what `status` prints."""
    if context.json:
        from argparse import Namespace  # noqa: PLC0415 - only with --json

        from porcelain import status  # noqa: PLC0415 - as above

        return status.run(Namespace(), context)
    printer = make_printer(context)
    try:
        repository = open_repository(context)
    except NoRepositoryError as error:
        if context.repository_directory is not None:
            raise
        printer.line(f"{error.what[:1].upper()}{error.what[1:]}.")
        commands = list(_BEGIN)
    else:
        shared = _print_state(printer, context, repository)
        repository.close()
        commands = [*_GO_ON, *((_SHARE, _STATUS) if shared else (_JOIN,))]
    printer.line("")
    _print_commands(printer, context, commands)
    printer.line("")
    _print_text(
        printer, context, "`msglog help` lists all commands, `msglog help COMMAND` explains one."
    )
    return 0


def _print_commands(
    printer: Printer, context: Context, commands: Sequence[tuple[str, str]]
) -> None:
    """Say what to type, and beside it what that does; below it where the lines are too short."""
    width = max(len(command) for command, _ in commands)
    beside = width + 4 + max(len(meaning) for _, meaning in commands) <= context.width
    for command, meaning in commands:
        if beside:
            printer.line("  ", ("name", command), f"{' ' * (width - len(command))}  {meaning}")
            continue
        for line in _lines(command, context, 2):
            printer.line("  ", ("name", line))
        for line in _lines(meaning, context, 6):
            printer.line("      ", line)


def _print_text(printer: Printer, context: Context, text: str, indent: int = 0) -> None:
    for line in _lines(text, context, indent):
        printer.line(" " * indent, line)


def _lines(text: str, context: Context, indent: int) -> list[str]:
    """Return a text in lines that fit; what has no space in it is left whole."""
    room = context.width - indent
    if len(text) <= room:
        return [text]
    from textwrap import wrap  # noqa: PLC0415 - most terminals are wide enough

    return wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _print_state(printer: Printer, context: Context, repository: Repository) -> bool:
    """Say how a repository stands; tell whether it has remotes."""
    own = os.path.join(user_directory(context), FOLDER)
    what = "Your own log," if repository.folder == own else "Repository"
    printer.line(f"{what} {one_line(repository.folder)}")
    logs = repository.logs()
    width = max((len(log.name) for log in logs[:_SHOWN]), default=0)
    for log in logs[:_SHOWN]:
        text = plural(log.count, "message")
        last = _last(context, repository, log)
        room = context.width - width - len(text) - 6
        if last and room >= _LEAST_ROOM:
            text += f", {fit(last, room)}"
        printer.line("  ", ("name", log.name), f"{' ' * (width - len(log.name))}  {text}")
    if len(logs) > _SHOWN:
        more = plural(len(logs) - _SHOWN, "more log")
        _print_text(printer, context, f"and {more}: `msglog logs`", 2)
    remotes = load_settings(context, repository.folder).remotes()
    for name in islice(remotes, _SHOWN):
        state = list(_comparison(repository, logs, remotes[name]))
        said = "".join([piece if isinstance(piece, str) else piece[1] for piece in state])
        if len(name) + len(said) + 4 <= context.width:
            printer.line("  ", ("name", name), ": ", *state)
        else:
            printer.line("  ", ("name", name), ":")
            _print_text(printer, context, said, 4)
    if len(remotes) > _SHOWN:
        more = plural(len(remotes) - _SHOWN, "more remote")
        _print_text(printer, context, f"and {more}: `msglog remote`", 2)
    return bool(remotes)


def _last(context: Context, repository: Repository, log: Log) -> str:
    """Return when the last message of a log was written, by whom, and how it begins."""
    key = next(repository.keys(log.root, reverse=True), None)
    if key is None:
        return ""
    message = decode_object(repository.store.read_messages([key])[key])
    when = f"the last {human(key_time(key), context.now(), context.local_offset)}"
    if isinstance(message, Foreign):
        return when
    return f"{when} by {one_line(message.author)}: {title(message.body)}"


def _comparison(repository: Repository, logs: list[Log], remote: Remote) -> Iterator[Piece]:
    """Yield how the logs compare with what a remote had when it was last seen."""
    refs = {log.name: repository.store.ref(tracking_ref(remote.name, log.name)) for log in logs}
    scope = scope_of(remote)
    known = {name: ref for name, ref in refs.items() if ref is not None or scope.has(name)}
    logs = [log for log in logs if log.name in known]
    if not any(known.values()):
        yield "never seen" if logs else "not shared"
        return
    ahead = behind = 0
    for log in logs:
        ref = known[log.name]
        if ref is None:
            ahead += min(log.count, _COUNTED)
            continue
        ahead += sum(1 for _ in islice(repository.difference(ref.root, log.root), _COUNTED))
        behind += sum(1 for _ in islice(repository.difference(log.root, ref.root), _COUNTED))
    if not ahead and not behind:
        yield ("good", "equal")
    else:
        yield ("attention", f"{_bounded(ahead)} ahead, {_bounded(behind)} behind")
    yield " when it was last seen"


def _bounded(count: int) -> str:
    return f"{_COUNTED} or more" if count >= _COUNTED else str(count)

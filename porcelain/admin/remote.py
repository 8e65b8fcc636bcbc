"""`admin ... --remote`: has a command run on a server account by the server itself."""

from __future__ import annotations

import json
from argparse import ArgumentParser

from msglog.annotation import TYPE_CHECKING
from msglog.errors import RemoteError, UsageError
from msglog.message_json import json_safe
from msglog.wire.events import WORDS_LIMIT, Administer, Concluded, Printed
from plumbing.administration import LINE_BYTES_LIMIT
from plumbing.opening import find_target, open_session
from porcelain.admin.delegated import check_from_afar
from porcelain.admin.key import read_keys
from porcelain.discovery import NoRepositoryError, find_repository
from porcelain.display import one_line
from porcelain.exchange import host_key_asker
from porcelain.printing import note
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from plumbing.context import Context
    from plumbing.session import Session

_STATUSES = frozenset((0, 1, 2, 3, 5, 6, 7, 70))
"""What a command of `admin` can end with: all but what concerns another remote, and signals."""


class UnfitCommandError(UsageError):
    """A command has words that a session does not carry."""


class AnswerError(RemoteError):
    """The server answered with what no command of `admin` prints."""


def run_on_remote(arguments: Namespace, context: Context) -> int:
    """Send the command to the remote, show what it prints there, and return its exit status."""
    name: str = arguments.remote
    arguments.remote = None
    check_from_afar(arguments)
    words = (*_common(context), *_words_to_send(context.words))
    _check_sendable(words)
    lines: tuple[str, ...] = ()
    if hasattr(arguments, "file"):
        lines = tuple(key.line for key in read_keys(arguments.file, context))
    session = _open(name, context)
    try:
        session.send(Administer(words, lines))
        return _show(session, context)
    finally:
        session.close()


def _words_to_send(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words without what is this side's affair: whom they go to, and how to show.

    Those that both sides have to know of may also stand before `admin`; see `_common`.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--remote")
    parser.add_argument("-C", action="append")
    parser.add_argument("--color")
    parser.add_argument("--no-pager", action="store_true")
    parser.add_argument("--progress", action="store_true")
    for names in (("--json",), ("-q", "--quiet"), ("-v", "--verbose")):
        parser.add_argument(*names, action="store_true")
    _, kept = parser.parse_known_args(words)
    return tuple(kept)


def _common(context: Context) -> tuple[str, ...]:
    given = {"--json": context.json, "--quiet": context.quiet, "--verbose": context.verbose}
    return tuple(name for name, is_given in given.items() if is_given)


def _check_sendable(words: Sequence[str]) -> None:
    try:
        longest = max(len(word.encode()) for word in words)
    except UnicodeEncodeError:
        raise UnfitCommandError("this command is not sent", why="a word is not UTF-8") from None
    if len(words) > WORDS_LIMIT or longest > LINE_BYTES_LIMIT:
        raise UnfitCommandError("this command is not sent", why="it is longer than a session takes")


def _open(name: str, context: Context) -> Session:
    try:
        repository = find_repository(context)
    except NoRepositoryError:
        repository = None  # a URL needs none
    config = load_settings(context, repository)
    target = find_target(config, name, context, repository)
    return open_session(target, context, config, ask_host_key=host_key_asker(context))


def _show(session: Session, context: Context) -> int:
    """Print what the server says the command printed; nothing of it acts on the terminal."""
    while isinstance(event := session.expect(Printed, Concluded), Printed):
        if event.noted:
            note(context, one_line(event.text))
        elif context.json:
            context.write(json_safe(_checked(event.text)) + "\n")
        else:
            context.write(one_line(event.text) + "\n")
    if event.status not in _STATUSES:
        raise AnswerError(
            "the peer breaks the msglog protocol", why=f"it reports exit status {event.status}"
        )
    if event.error:
        context.stdout.flush()
        context.stderr.write(f"msglog: error: {one_line(event.error)}\n".encode())
    return event.status


def _checked(line: str) -> str:
    try:
        if isinstance(json.loads(line), dict):
            return line
    except (ValueError, RecursionError):
        pass
    raise AnswerError("the peer breaks the msglog protocol", why="it prints what is not JSON")

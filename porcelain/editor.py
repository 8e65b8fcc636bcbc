"""Writing a message in the user's editor."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import split

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, MsglogError
from msglog.message import BODY_BYTES_LIMIT
from msglog.selection import find_answered
from porcelain.display import one_line, shorten
from porcelain.printing import tell_all
from porcelain.rendering import meta_text
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from msglog.message import Message
    from msglog.repository import Repository
    from plumbing.context import Context

_DEFAULT = "vi"
_QUOTED_LINES = 10
_EXPLANATION = """
# Write the message above or below. Lines that start with '#' are left out;
# an empty message is not added.
#
"""


class EditorError(LocalError):
    """The editor could not be run, or failed."""


class Draft:
    """A message that is being written, in a file of its own.

    keep: the file is not to be removed at the end; where it lies is said then.
    """

    def __init__(
        self, context: Context, repository: Repository, log: str, message: Message
    ) -> None:
        self.keep = False
        self._context = context
        self._command = _editor(context, repository.folder)
        self._template = template(repository, log, message)
        self._path = ""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the file, unless what is written in it would be lost."""
        if not self._path:
            return
        if self.keep:
            kept = f"What you wrote is kept in {self._path}."
            if isinstance(error, MsglogError):
                error.hint = f"{error.hint} {kept}" if error.hint else kept
            else:
                tell_all(self._context, [kept])
            return
        with suppress(OSError):
            Path(self._path).unlink()

    def edit(self) -> str:
        """Return what the user writes in an editor, without comments; raises EditorError."""
        try:
            words = split(self._command)
        except ValueError as error:
            why = str(error).lower()
            raise _cannot_run(self._command, why) from error
        if not words:
            raise _cannot_run(self._command, "it is empty")
        descriptor, self._path = tempfile.mkstemp(prefix="msglog-", suffix=".txt")
        with open(descriptor, "wb") as file:
            file.write(self._template.encode("utf-8", "surrogateescape"))
        try:
            with _interrupts_left_to_the_editor():
                done = subprocess.run(  # noqa: S603 - the user's own choice, without a shell
                    [*words, self._path], env=dict(self._context.environment), check=False
                )
        except OSError as error:
            raise _cannot_run(self._command, error.strerror or "") from error
        try:
            # By name: editors replace the file rather than write into it.
            with open(self._path, "rb") as written:
                data = written.read(BODY_BYTES_LIMIT + 2)
        except OSError as error:
            why = f"the editor left no file to read: {error.strerror}"
            raise EditorError("nothing was added", why=why) from error
        self.keep = data.decode("utf-8", "replace") != self._template
        if done.returncode != 0:
            raise EditorError("nothing was added", why=_how_it_ended(done.returncode))
        try:
            text = without_comments(data.decode())
        except UnicodeDecodeError as error:
            raise EditorError("nothing was added", why="the text is not UTF-8") from error
        self.keep = bool(text)
        return text


def _cannot_run(command: str, why: str) -> EditorError:
    hint = "Set EDITOR, or use -m."
    return EditorError(f"cannot run the editor {command!r}", why=why, hint=hint)


def _how_it_ended(status: int) -> str:
    if status < 0:
        known = -status in set(signal.Signals)
        name = signal.Signals(-status).name if known else f"signal {-status}"
        return f"the editor was ended by {name}"
    return f"the editor ended with status {status}"


@contextmanager
def _interrupts_left_to_the_editor() -> Iterator[None]:
    """Let Ctrl-C, which the terminal sends to all that run on it, end the editor at most.

    A handler that does nothing, where to ignore it would have the editor ignore it as well.
    """
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def template(repository: Repository, log: str, message: Message) -> str:
    """Return what the editor shows at first: as comments, all that is known of a message."""
    known = [("Log", log), ("Author", message.author)]
    if message.tags:
        known.append(("Tags", ", ".join(message.tags)))
    known += [("Meta", f"{name}={meta_text(value)}") for name, value in message.meta.items()]
    answered = None
    if message.reply_to is not None:
        known.append(("Reply", message.reply_to.hex()))
        answered = find_answered(repository, message.reply_to)
    lines = "".join(f"# {f'{word}:':8}{one_line(text)}\n" for word, text in known)
    return f"{_EXPLANATION}{lines}{'' if answered is None else _quoted(answered)}"


def _quoted(answered: Message) -> str:
    """Return the beginning of the message that is answered, as comments."""
    lines = answered.body.split("\n")
    shown = [f"{one_line(answered.author)} wrote:", *map(one_line, lines[:_QUOTED_LINES])]
    if len(lines) > _QUOTED_LINES:
        shown.append("...")
    return "#\n" + "".join(f"#   {shorten(line, 200)}\n" for line in shown)


def without_comments(text: str) -> str:
    """Return text without the lines that start with '#' and without empty lines around it."""
    kept = [line.rstrip() for line in text.splitlines() if not line.startswith("#")]
    return "\n".join(kept).strip("\n")


def _editor(context: Context, repository: str) -> str:
    environment = context.environment
    return (
        environment.get("MSGLOG_EDITOR")
        or load_settings(context, repository).text("core.editor")
        or environment.get("VISUAL")
        or environment.get("EDITOR")
        or _DEFAULT
    )

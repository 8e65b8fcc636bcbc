"""Writing a message in the user's editor."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from shlex import split

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError
from msglog.message import BODY_BYTES_LIMIT
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from plumbing.context import Context

_DEFAULT = "vi"
_TEMPLATE = """
# Write the message for the log {log}. Lines that start with '#' are left out;
# an empty message is not added.
"""


class EditorError(LocalError):
    """The editor could not be run, or failed."""


def edit_message(context: Context, repository: str, log: str) -> str:
    """Return what the user writes in an editor, without the comments; raises EditorError."""
    command = _editor(context, repository)
    try:
        words = split(command)
    except ValueError as error:
        raise EditorError(f"cannot run the editor {command!r}", why=str(error)) from error
    with tempfile.NamedTemporaryFile(prefix="msglog-", suffix=".txt") as file:
        file.write(_TEMPLATE.format(log=log).encode())
        file.flush()
        try:
            done = subprocess.run(  # noqa: S603 - the user's own choice, without a shell
                [*words, file.name], env=dict(context.environment), check=False
            )
        except OSError as error:
            raise EditorError(
                f"cannot run the editor {command!r}",
                why=error.strerror or "",
                hint="Set EDITOR, or use -m.",
            ) from error
        if done.returncode != 0:
            raise EditorError(
                "nothing was added", why=f"the editor ended with status {done.returncode}"
            )
        # By name: editors replace the file rather than write into it.
        data = Path(file.name).read_bytes()[: BODY_BYTES_LIMIT + 2]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise EditorError("nothing was added", why="the text is not UTF-8") from error
    return without_comments(text)


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

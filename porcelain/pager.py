"""The pager: a program that shows long output a screen at a time, chosen as git chooses it."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from shlex import split

from msglog.annotation import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing import BinaryIO

    from plumbing.context import Context

_DEFAULT = "less"
_LESS_OPTIONS = "FRX"
"""Quit if it fits, let colours through, leave the text on the screen: git's choice for less."""

_LV_OPTIONS = "-c"
"""Let colours through: git's choice for lv."""


class Pager:
    """A running pager. stdin: where the output goes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.stdin = cast("BinaryIO", process.stdin)

    def finish(self) -> None:
        """Send what is left and wait until the reader quits; Ctrl-C belongs to the pager."""
        with suppress(BrokenPipeError):  # the reader may have quit
            self.stdin.close()
        while True:
            try:
                self._process.wait()
            except KeyboardInterrupt:
                continue
            return


def start_pager(context: Context, configured: str | None) -> Pager | None:
    """Start `$MSGLOG_PAGER`, the configured one, `$PAGER` or less; None if it is none or fails.

    On a dumb terminal, where less asks before it shows anything, only `$MSGLOG_PAGER` is meant.
    """
    environment = dict(context.environment)
    command = environment.get("MSGLOG_PAGER")
    if command is None and environment.get("TERM") == "dumb":
        return None
    if command is None:
        command = configured or environment.get("PAGER", _DEFAULT)
    try:
        words = split(command)
    except ValueError:
        return None
    if not words or words == ["cat"]:
        return None
    environment.setdefault("LESS", _LESS_OPTIONS)
    environment.setdefault("LV", _LV_OPTIONS)
    if "LESSCHARDEF" not in environment:  # in the C locale it would show bytes of UTF-8 as <E2>
        environment.setdefault("LESSCHARSET", "utf-8")
    context.stdout.flush()
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own choice, without a shell
            words, stdin=subprocess.PIPE, stdout=context.stdout, env=environment
        )
    except OSError:
        return None
    return Pager(process)

"""Checking that msglog starts the way sshd starts it."""

from __future__ import annotations

import os
import subprocess

from msglog.annotation import TYPE_CHECKING
from plumbing.program import ProgramNotFoundError

if TYPE_CHECKING:
    from msglog.account.forced_command import Program

START_SECONDS = 20.0


def why_unstartable(program: Program) -> str:
    """Return why a program does not start the way sshd starts it, or "" if it does.

    In isolated mode Python sees neither the packages below a user's home nor PYTHONPATH: what
    works when it is typed may not work as a forced command.
    """
    words = [program.interpreter, "-I", program.script, "--version"]
    try:
        done = subprocess.run(  # noqa: S603 - the program that is running now
            words,
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program.interpreter} cannot be run: {error}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
    return f"{program.script} does not start in isolated mode: {said[-1] if said else 'no reason'}"


def check_starts(program: Program) -> None:
    """Raise ProgramNotFoundError if a program does not start the way sshd starts it."""
    why = why_unstartable(program)
    if why:
        raise ProgramNotFoundError(
            "a key would open nothing",
            why=why,
            hint="Install msglog into a virtual environment, with pipx or with `uv tool`.",
        )

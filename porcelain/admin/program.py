"""Finding how msglog is started: the real interpreter and the console script."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from msglog.account.forced_command import Program
from msglog.errors import LocalError

_SCRIPT = "msglog"
_SHIMS = "shims"
_KINDS = ("python", "pypy")
START_SECONDS = 20.0


class ProgramNotFoundError(LocalError):
    """It cannot be told how msglog is started."""


def running_program() -> Program:
    """Return how the msglog that is running is started; raises ProgramNotFoundError."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    interpreters = [
        sys.executable,
        f"{sys.prefix}/bin/{version}",
        f"{sys.base_prefix}/bin/{version}",
    ]
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", "posix_user")]
    return find_program(interpreters, folders, sys.argv[0])


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


def find_program(interpreters: Sequence[str], folders: Sequence[str], called: str) -> Program:
    """Return the first interpreter that is a real one, with the console script.

    interpreters: the most likely first; that of a virtual environment must not be resolved to the
    one that it was made from, which does not see its packages. folders: where installers put
    scripts. called: how this process was called, for installations that have it elsewhere.
    """
    interpreter = next(filter(_is_interpreter, interpreters), None)
    if interpreter is None:
        raise ProgramNotFoundError(
            "cannot find the Python interpreter that runs msglog",
            why="a version manager's shim is not one",
            hint="Install msglog into a virtual environment.",
        )
    for script in _scripts(interpreter, folders, called):
        if script.is_absolute() and script.is_file():
            return Program(interpreter, str(script))
    raise ProgramNotFoundError(
        "cannot find the msglog program",
        why=f"there is no {_SCRIPT} beside {interpreter}",
        hint="Install msglog into a virtual environment.",
    )


def _scripts(interpreter: str, folders: Sequence[str], called: str) -> Iterator[Path]:
    yield Path(interpreter).parent / _SCRIPT
    for folder in folders:
        yield Path(folder) / _SCRIPT
    if Path(called).name == _SCRIPT:
        yield Path(called)


def _is_interpreter(name: str) -> bool:
    """Tell whether a path is a Python interpreter itself, not a script that looks for one."""
    path = Path(name)
    if not path.is_absolute() or _SHIMS in path.parts or not os.access(path, os.X_OK):
        return False
    real = path.resolve()
    if not real.name.startswith(_KINDS) or _SHIMS in real.parts or not real.is_file():
        return False
    with real.open("rb") as file:
        return file.read(2) != b"#!"

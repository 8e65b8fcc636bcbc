"""Finding how msglog is started: the real interpreter and the console script."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from msglog.account.forced_command import Program
from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SCRIPT = "msglog"
_SHIMS = "shims"
_KINDS = ("python", "pypy")


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
    return find_program(interpreters, _script_folders(), sys.argv[0])


def find_program(interpreters: Sequence[str], folders: Iterable[str], called: str) -> Program:
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


def _script_folders() -> Iterator[str]:
    """Yield where installers put scripts; only where they are not beside the interpreter."""
    import sysconfig  # noqa: PLC0415 - costs more than the look-up that sshd waits for

    yield sysconfig.get_path("scripts")
    yield sysconfig.get_path("scripts", "posix_user")


def _scripts(interpreter: str, folders: Iterable[str], called: str) -> Iterator[Path]:
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

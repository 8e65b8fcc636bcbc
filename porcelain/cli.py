"""`msglog`: finds the command, gives it its surroundings, and turns errors into exit statuses.

The one place where the environment, the current folder and the terminal are read.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from io import BufferedWriter, BytesIO, RawIOBase

from msglog.annotation import TYPE_CHECKING, cast
from msglog.dataclass import replace
from msglog.errors import LocalError, MsglogError, UsageError, local_error
from plumbing.context import Context
from porcelain.commands import COMMANDS, description, load
from porcelain.entry import INTERRUPTED
from porcelain.places import user_config
from porcelain.words import Namespace, Words, declare_global_options

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from _typeshed import ReadableBuffer

INTERNAL_ERROR = 70
CLOSED_PIPE = 141


class ChosenDirectoryError(UsageError):
    """The folder of `-C` cannot be entered."""


class CurrentFolderError(LocalError):
    """The folder that this process is in is gone, or may not be known."""


class StandardOutputError(OSError):
    """Standard output cannot be written.

    No MsglogError: nobody who goes on after an error of one remote or one file may take it for one.
    """


class _Output(BufferedWriter):
    """Standard output, which says of itself that it cannot be written.

    Not the raw stream does: Ctrl-C between its write and its return would have that written twice.
    """

    def __init__(self, stream: BinaryIO | RawIOBase) -> None:
        super().__init__(cast("RawIOBase", getattr(stream, "raw", stream)))
        self._stream = stream  # which closes the descriptor when it goes

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StandardOutputError(error.errno, error.strerror) from error

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StandardOutputError(error.errno, error.strerror) from error

    def close(self) -> None:
        self.flush()  # the descriptor is not ours alone

    def __del__(self) -> None:
        # What fails was said before; from Python 3.13 on the interpreter would print it again.
        try:
            self.flush()
        except (OSError, ValueError):
            pass


def run() -> int:
    """Run the process's command line: the console script."""
    gc.disable()  # what is imported and made until a command begins is no garbage
    streams = (_stream(sys.stdin, "rb"), _standard_output(sys.stdout), _stream(sys.stderr, "wb"))
    status = main(sys.argv[1:], os.environ, *streams)  # noqa: TID251 - here it enters
    if status == CLOSED_PIPE or not _flushed(streams[1]):
        # What is still buffered goes nowhere; the interpreter must not complain at its exit.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
    # At its exit the interpreter looks through all that is alive for cycles, for 10 ms.
    gc.freeze()
    return status


def _flushed(stream: BinaryIO) -> bool:
    """Tell whether all that was written to a stream is out."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


def _stream(stream: object, mode: str) -> BinaryIO:
    buffer: BinaryIO | None = getattr(stream, "buffer", None)
    if buffer is None:  # the descriptor was closed: nothing of ours may be opened in its place
        return open(os.devnull, mode)  # type: ignore[return-value]
    if mode == "wb" and isinstance(buffer, RawIOBase):  # PYTHONUNBUFFERED: it may write in part
        return cast("BinaryIO", BufferedWriter(buffer))
    return buffer


class _ClosedOutput(RawIOBase):
    """Standard output that was closed before we began: to write to it is an error.

    descriptor: what is open in its place, so that nothing of ours is.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        """Return True: who writes is told when it is too late for other plans."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def write(self, _: object, /) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")


def _standard_output(stream: object) -> BinaryIO:
    if stream is None:
        return cast("BinaryIO", _Output(_ClosedOutput(os.open(os.devnull, os.O_WRONLY))))
    return cast("BinaryIO", _Output(_stream(stream, "wb")))


def main(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdin: BinaryIO,
    stdout: BinaryIO,
    stderr: BinaryIO,
) -> int:
    """Run one command line and return its exit status; nothing is raised, nothing exits."""
    try:
        status = _dispatch(arguments, environment, stdin, stdout, stderr)
        stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the last resort: each becomes a status
        return _explain(error, environment, stdout, stderr)
    return status


def _dispatch(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdin: BinaryIO,
    stdout: BinaryIO,
    stderr: BinaryIO,
) -> int:
    chosen, words = _leading(arguments)
    if getattr(chosen, "version", False):
        from msglog.version import __version__  # noqa: PLC0415 - only asked for here

        stdout.write(f"msglog {__version__}\n".encode())
        return 0
    if not words:
        from porcelain.welcome import show_welcome  # noqa: PLC0415 - only for `msglog` alone

        return show_welcome(make_context(chosen, environment, stdin, stdout, stderr))
    name = words[0]
    module = load(name)
    ordinary = Words()
    declare_global_options(ordinary)
    module.configure(cast("ArgumentParser", ordinary))
    parsed = ordinary.read(words[1:], chosen)
    if parsed is None:
        from porcelain.parser import CommandParser, HelpRequested  # noqa: PLC0415 - 10 ms

        command = CommandParser(prog=f"msglog {name}", description=description(name))
        module.configure(command)
        try:
            parsed = command.parse(words[1:], Namespace(**vars(chosen)))
        except HelpRequested as request:
            from porcelain.help import show_help  # noqa: PLC0415 - only for help

            context = make_context(chosen, environment, stdin, stdout, stderr)
            return show_help(request.parser, context)
    context = make_context(parsed, environment, stdin, stdout, stderr)
    context = replace(context, words=words[1:], administer=_administer)
    if COMMANDS[name].finds_repository:
        context = _with_repository(context)
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return module.run(parsed, context)


def _leading(arguments: Sequence[str]) -> tuple[Namespace, Sequence[str]]:
    """Return the global options in front of the command, and the command with its arguments."""
    end = 0
    while end < len(arguments) and arguments[end].startswith("-"):
        end += 2 if arguments[end] in ("-C", "--color") else 1
    words = Words()
    declare_global_options(words)
    chosen = words.read(arguments[:end], Namespace()) if end < len(arguments) else None
    if chosen is not None:
        return chosen, arguments[end:]
    from porcelain.parser import parse_leading  # noqa: PLC0415 - 10 ms

    return parse_leading(arguments)


def _with_repository(context: Context) -> Context:
    """Tell a plumbing command where its repository is: plumbing finds nothing by itself."""
    from porcelain.discovery import (  # noqa: PLC0415 - never for receive-pack
        NoRepositoryError,
        find_repository,
    )

    try:
        return replace(context, repository_directory=find_repository(context))
    except NoRepositoryError:
        if context.repository_directory is not None:
            raise
        return context  # not all of them need one; those that do say so


def make_context(
    options: Namespace,
    environment: Mapping[str, str],
    stdin: BinaryIO,
    stdout: BinaryIO,
    stderr: BinaryIO,
) -> Context:
    """Return the surroundings of a command in this process; raises ChosenDirectoryError."""
    steps: list[str] = getattr(options, "directory", [])
    directory = _current_folder(steps)
    for step in steps:
        directory = os.path.join(directory, step)
        if not os.path.isdir(directory):
            raise ChosenDirectoryError(f"cannot run in {step}", why=_why_no_folder(directory))
    named = environment.get("MSGLOG_DIR", "")
    repository = os.path.join(directory, named) if named and not steps else None
    if steps or repository is not None:
        from msglog.pathname import tidy  # noqa: PLC0415 - for names that somebody typed

        directory = tidy(directory)
        repository = None if repository is None else tidy(repository)
    home = _home(environment)
    return Context(
        directory=directory,
        directory_chosen=bool(steps),
        home=home,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        json=getattr(options, "json", False),
        quiet=getattr(options, "quiet", False),
        verbose=getattr(options, "verbose", False),
        color=_color(getattr(options, "color", None), environment),
        pager=getattr(options, "pager", True),
        progress=getattr(options, "progress", False),
        repository_directory=repository,
        author=environment.get("MSGLOG_AUTHOR") or None,
        ssh_command=environment.get("MSGLOG_SSH_COMMAND") or None,
        login=_login(environment),
        agent_socket=environment.get("SSH_AUTH_SOCK", ""),
        user_config=user_config(environment, home),
        ssh_original_command=environment.get("SSH_ORIGINAL_COMMAND", ""),
        ssh_connection=environment.get("SSH_CONNECTION", ""),
        environment=environment,
        stdin_terminal=_is_terminal(stdin),
        stdout_terminal=_is_terminal(stdout),
        stderr_terminal=_is_terminal(stderr),
        width=_width(stdout, environment),
    )


def _current_folder(steps: Sequence[str]) -> str:
    """Return the folder that this process is in, or "/" where that does not matter."""
    try:
        return os.getcwd()
    except OSError as error:
        if steps and os.path.isabs(steps[0]):
            return "/"
        raise CurrentFolderError(
            "cannot run in the current folder",
            why="it was removed" if isinstance(error, FileNotFoundError) else error.strerror or "",
            hint="Change to another one with cd.",
        ) from error


def _why_no_folder(path: str) -> str:
    try:
        os.stat(path)
    except FileNotFoundError:
        return "there is no such folder"
    except OSError as error:
        return error.strerror or ""
    return "it is not a folder"


def _home(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME", "")
    if home.startswith("/"):
        return home
    import pwd  # noqa: PLC0415 - only without $HOME

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


def _login(environment: Mapping[str, str]) -> str:
    import pwd  # noqa: PLC0415 - part of the interpreter, but for this alone

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return environment.get("LOGNAME") or environment.get("USER") or f"uid{os.getuid()}"


def _color(option: str | None, environment: Mapping[str, str]) -> str:
    """Return when to colour: the option, else NO_COLOR, else CLICOLOR_FORCE, else on a terminal."""
    if option is not None:
        return option
    if environment.get("NO_COLOR"):
        return "never"
    if environment.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return "always"
    return "never" if environment.get("TERM") == "dumb" else "auto"


def _is_terminal(stream: BinaryIO) -> bool:
    return not isinstance(stream, BytesIO) and stream.isatty()


def _width(stdout: BinaryIO, environment: Mapping[str, str]) -> int:
    columns = environment.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and 0 < len(columns) < 5:
        return max(int(columns), 20)
    if not _is_terminal(stdout):
        return 80
    try:
        return max(os.get_terminal_size(stdout.fileno()).columns, 20)
    except OSError:
        return 80


def _administer(words: Sequence[str], account: Path, context: Context) -> tuple[int, str]:
    """Run a command of `admin` that came over a session; return its status and its error."""
    from porcelain.admin.delegated import run_delegated  # noqa: PLC0415 - only for administrators

    try:
        return run_delegated(words, account, context), ""
    except Exception as error:  # noqa: BLE001 - the last resort, as in `main`
        return _verdict(error)


def _explain(
    error: BaseException, environment: Mapping[str, str], stdout: BinaryIO, stderr: BinaryIO
) -> int:
    """Say on one line what went wrong, and return the exit status for it."""
    if isinstance(error, BrokenPipeError):
        return CLOSED_PIPE
    status, text = _verdict(error)
    if status == INTERRUPTED:
        from porcelain.stalled_output import let_go  # noqa: PLC0415 - only for Ctrl-C

        let_go(stdout)
    try:
        stdout.flush()
    except (OSError, ValueError):
        pass  # the error is more important than what was not written
    try:
        if environment.get("MSGLOG_DEBUG", "0") not in ("", "0"):
            import traceback  # noqa: PLC0415 - only for debugging

            stderr.write("".join(traceback.format_exception(error)).encode("utf-8", "replace"))
        if text:
            from porcelain.display import one_line  # noqa: PLC0415 - only for errors

            stderr.write(f"msglog: error: {one_line(text)}\n".encode())
        stderr.flush()
    except (OSError, ValueError):
        pass  # nobody can be told
    return status


def _verdict(error: BaseException) -> tuple[int, str]:
    if isinstance(error, MsglogError):
        return error.exit_status, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, ""
    if isinstance(error, StandardOutputError):
        return LocalError.exit_status, f"standard output cannot be written ({error.strerror})."
    if isinstance(error, OSError) and error.strerror:
        return LocalError.exit_status, str(local_error(error))
    if isinstance(error, MemoryError):
        return LocalError.exit_status, "out of memory."
    what = f"this is a bug in msglog ({type(error).__name__}: {str(error)[:200]})."
    return INTERNAL_ERROR, f"{what} Set MSGLOG_DEBUG=1 to see where."

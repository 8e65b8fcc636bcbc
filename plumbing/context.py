"""What a command gets from the outside: streams, folder, clock and settings, all as arguments."""

from __future__ import annotations

import os
import time

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.key import SECOND

if TYPE_CHECKING:  # they import this module, and most commands need neither
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

    from plumbing.administration import Delegation, Runner


def current_time() -> int:
    """Return the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def local_offset(moment: int) -> int:
    """Return how many minutes east of UTC local clocks are at a time; 0 where no one can tell."""
    try:
        return time.localtime(moment // SECOND).tm_gmtoff // 60
    except (OverflowError, OSError, ValueError):
        return 0


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one command, made by `porcelain.cli` from the process.

    Commands take everything from here; no module below porcelain looks at the environment, the
    current folder or the terminal by itself.

    Paths are text: the quickest commands do without pathlib.

    directory: where the command runs (`-C`, else the current folder); absolute.
    directory_chosen: `-C` was given, so that no repository outside of it is meant.
    home: the user's home folder.
    stdin, stdout, stderr: binary streams; *_terminal: whether each is a terminal.
    json: `--json` was given. quiet, verbose: `-q`, `-v`.
    color: "auto", "always" or "never". pager: false with `--no-pager`.
    width: the columns of the terminal.
    repository_directory: `$MSGLOG_DIR`, unless `-C` was given.
    author: `$MSGLOG_AUTHOR`. ssh_command: `$MSGLOG_SSH_COMMAND`.
    login: the name of the account that runs the command. agent_socket: `$SSH_AUTH_SOCK`, or "".
    user_config: where the user's own configuration file is, or would be.
    words: the command's own arguments, as they were given.
    administer: runs a command of `admin` for somebody else. delegation: for whom this command runs,
        if it came over a session.
    environment: the process's environment, read only in porcelain; plumbing takes named fields.
    now: the clock, in microseconds since 1970 UTC. local_offset: minutes east of UTC at a time.
    monotonic: seconds that never go back. sleep: waits for so many seconds.
    random: gives as many random bytes as it is asked for.
    """

    directory: str
    home: str
    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    pager: bool = True
    progress: bool = False
    directory_chosen: bool = False
    repository_directory: str | None = None
    author: str | None = None
    ssh_command: str | None = None
    login: str = ""
    agent_socket: str = ""
    user_config: str | None = None
    ssh_original_command: str = ""
    ssh_connection: str = ""
    words: Sequence[str] = ()
    administer: Runner | None = None
    delegation: Delegation | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin_terminal: bool = False
    stdout_terminal: bool = False
    stderr_terminal: bool = False
    width: int = 80
    now: Callable[[], int] = current_time
    local_offset: Callable[[int], int] = local_offset
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[int], bytes] = os.urandom

    def write(self, text: str) -> None:
        """Write text to standard output as UTF-8; lone surrogates of file names survive."""
        self.stdout.write(text.encode("utf-8", "surrogateescape"))

"""Processes whose starter ended before them: sshd does not wait for a command whose client has gone.

On Linux a process can ask to be given those among its descendants; otherwise nobody could tell what CPU
time they took, nor end them.
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TASKS = Path("/proc/self/task")
SECONDS = 20.0
"""How long an orphan may take to end by itself, before it is killed."""

STEP = 0.02


class Orphans:
    """The descendants that became ours. known: our children that are none, by process id."""

    def __init__(self, known: frozenset[int]) -> None:
        self._known = known

    def collect(self, seconds: float = SECONDS) -> tuple[float, int]:
        """Wait until all have ended; return their CPU seconds and how many had to be killed."""
        deadline = time.monotonic() + seconds
        spent, killed = 0.0, 0
        while left := children() - self._known:
            if late := time.monotonic() > deadline:
                killed += len(left)
            for pid in left:
                if late:
                    os.kill(pid, signal.SIGKILL)
                ended, _, usage = os.wait4(pid, 0 if late else os.WNOHANG)
                if ended:
                    spent += usage.ru_utime + usage.ru_stime
            time.sleep(STEP)
        return spent, killed


@contextmanager
def adopting() -> Iterator[Orphans]:
    """Adopt what is orphaned below us until the block ends; only then may children be started."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    orphans = Orphans(frozenset(children()))
    try:
        yield orphans
    finally:
        orphans.collect(0.0)
        library.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def children() -> set[int]:
    """Return the processes that are our children, ended or not."""
    found: set[int] = set()
    for task in TASKS.iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return found

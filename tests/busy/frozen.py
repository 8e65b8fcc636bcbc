"""A process that is stopped while it holds what others need: they say so in time, and go on afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

HOLDER = """\
import sys, signal, time
from msglog.account.database import Database
from msglog.repository import Repository
what, place = sys.argv[1:]
if what == "store":
    held = Repository.open(place).store._link.transaction()
elif what == "account":
    held = Database.open(place).transaction()
else:
    from pathlib import Path
    from msglog.folder import Locked
    held = Locked(place)
with held:
    print("held", flush=True)
    signal.pause()
"""

IMPATIENT = """\
import sys
from msglog import folder, sqlite_file
sqlite_file.BUSY_SECONDS = folder.LOCK_SECONDS = float(sys.argv.pop(1))
from porcelain.cli import run
sys.exit(run())
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and after how long."""

    status: int
    said: str
    seconds: float


def msglog(folder: Path, *words: str, patience: float | None = None) -> Ended:
    """Run the program to its end. patience: seconds in the place of those that are documented."""
    started = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]
    if patience is not None:
        started = [sys.executable, "-c", IMPATIENT, str(patience)]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    begun = time.monotonic()
    done = subprocess.run(
        [*started, *words], cwd=folder, env=environment, capture_output=True, check=False
    )
    seconds = time.monotonic() - begun
    return Ended(done.returncode, done.stderr.decode(), seconds)


@contextmanager
def holding(what: str, place: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Have a process hold a write lock and be stopped, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, what, str(place)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.communicate()

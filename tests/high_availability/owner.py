"""Processes of PostgreSQL, Patroni and etcd: as a user without rights, stopped by ids that were started here.

As in tests.postgres.server: PostgreSQL refuses to run as root; who is not root runs all of it as themselves.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.postgres.server import OWNER, binary

END_SECONDS = 20.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ClusterError(Exception):
    """Something of a cluster does not start, or is not as it should be in time."""


def owner() -> str:
    """Return the name of the UNIX user that all of it runs as."""
    return OWNER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def programs() -> Path:
    """Return the folder with PostgreSQL's own programs, of one version."""
    return Path(binary("initdb")).parent


def environment() -> dict[str, str]:
    """Return all that such a process gets to see; nothing of who runs the tests."""
    return {"PATH": f"{programs()}:{_PATH}", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new folder that the owner may enter and keep things in, until the block ends.

    Not below pytest's own, which nobody else may enter; short, for the path of a socket.
    """
    made = Path(tempfile.mkdtemp(prefix="msglog-"))
    give(made)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def give(path: Path) -> None:
    """Make the owner of processes the owner of a file or folder, too."""
    if os.geteuid() == 0:
        entry = pwd.getpwnam(OWNER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def start(
    words: Sequence[str], log: Path, *, more: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a process in a group of its own, whose output is added to a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            words,
            cwd="/",
            env={**environment(), **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=OWNER if os.geteuid() == 0 else None,
            group=pwd.getpwnam(OWNER).pw_gid if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )


def run(words: Sequence[str], *, more: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run a command to its end as the owner and return its output; raises ClusterError."""
    done = subprocess.run(
        words,
        cwd="/",
        env={**environment(), **(more or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        user=OWNER if os.geteuid() == 0 else None,
        group=pwd.getpwnam(OWNER).pw_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    if done.returncode:
        raise ClusterError(f"{words[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def send(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process that was started here, by force where it takes too long."""
    if process.poll() is None:
        send([process.pid], signal.SIGCONT)
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, ancestors first."""
    found = [pid]
    for known in found:
        for thread in _entries(Path(f"/proc/{known}/task")):
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _entries(folder_: Path) -> list[Path]:
    try:
        return list(folder_.iterdir())
    except OSError:
        return []


def is_running(pid: int) -> bool:
    """Tell whether there is such a process that has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def free_ports(count: int) -> list[int]:
    """Return ports on loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
        return ports


def wait_for(what: str, condition: Callable[[], bool], seconds: float) -> float:
    """Ask again until a condition holds and return how long that took; raises ClusterError."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise ClusterError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - begun

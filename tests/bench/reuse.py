"""Commands over a connection of ssh that is open already (ControlMaster), as scripts have it."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.command import CommandError
from tests.bench.site import REUSED

OPEN_SECONDS = 30


@contextlib.contextmanager
def open_master(config: Path) -> Iterator[None]:
    """Have ssh keep a connection open for the link until the block ends. config: the user's ssh_config."""
    words = ["ssh", "-F", str(config), "-o", f"ConnectTimeout={OPEN_SECONDS}"]
    _run([*words, "-fN", REUSED])
    try:
        _run([*words, "-O", "check", REUSED])
        yield
    finally:
        _run([*words, "-O", "exit", REUSED])


def _run(words: list[str]) -> None:
    # -f leaves a process behind that keeps what it is given: no pipe, or we should wait for it.
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{' '.join(words)}: exit status {done.returncode}")

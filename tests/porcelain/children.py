"""Which processes a test has forked and left: others, such as a server, may be its children too."""

import os
from pathlib import Path


def forked() -> set[int]:
    """Return the children of this process that run the same program, or have ended unnoticed."""
    own = Path("/proc/self/cmdline").read_bytes()
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and (
                state == "Z" or (folder / "cmdline").read_bytes() == own
            ):
                found.add(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found

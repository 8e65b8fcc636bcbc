"""What every compared program must be able to do, so that rows are measured alike."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from tests.bench.command import Commands
from tests.bench.corpus import Entry
from tests.bench.site import Site


class Peer(Protocol):
    """One program with a client that holds a history, and servers at named places.

    What returns Commands is measured: an empty sequence means that the program has no such thing. All
    else is preparation outside the timing. One object per size of history, in a folder of its own.
    """

    name: ClassVar[str]
    packages: ClassVar[Mapping[str, str]]
    """The programs it takes, each with the Debian package that has it."""

    durability: ClassVar[str]
    """What is on the disk when add and push have returned."""

    def __init__(self, site: Site, folder: Path) -> None: ...

    def fill(self, entries: Iterable[Entry]) -> None:
        """Make the client's history, as it is after its own tidying."""

    def make_server(self, place: str) -> None:
        """Make an empty server."""

    def push_all(self, link: str, place: str) -> Commands:
        """Push the whole history to an empty server."""

    def connect(self, place: str) -> None:
        """Have `push` and `pull` mean this server, which holds the history."""

    def clone(self, link: str, place: str, into: Path) -> Commands: ...

    def add(self, body: str) -> Commands: ...

    def push(self, link: str) -> Commands: ...

    def pull(self, link: str) -> Commands: ...

    def newest(self, count: int) -> Commands: ...

    def list_all(self) -> Commands: ...

    def server_bytes(self, place: str) -> int:
        """Tidy the server and return what it occupies on the disk."""


def missing(peer: type[Peer]) -> list[str]:
    """Return the Debian packages whose programs are not there."""
    return sorted(
        {package for program, package in peer.packages.items() if not shutil.which(program)}
    )


def base_environment(home: Path) -> dict[str, str]:
    """Return the environment of a client: nothing of whoever runs the benchmark but PATH."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "USER": "ann"}


def occupied(path: Path) -> int:
    """Return the bytes of disk blocks below a folder, or of a file."""
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(item.lstat().st_blocks * 512 for item in paths)

"""The peak memory of a measured command, and of the server's program behind the link that watches it."""

import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.command import Command, Commands, timed
from tests.bench.site import Site

PEAK_SECONDS = 10.0
"""A server's program may end so much later than the client's."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes of resident memory; server: None where no program of a server told. seconds: as timed."""

    client: float
    server: float | None
    seconds: float


def watch(site: Site, commands: Commands, *, served: bool) -> Peak:
    """Run commands and return what they took; served: they go over the link that watches the server."""
    client = site.folder / "client-peak"
    watched = [
        Command((*site.watch(client), *one.words), one.folder, one.environment, one.failure)
        for one in commands
    ]
    site.peak_file.unlink(missing_ok=True)
    seconds = timed(watched)
    server = _awaited(site.peak_file) if served else None
    return Peak(float(client.read_text()), server, seconds)


def _awaited(path: Path) -> float | None:
    """Return the figure in a file that may be about to be written; None if it never is."""
    deadline = time.monotonic() + PEAK_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return float(text)
        time.sleep(0.05)
    return None

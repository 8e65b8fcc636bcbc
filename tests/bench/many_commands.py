"""What one authenticated connection is worth: `python -m tests.bench.many_commands [TURNS]`.

msglog and git, each with a connection of its own for every command, and over an open master of
OpenSSH; and the rounds of `msglog sync --every` in one session. In turn, A B A B, same sshd.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from msglog.dataclass import replace
from plumbing.context import Context
from porcelain.exchange import exchange
from porcelain.rounds import Rounds
from porcelain.schedule import Schedule
from porcelain.sync import configure
from tests.bench.command import Commands, run, timed
from tests.bench.corpus import entries, machine_vocabulary
from tests.bench.git import Git
from tests.bench.msglog import Msglog, compile_all
from tests.bench.peer import Peer
from tests.bench.site import DEFAULT, Site, running_site

TURNS = 15
SIZE = 1000
PLACE = "place1"


class Enough(BaseException):
    """As many rounds as were wanted."""


@dataclass(frozen=True, slots=True)
class Way:
    """One program over one kind of connection. environment: what makes it that kind."""

    name: str
    peer: Peer
    environment: dict[str, str]

    def adapt(self, commands: Commands) -> Commands:
        return [
            replace(command, environment={**command.environment, **self.environment})
            for command in commands
        ]

    def pull(self) -> float:
        return timed(self.adapt(self.peer.pull(DEFAULT)))

    def push(self, number: int) -> float:
        run_all(self.peer.add(f"message {number} of {self.name}"))
        return timed(self.adapt(self.peer.push(DEFAULT)))


def run_all(commands: Commands) -> None:
    for command in commands:
        run(command)


def master_config(home: Path, folder: Path) -> Path:
    """Write a ssh_config that keeps a master, beside the one that does not."""
    sockets = folder / "s"
    sockets.mkdir(mode=0o700)
    path = home / ".ssh" / "with-master"
    text = (home / ".ssh" / "config").read_text()
    lines = f"    ControlMaster auto\n    ControlPath {sockets}/%C\n    ControlPersist 60\n"
    path.write_text(
        "\n".join(
            line + ("\n" + lines.rstrip("\n") if line.startswith("Host ") else "")
            for line in text.splitlines()
        )
        + "\n"
    )
    return path


def ways(site: Site, folder: Path) -> Iterator[Way]:
    for kind, variable in ((Msglog, "MSGLOG_SSH_COMMAND"), (Git, "GIT_SSH_COMMAND")):
        peer: Peer = kind(site, folder / str(SIZE) / kind.name)
        peer.fill(entries(machine_vocabulary(), SIZE, 1))
        peer.make_server(PLACE)
        run_all(peer.push_all(DEFAULT, PLACE))
        peer.connect(PLACE)
        (command,) = peer.pull(DEFAULT)
        home = Path(command.environment["HOME"])
        plain = f"ssh -F {home / '.ssh' / 'config'}"
        shared = f"ssh -F {master_config(home, folder / kind.name[0])}"
        if kind is Msglog:
            yield Way("msglog, paramiko", peer, {})
        yield Way(f"{kind.name}, ssh", peer, {variable: plain})
        yield Way(f"{kind.name}, ssh with an open master", peer, {variable: shared})


def rounds(peer: Peer, turns: int, *, adding: bool) -> list[float]:
    """Time the rounds of one `sync --every`; in each one message is pushed, if adding."""
    (command,) = peer.pull(DEFAULT)
    took: list[float] = []
    begun = [0.0]

    def sleep(_: float) -> None:
        took.append(time.perf_counter() - begun[0])
        if len(took) > turns:
            raise Enough
        if adding:
            run_all(peer.add(f"round {len(took)}"))
        begun[0] = time.perf_counter()

    context = Context(
        directory=str(command.folder),
        home=str(Path(command.environment["HOME"])),
        stdin=BytesIO(),
        stdout=BytesIO(),
        stderr=BytesIO(),
        login="ann",
        sleep=sleep,
    )
    parser = ArgumentParser()
    configure(parser)
    arguments = parser.parse_args([DEFAULT])
    try:
        with exchange(arguments, context) as one:
            Rounds(one, [], Schedule(60.0)).run()
    except Enough:
        pass
    return took[1:]  # the first one connected


def show(name: str, figures: list[float]) -> None:
    middle, least = statistics.median(figures) * 1000, min(figures) * 1000
    print(f"{name:48} {middle:7.1f} ms   (least {least:.1f})", flush=True)


def measure(turns: int) -> None:
    compile_all()
    with tempfile.TemporaryDirectory() as name, running_site(Path(name) / "site") as site:
        folder = Path(name)
        for kind in (Msglog, Git):
            (folder / kind.name[0]).mkdir()
        all_ways = list(ways(site, folder))
        pulls: dict[str, list[float]] = {way.name: [] for way in all_ways}
        pushes: dict[str, list[float]] = {way.name: [] for way in all_ways}
        for turn in range(-1, turns):  # the first one opens the masters, and is not counted
            for way in all_ways:
                pulled, pushed = way.pull(), way.push(turn)
                if turn >= 0:
                    pulls[way.name].append(pulled)
                    pushes[way.name].append(pushed)
        for title, figures in (("no-op pull", pulls), ("push of 1", pushes)):
            for way_name, times in figures.items():
                show(f"{title}: {way_name}", times)
        ours = all_ways[0].peer
        show("a round of sync --every: nothing moves", rounds(ours, turns, adding=False))
        show("a round of sync --every: one message", rounds(ours, turns, adding=True))
        for way in all_ways:
            close_master(way)


def close_master(way: Way) -> None:
    for command in way.environment.values():
        words = [*command.split(), "-O", "exit", DEFAULT]
        subprocess.run(words, check=False, capture_output=True)


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS)

"""Three members of etcd on loopback, which can be killed and started again.

Their settings are those of docs/deploy/postgresql/etcd, with other addresses, ports and folders.
"""

import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.high_availability.owner import (
    ClusterError,
    end,
    free_ports,
    give,
    run,
    send,
    start,
    wait_for,
)

MEMBERS = 3
RECIPE = Path(__file__).parents[2] / "docs" / "deploy" / "postgresql" / "etcd"
START_SECONDS = 60.0


@dataclass
class Etcd:
    """The members, numbered from 0. folder: where their data is, and what they say."""

    folder: Path
    ports: list[tuple[int, int]] = field(init=False)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        ports = free_ports(2 * MEMBERS)
        self.ports = list(zip(ports[:MEMBERS], ports[MEMBERS:], strict=True))

    def open(self) -> None:
        """Start all members, and wait until they have a leader."""
        self.processes = [self._start(number) for number in range(MEMBERS)]
        wait_for("etcd has no leader", self.healthy, START_SECONDS)

    @property
    def hosts(self) -> list[str]:
        """Where clients find the members."""
        return [f"{_address(number)}:{client}" for number, (client, _) in enumerate(self.ports)]

    def healthy(self) -> bool:
        """Tell whether something can be written."""
        words = [
            "etcdctl",
            f"--endpoints={','.join(self.hosts)}",
            "endpoint",
            "health",
            "--cluster",
        ]
        try:
            run(words, more={"ETCDCTL_API": "3"})
        except ClusterError:
            return False
        return True

    def members(self, number: int) -> list[str]:
        """Return a line for each member that one of them knows."""
        words = ["etcdctl", f"--endpoints=http://{self.hosts[number]}", "member", "list"]
        return run(words, more={"ETCDCTL_API": "3"}).splitlines()

    def kill(self, number: int) -> None:
        """Have a member die at once."""
        send([self.processes[number].pid], signal.SIGKILL)
        self.processes[number].wait()

    def rejoin(self, number: int) -> None:
        """Start a member again on what it had."""
        if self.processes[number].poll() is not None:
            self.processes[number] = self._start(number)

    def close(self) -> None:
        """Stop all members."""
        for process in self.processes:
            end(process)

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        data = self.data(number)
        data.mkdir(mode=0o700, exist_ok=True)
        give(data)
        words = ["etcd", "--heartbeat-interval=200", "--election-timeout=2000", "--logger=zap"]
        log = self.folder / f"etcd{number}.log"
        return start(words, log, more=self._settings(number))

    def data(self, number: int) -> Path:
        """Return the folder of a member."""
        return self.folder / f"etcd{number}"

    def _settings(self, number: int) -> dict[str, str]:
        """Return what the recipe's file says on one host, as systemd would give it to etcd."""
        text = RECIPE.read_text()
        text = text.replace("/var/lib/etcd/default", str(self.data(number)))
        lines = [line for line in text.splitlines() if line.startswith("ETCD_")]
        told = dict(line.split("=", 1) for line in lines)
        own = {name: _here(value, number) for name, value in told.items()}
        own["ETCD_NAME"] = f"db{1 + number}"
        for one, (client, peer) in enumerate(self.ports):
            for usual, port in ((2379, client), (2380, peer)):
                there = f"{_address(one)}:{usual}", f"{_address(one)}:{port}"
                own = {name: value.replace(*there) for name, value in own.items()}
        return own


def _address(number: int) -> str:
    return f"127.0.0.{2 + number}"


def _here(value: str, number: int) -> str:
    """Return a value of the recipe's for another host, with our addresses for those of the page."""
    if "," not in value:  # of its own address, not of all
        value = value.replace("192.0.2.11", f"192.0.2.{11 + number}")
    for one in range(MEMBERS):
        value = value.replace(f"192.0.2.{11 + one}", _address(one))
    return value

"""Three members of etcd on loopback, which can be killed and started again."""

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
START_SECONDS = 60.0


@dataclass
class Etcd:
    """The members, numbered from 0. folder: where their data is, and what they say."""

    folder: Path
    ports: list[tuple[int, int]] = field(default_factory=list)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def open(self) -> None:
        """Start all members, and wait until they have a leader."""
        ports = free_ports(2 * MEMBERS)
        self.ports = list(zip(ports[:MEMBERS], ports[MEMBERS:], strict=True))
        self.processes = [self._start(number) for number in range(MEMBERS)]
        wait_for("etcd has no leader", self.healthy, START_SECONDS)

    @property
    def hosts(self) -> list[str]:
        """Where clients find the members."""
        return [f"127.0.0.1:{client}" for client, _ in self.ports]

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
        name = f"etcd{number}"
        data = self.folder / name
        data.mkdir(mode=0o700, exist_ok=True)
        give(data)
        client, peer = self.ports[number]
        cluster = ",".join(
            f"etcd{one}=http://127.0.0.1:{port}" for one, (_, port) in enumerate(self.ports)
        )
        words = [
            "etcd",
            f"--name={name}",
            f"--data-dir={data}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster={cluster}",
            "--initial-cluster-token=msglog",
            "--heartbeat-interval=200",
            "--election-timeout=2000",
            "--enable-v2",
            "--logger=zap",
        ]
        return start(words, self.folder / f"{name}.log")

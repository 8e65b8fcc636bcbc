"""One node: PostgreSQL under Patroni, which can be killed, frozen and started again."""

import contextlib
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.high_availability.owner import (
    ClusterError,
    end,
    family,
    give,
    is_running,
    send,
    start,
    wait_for,
)

END_SECONDS = 30.0
ASK_SECONDS = 2.0


@dataclass
class Node:
    """name: as the others and PostgreSQL know it. address, port, api: where PostgreSQL and Patroni listen.

    config: what Patroni's file says.
    """

    name: str
    folder: Path
    address: str
    port: int
    api: int
    config: Mapping[str, Any] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    _frozen: list[int] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / self.name / "data"

    @property
    def socket(self) -> Path:
        """The folder of PostgreSQL's socket."""
        return self.folder / self.name

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL; on what there is, or as a new node."""
        place = self.folder / self.name
        place.mkdir(mode=0o700, exist_ok=True)
        give(place)
        config = place / "patroni.yml"
        config.write_text(json.dumps(self.config))  # JSON is YAML, too
        give(config)
        self.process = start(["/usr/bin/patroni", str(config)], self.log)

    def check(self) -> None:
        """Raise ClusterError if Patroni was started and has ended: nobody need wait for it."""
        if self.process is not None and self.process.poll() is not None:
            said = self.log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise ClusterError(f"Patroni of {self.name} has ended: {said}")

    def pids(self) -> list[int]:
        """Return the processes: Patroni, then the postmaster, then all its children."""
        found = family(self.process.pid) if self.process and self.process.poll() is None else []
        postmaster = self.postmaster()
        if postmaster is not None:
            found += [pid for pid in family(postmaster) if pid not in found]
        return found

    def postmaster(self) -> int | None:
        """Return PostgreSQL's first process, if it runs."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        # The file outlasts a killed process, whose number may be somebody else's by now.
        with contextlib.suppress(OSError):
            if is_running(pid) and Path(f"/proc/{pid}/cwd").resolve() == self.data.resolve():
                return pid
        return None

    def kill(self) -> None:
        """Have the whole node die at once, as when its power fails."""
        self._kill(self.pids())

    def kill_postgresql(self) -> None:
        """Have PostgreSQL alone die at once; Patroni is there to see it."""
        postmaster = self.postmaster()
        self._kill(family(postmaster) if postmaster is not None else [])

    def _kill(self, pids: Sequence[int]) -> None:
        send(pids, signal.SIGKILL)
        self._frozen.clear()
        if self.process is not None and self.process.pid in pids:
            self.process.wait()
        wait_for(
            f"{self.name} is still there",
            lambda: not any(is_running(pid) for pid in pids),
            END_SECONDS,
        )

    def freeze(self) -> None:
        """Stop the whole node in its tracks; it knows nothing of it, nor that time goes by."""
        # Twice: a process may have started another one before it was stopped.
        for _ in range(2):
            self._frozen = self.pids()
            send(self._frozen, signal.SIGSTOP)

    def thaw(self) -> None:
        """Have a frozen node go on where it was."""
        # Clients' sessions first: what these can do before the node knows better, they do.
        send(list(reversed(self._frozen)), signal.SIGCONT)
        self._frozen.clear()

    @property
    def is_frozen(self) -> bool:
        return bool(self._frozen)

    def rejoin(self) -> None:
        """Bring the node back, whatever was done to it."""
        if self._frozen:
            self.thaw()
        if self.process is None or self.process.poll() is not None:
            self.start()

    def status(self, what: str = "patroni") -> dict[str, Any]:
        """Return what Patroni says of the node, or of the `cluster`; nothing if it does not answer."""
        found: dict[str, Any] = {}
        try:
            with urllib.request.urlopen(
                f"http://{self.address}:{self.api}/{what}", timeout=ASK_SECONDS
            ) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                found = json.load(error)
        except (OSError, ValueError):
            pass
        return found

    def close(self) -> None:
        """Stop the node for good."""
        if self._frozen:
            self.thaw()
        if self.process is not None:
            end(self.process)  # Patroni stops PostgreSQL with it
        self.kill()

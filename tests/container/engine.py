"""podman or docker, whichever is there, and the image that it builds from the Dockerfile."""

import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.loopback import free_port

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/msglog-under-test"
BASE = "docker.io/library/debian:bookworm-slim"
SECONDS = 120.0
READY_SECONDS = 30.0
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Named, because where containers are nested the usual ones may not be raised."""


class EngineError(Exception):
    """There is no engine, or it failed; its text says how."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Engine:
    """A command line that is docker's; flags: what comes between the program and the command."""

    program: str
    flags: tuple[str, ...] = ()

    @property
    def is_podman(self) -> bool:
        return self.program == "podman"

    def call(self, *words: str, check: bool = True, given: str = "") -> Done:
        """Run a command of the engine's; output: all that it says."""
        done = subprocess.run(
            [self.program, *self.flags, *words],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=None if words[0] == "build" else SECONDS,
            check=False,
        )
        # Where no systemd runs, podman says with every command that it has no timers for health.
        lines = [line for line in done.stdout.splitlines(keepends=True) if not _is_notice(line)]
        if check and done.returncode:
            raise EngineError(f"{self.program} {' '.join(words)}: {''.join(lines)[-3000:]}")
        return Done(done.returncode, "".join(lines))

    def build(self, tag: str = IMAGE, folder: Path = ROOT) -> str:
        """Build the image of a folder, this working tree's, and return its name."""
        words = ["build", "--tag", tag, "--network", "host"]
        if self.is_podman:
            words += ["--format", "docker", "--isolation", "chroot"]
        # Where packages come through a proxy whose certificate only the host knows.
        if bundle := os.environ.get("PIP_CERT"):
            words += ["--volume", f"{bundle}:/hostca.crt:ro", "--build-arg", "PIP_CERT=/hostca.crt"]
        self.call(*words, str(folder))
        return tag


def _is_notice(line: str) -> bool:
    return line.startswith('time="') and "level=" in line


def find_engine() -> Engine:
    """Return podman, or docker where its engine runs; raises EngineError."""
    if shutil.which("podman"):
        # crun, which podman prefers, refuses what nested machines have; runc takes both.
        return Engine("podman", ("--runtime", "runc") if shutil.which("runc") else ())
    if (
        shutil.which("docker")
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        return Engine("docker")
    raise EngineError("neither podman nor a docker engine is there: apt-get install podman runc")


@dataclass(slots=True)
class Container:
    """A container that was started. It shares the host's network: port is on loopback."""

    engine: Engine
    name: str
    port: int
    started: float = field(default_factory=time.monotonic)

    def exec(self, *words: str, user: str = "root", check: bool = True) -> Done:
        return self.engine.call("exec", "--user", user, self.name, *words, check=check)

    def logs(self) -> str:
        return self.engine.call("logs", self.name).output

    def state(self) -> Mapping[str, object]:
        shown = json.loads(self.engine.call("inspect", self.name).output)
        state: Mapping[str, object] = shown[0]["State"]
        return state

    def wait_until_it_listens(self) -> float:
        """Wait for sshd; return the seconds since the start. Raises EngineError if it ended."""
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as stream:
                    if stream.recv(8).startswith(b"SSH-2.0-"):
                        return time.monotonic() - self.started
            except OSError:
                pass
            if not self.state()["Running"]:
                raise EngineError(f"the container ended: {self.logs()}")
            if time.monotonic() - self.started > READY_SECONDS:
                raise EngineError(f"no sshd after {READY_SECONDS} s: {self.logs()}")

    def wait_until_it_ends(self) -> int:
        """Wait for the end; return the exit status."""
        return int(self.engine.call("wait", self.name).output.split()[-1])

    def health(self) -> Done:
        return self.exec("/usr/local/lib/msglog/health", check=False)

    def stop(self) -> float:
        """Stop it as `stop` does; return the seconds that it took."""
        begun = time.monotonic()
        self.engine.call("stop", "--time", "10", self.name)
        return time.monotonic() - begun

    def start(self) -> None:
        self.started = time.monotonic()
        self.engine.call("start", self.name)


@contextmanager
def volumes(engine: Engine, *names: str) -> Iterator[list[str]]:
    """Make volumes with random names, and remove them in the end."""
    made = [f"msglog-{name}-{uuid.uuid4().hex[:8]}" for name in names]
    try:
        for name in made:
            engine.call("volume", "create", name)
        yield made
    finally:
        engine.call("volume", "rm", "--force", *made, check=False)


@contextmanager
def running(
    engine: Engine,
    *options: str,
    image: str = IMAGE,
    environment: Mapping[str, str] | None = None,
    words: Sequence[str] = (),
) -> Iterator[Container]:
    """Start a container and remove it in the end, with its own volumes."""
    port = free_port()
    name = f"msglog-{uuid.uuid4().hex[:12]}"
    given = {"MSGLOG_PORT": str(port), **(environment or {})}
    variables = [word for item in given.items() for word in ("--env", "=".join(item))]
    try:
        engine.call(
            "run", "--detach", "--network", "host", *LIMITS, "--name", name, *variables,
            *options, image, *words,
        )  # fmt: skip
        yield Container(engine, name, port)
    finally:
        engine.call("rm", "--force", "--volumes", name, check=False)


if __name__ == "__main__":
    find_engine().build("msglog")

"""The compose file of the documentation, started as it stands but for the network, and the walk-through in it."""

import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.client import Client
from tests.container.demo import USERS, Demo, play
from tests.container.engine import IMAGE, READY_SECONDS, ROOT, SECONDS, Container, Engine
from tests.loopback import free_port

FILE = ROOT / "docs" / "deploy" / "container" / "compose.yaml"
HOST_NETWORK = """\
services:
  server:
    image: {image}
    network_mode: host
    environment: {{MSGLOG_PORT: "{port}"}}
    ulimits: &limits {{nofile: {{soft: 1024, hard: 1024}}, nproc: {{soft: 1024, hard: 1024}}}}
  user1: &person
    image: {image}
    network_mode: host
    ulimits: *limits
  user2: *person
  user3: *person
"""
"""Nested containers have no bridge of their own: the port is another one, on loopback."""


class Project:
    """What was started from the compose file under a name of its own."""

    def __init__(self, engine: Engine, more: Path, port: int, key: str) -> None:
        self.name = f"msglog-{uuid.uuid4().hex[:8]}"
        self._engine = engine
        self._files = ("-f", str(FILE), "-f", str(more))
        self._port = port
        self._environment = {**os.environ, "MSGLOG_ADMIN_KEY": key}

    def call(self, *words: str) -> None:
        """Run a command of compose's for all services; raises CalledProcessError."""
        project = (*self._files, "-p", self.name, "--profile", "people")
        if self._engine.is_podman:
            flags = " ".join(self._engine.flags)
            program = [sys.executable, "-m", "podman_compose", f"--podman-args={flags}"]
        else:
            program = ["docker", "compose"]
        done = subprocess.run(
            [*program, *project, *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def container(self, service: str) -> Container:
        label = f"com.docker.compose.project={self.name}"
        listed = self._engine.call(
            *("ps", "--all", "--filter", f"label={label}"),
            *("--filter", f"label=com.docker.compose.service={service}", "--format", "{{.Names}}"),
        )
        return Container(self._engine, listed.output.strip(), self._port)


@pytest.fixture
def project(engine: Engine, admin: Client, tmp_path: Path) -> Iterator[Project]:
    port = free_port()
    more = tmp_path / "host-network.yaml"
    more.write_text(HOST_NETWORK.format(image=IMAGE, port=port))
    made = Project(engine, more, port, admin.public_key)
    try:
        made.call("up", "--detach", "--no-build")
        yield made
    finally:
        made.call("down", "--volumes", "--timeout", "5")


def test_the_walk_through_in_what_compose_starts(project: Project, admin: Client) -> None:
    server = project.container("server")
    server.wait_until_it_listens()
    terminals = {name: project.container(name) for name in USERS}
    for name, terminal in terminals.items():
        wait_for_user(terminal, name)
    demo = Demo(terminals, io.StringIO())
    play(demo, admin, server)
    assert demo.played > 20
    assert server.health().status == 0
    written = server.exec("touch", "/usr/local/written", check=False)
    assert written.status, "the root file system can be written"


def wait_for_user(terminal: Container, name: str) -> None:
    """Wait until the container's command has made its user."""
    until = time.monotonic() + READY_SECONDS
    while terminal.exec("id", name, check=False).status:
        assert time.monotonic() < until, terminal.logs()
        time.sleep(0.05)

"""Tests of the image; they need podman or docker and run by `make test-container` alone."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.client import Client
from tests.container.engine import Container, Engine, find_engine, running, volumes

collect_ignore_glob = [] if "MSGLOG_TEST_CONTAINER" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def engine() -> Engine:
    found = find_engine()
    found.build()
    return found


@pytest.fixture
def admin(tmp_path: Path) -> Client:
    return Client.make(tmp_path / "admin")


@pytest.fixture
def server(engine: Engine, admin: Client) -> Iterator[Container]:
    """A server whose administrator is `admin`."""
    with (
        volumes(engine, "data", "keys") as (data, keys),
        running(
            engine,
            *("--volume", f"{data}:/data", "--volume", f"{keys}:/keys"),
            environment={"MSGLOG_ADMIN_KEY": admin.public_key},
        ) as container,
    ):
        container.wait_until_it_listens()
        admin.meet(container)
        yield container


@pytest.fixture(scope="session", autouse=True)
def no_agent() -> None:
    """Keys of whoever runs the tests are none of their business."""
    os.environ.pop("SSH_AUTH_SOCK", None)
    assert subprocess.run(["ssh-keygen", "-?"], capture_output=True, check=False).returncode

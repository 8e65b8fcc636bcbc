"""kill -9 of a real client in the middle of a push or a pull over sshd, and the same command again.

A relay in front of the forced command writes down what both sides say, and kills the client when so
many bytes of one of them have passed.
"""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from msglog.index.walk import count
from msglog.key import FIRST_KEY
from msglog.repository import Repository
from msglog.wire.events import Acknowledged, Batch, Event
from msglog.wire.reader import EventReader
from tests.hostile.liars import check_whole
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.test_exchange import MSGLOG, Person, Site, make_site

MESSAGES = 8
BODY_BYTES = 1_500_000  # two are a batch
SECONDS = 120

RELAY = """\
import fcntl, os, pathlib, signal, subprocess, sys, threading
folder = pathlib.Path(sys.argv[1])
lock = open(folder / "lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
side, size = (folder / "plan").read_text().split()
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def relay(name, source, target):
    passed = 0
    with open(folder / name, "wb") as record:
        while data := os.read(source, 16384):
            record.write(data)
            passed += len(data)
            try:
                os.write(target, data)
            except OSError:
                pass
            if name == side and passed - len(data) < int(size) <= passed:
                os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    os.close(target)

up = threading.Thread(target=relay, args=("client", 0, child.stdin.fileno()))
up.start()
relay("server", child.stdout.fileno(), 1)
up.join()
"""


@dataclass(frozen=True, slots=True)
class Relay:
    """The relay's folder: what to do next, and what was said last."""

    folder: Path

    def plan(self, side: str, size: int) -> None:
        """Kill the client in the next session when side has said so many bytes."""
        (self.folder / "plan").write_text(f"{side} {size}")

    def said(self, side: str) -> list[Event]:
        """Return what a side has said, once the session is over."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return list(EventReader().receive((self.folder / side).read_bytes()))

    def run(self, person: Person, *words: str) -> int:
        """Run a command of a client that can be killed; return its status."""
        environment = {"HOME": str(person.home), "PATH": os.environ["PATH"]}
        if person.ssh_command:
            environment["MSGLOG_SSH_COMMAND"] = person.ssh_command
        told = f'echo $$ > {self.folder}/pid; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", told, "sh", *MSGLOG, *words],
            cwd=person.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def site(
    request: pytest.FixtureRequest, sshd: Sshd, tmp_path: Path, account_store: AccountStore
) -> Site:
    return make_site(sshd, tmp_path, request.param, account_store)


def relayed(site: Site, folder: Path) -> Relay:
    """Put a relay in front of everybody's forced command."""
    folder.mkdir()
    (folder / "relay.py").write_text(RELAY)
    keys = site.sshd.authorized_keys
    front = f'command="{sys.executable} -I {folder}/relay.py {folder} '
    keys.write_text(keys.read_text().replace('command="', front))
    return Relay(folder)


def fill(person: Person) -> None:
    chance = random.Random(7)
    bodies = (chance.randbytes(BODY_BYTES // 2).hex() for _ in range(MESSAGES))
    lines = "".join(f"{json.dumps({'body': body})}\n" for body in bodies)
    person.msglog("add", "--batch", "--json", stdin=lines.encode())


def held(folder: Path) -> int:
    """Check a repository message by message; return how many main has."""
    with closing(Repository.open(folder)) as repository:
        check_whole(repository)
        return repository.log("main").count


def known(ours: Path, server: Path) -> int:
    """Return how many messages a client knows that a server has."""
    with closing(Repository.open(ours)) as mine, closing(Repository.open(server)) as theirs:
        peer = f"repository:{theirs.store.identity.hex()}"
        agreed = mine.store.agreed(peer, "main", FIRST_KEY)
        return max((count(mine.store.read_nodes, root) for root in agreed), default=0)


def sent(events: list[Event]) -> int:
    return sum(event.messages for event in events if isinstance(event, Batch))


def acknowledged(batches: list[Event], answers: list[Event]) -> int:
    """How many messages were acknowledged of the batches that one side sent."""
    numbers = {event.number for event in answers if isinstance(event, Acknowledged)}
    return sum(
        event.messages for event in batches if isinstance(event, Batch) and event.number in numbers
    )


@pytest.mark.parametrize(
    ("site", "side", "size"),
    [
        ("ssh", "client", 2_000_000),
        ("ssh", "client", 5_000_000),
        ("ssh", "server", 400),
        ("openssh", "client", 2_000_000),
    ],
    indirect=["site"],
)
def test_a_push_that_is_killed(site: Site, tmp_path: Path, side: str, size: int) -> None:
    person = site.person("write")
    fill(person)
    server = site.account / "repositories" / "main"
    relay = relayed(site, tmp_path / "relay")
    relay.plan(side, size)
    assert relay.run(person, "push") == -signal.SIGKILL
    durable = acknowledged(relay.said("client"), relay.said("server"))
    there = held(server)
    assert durable <= there <= MESSAGES
    assert held(person.home / ".msglog") == MESSAGES
    person.msglog("verify")
    agreed = known(person.home / ".msglog", server)
    assert agreed <= durable
    relay.plan("nobody", 0)
    assert "origin main" in person.msglog("push")
    # From the last acknowledgement that was read: some few may travel twice. Without any the two
    # compare their indexes.
    assert sent(relay.said("client")) == MESSAGES - (agreed or there)
    assert held(server) == MESSAGES
    assert "0 pushed" in person.msglog("push")


@pytest.mark.parametrize(
    ("site", "command", "side", "size"),
    [
        ("ssh", "pull", "server", 400),
        ("ssh", "pull", "server", 2_000_000),
        ("ssh", "pull", "client", 100),
        ("ssh", "fetch", "server", 5_000_000),
        ("openssh", "pull", "server", 2_000_000),
    ],
    indirect=["site"],
)
def test_a_pull_that_is_killed(
    site: Site, tmp_path: Path, command: str, side: str, size: int
) -> None:
    writer, reader = site.person("write"), site.person("read")
    fill(writer)
    writer.msglog("push")
    reader.msglog("add", "mine")
    relay = relayed(site, tmp_path / "relay")
    relay.plan(side, size)
    assert relay.run(reader, command) == -signal.SIGKILL
    durable = acknowledged(relay.said("server"), relay.said("client"))
    assert durable < MESSAGES
    reader.msglog("verify")
    there = held(reader.home / ".msglog")
    assert there >= (1 + durable if command == "pull" else 1)
    relay.plan("nobody", 0)
    reader.msglog(command)
    assert sent(relay.said("server")) <= MESSAGES - durable
    if command == "fetch":
        reader.msglog("pull")
        assert sent(relay.said("server")) == 0
    assert held(reader.home / ".msglog") == MESSAGES + 1
    reader.msglog("verify")


@pytest.mark.parametrize("site", ["ssh"], indirect=True)
def test_a_clone_that_is_killed_is_completed_by_a_pull(site: Site, tmp_path: Path) -> None:
    writer, reader = site.person("write"), site.person("read")
    fill(writer)
    writer.msglog("push")
    relay = relayed(site, tmp_path / "relay")
    relay.plan("server", 3_000_000)
    assert relay.run(reader, "clone", "server", "copy") == -signal.SIGKILL
    relay.said("server")
    relay.plan("nobody", 0)
    again = reader.run("clone", "server", "copy")
    assert again.returncode == 7  # what is there is never overwritten: a pull goes on from it
    assert again.stderr.count(b"\n") == 1
    there = held(reader.home / "copy" / ".msglog")
    reader.msglog("-C", "copy", "pull")
    assert sent(relay.said("server")) <= MESSAGES
    assert there <= held(reader.home / "copy" / ".msglog") == MESSAGES

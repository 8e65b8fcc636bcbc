"""The set-up in the administrator's guide, typed line by line in a home with a private sshd.

What only root can do to a machine is not done here: the tests' own msglog stands for the installed
one, and a folder for the UNIX account.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.high_availability.postgresql import running_server
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, User, running_sshd

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "server-account.md"
ROOT_ONLY = ["apt install ", "PIPX_HOME=", "adduser ", "su -s /bin/bash - server"]
SECONDS = 60.0
OF_THE_TESTS = {"root", "shell-reads-files", "passwords"}
"""What doctor may warn of because of who runs the tests."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell of somebody, in their home. variables: more of its environment."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def type(self, line: str, given: str = "") -> str:
        """Type a line that must succeed, and what it then waits for; return what it prints."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", line],
            input=given.encode(),
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": programs, "LC_ALL": "C.UTF-8", **self.variables},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr.decode(), done.stdout.decode())
        return done.stdout.decode()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = tmp_path / "home" / "server"
    server.mkdir(mode=0o700, parents=True)
    with running_sshd(tmp_path, extra=[f"SetEnv HOME={server}"]) as running:
        yield running


def blocks() -> list[list[str]]:
    """The commands of the first section, block by block."""
    section = GUIDE.read_text().split("\n## ")[1]
    found = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    return [[line[4:] for line in block.splitlines()] for block in found]


@pytest.fixture
def variables(account_store: AccountStore) -> Iterator[dict[str, str]]:
    """The environment in which an account is made that doctor is content with.

    The database of other tests does not wait for the disk.
    """
    if not account_store.variables():
        yield {}
        return
    with running_server(settings=()) as server:
        yield {"MSGLOG_STORE": server.address()}


def test_the_set_up(sshd: Sshd, variables: dict[str, str]) -> None:
    as_root, as_server, (verdict,), as_ann, _ = blocks()
    assert [line.startswith(start) for line, start in zip(as_root, ROOT_ONLY, strict=True)] == [
        True
    ] * len(ROOT_ONLY)
    assert len(as_root) + len(as_server) < 10

    home = sshd.folder / "home" / "server"
    server, ann = Terminal(home, variables), sshd.make_user("ann")
    for line in as_server[:-1]:
        server.type(line, given=_pasted(line, ann))
    assert as_server[-1] == "msglog admin doctor"
    # sshd as Debian has it, but for where the home is.
    config = server.home / "sshd_config"
    config.write_text(f"AuthorizedKeysFile {server.home}/.ssh/authorized_keys\nUsePAM yes\n")
    doctor = f"{as_server[-1]} --sshd-config {config}"
    records = [json.loads(line) for line in server.type(f"{doctor} --json").splitlines()]
    assert [record for record in records if record["code"] not in OF_THE_TESTS] == []
    assert verdict.endswith(": all is well")
    summary = verdict.removesuffix("all is well").replace("/home/server", str(server.home))
    assert server.type(doctor).splitlines()[-1].startswith(summary)

    (sent,) = [line for line in as_ann if line.startswith("msglog add ")]
    for line in as_ann:
        said = Terminal(ann.home).type(line.replace("server@host", "server"))
    assert said.startswith("origin main: 1 pushed, 1 in all")
    bob = sshd.make_user("bob")
    server.type("msglog admin user add bob --role read")
    server.type("msglog admin key add bob", given=f"{bob.public_key}\n")
    assert sent.split("'")[1] in Terminal(bob.home).type(
        "msglog clone server log && cd log && msglog list"
    )


def _pasted(line: str, user: User) -> str:
    return f"{user.public_key}\n" if line.startswith("msglog admin key add ") else ""

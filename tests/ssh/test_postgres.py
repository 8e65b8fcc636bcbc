"""One account in PostgreSQL, served by two real sshd at once: what is done at one holds at the other."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres.databases import Databases
from tests.ssh.asking import AskedAccount, guided_lines
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.test_exchange import MSGLOG, Person


@dataclass
class Front:
    """A host: an account's folder with nothing but the address, and an sshd."""

    account: AskedAccount
    sshd: Sshd


@pytest.fixture(scope="module")
def fronts(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> Iterator[tuple[Front, Front]]:
    address = databases.fresh()
    accounts = []
    for name in ("one", "two"):
        account = AskedAccount(tmp_path_factory.mktemp(name) / "account")
        account.admin("init", "--store", address)
        accounts.append(account)
    one, two = accounts
    with (
        running_sshd(tmp_path_factory.mktemp("sshd"), extra=guided_lines(one.path)) as first,
        running_sshd(tmp_path_factory.mktemp("sshd"), extra=guided_lines(two.path)) as second,
    ):
        yield Front(one, first), Front(two, second)


def visitor(front: Front, name: str, key_from: Path | None = None) -> Person:
    """Make a home that knows a host; with the key of another home, or its own."""
    user = front.sshd.make_user(name)
    if key_from is not None:
        for suffix in ("", ".pub"):
            user.key.with_name(f"id_ed25519{suffix}").write_bytes(
                (key_from / ".ssh" / f"id_ed25519{suffix}").read_bytes()
            )
    person = Person(name, user.home, "server", f"ssh -F {user.config}")
    person.msglog("init")
    person.msglog("remote", "add", "origin", "server")
    return person


def test_two_hosts_are_one_account(fronts: tuple[Front, Front], tmp_path: Path) -> None:
    one, two = fronts
    ann = visitor(one, "ann")
    one.account.admin("user", "add", "ann", "--role", "write")
    one.account.admin("key", "add", "ann", str(ann.home / ".ssh" / "id_ed25519.pub"))
    ann.msglog("add", "by the first host")
    assert "1 pushed" in ann.msglog("push")
    there = visitor(two, "ann2", ann.home)
    assert "1 received" in there.msglog("pull") or there.root() == ann.root()
    there.msglog("add", "by the second host")
    there.msglog("push")
    ann.msglog("pull")
    assert ann.root() == there.root()
    assert len(ann.msglog("list", "--json").splitlines()) == 2
    clone = subprocess.run(
        [*MSGLOG, "clone", "server", str(tmp_path / "copy")],
        cwd=there.home,
        env={
            "HOME": str(there.home),
            "PATH": os.environ["PATH"],
            "MSGLOG_SSH_COMMAND": there.ssh_command,
        },
        capture_output=True,
        check=False,
    )
    assert clone.returncode == 0, clone.stderr
    ((root, ref),) = [line.split("\t") for line in there.msglog("ls-remote").splitlines()]
    assert (root, ref) == (ann.root(), "refs/logs/main")
    one.account.admin("user", "set-role", "ann", "read")
    there.msglog("add", "no more")
    assert there.run("push").returncode == 3
    two.account.admin("user", "remove", "ann")
    refused = ann.run("pull")
    assert refused.returncode == 4
    assert b"ermission denied" in refused.stderr or b"authenti" in refused.stderr.lower()
    audit = subprocess.run(
        [*MSGLOG, "admin", "audit", "--json", "--account", str(two.account.path)],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert audit.count('"operation": "push"') >= 2

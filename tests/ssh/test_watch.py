"""Watching over a real sshd: what others push, a server that is killed, and a right that is taken."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd
from tests.ssh.test_exchange import MSGLOG, Person, Site, make_site


def start(person: Person, *words: str) -> subprocess.Popen[bytes]:
    environment = {"HOME": str(person.home), "PATH": os.environ["PATH"]}
    if person.ssh_command:
        environment["MSGLOG_SSH_COMMAND"] = person.ssh_command
    return subprocess.Popen(
        [*MSGLOG, "watch", *words],
        cwd=person.home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def push(person: Person, *bodies: str) -> None:
    for body in bodies:
        person.msglog("add", body)
    person.msglog("push")


def servers(site: Site, person: Person) -> list[int]:
    words = ["pgrep", "-f", f"receive-pack {person.name} .*--account {site.account}"]
    found = subprocess.run(words, check=False, capture_output=True, text=True).stdout
    return [int(one) for one in found.split()]


@pytest.mark.parametrize(("transport", "pull"), [("ssh", False), ("openssh", True)])
def test_watching_outlives_its_server_and_ends_with_the_right(
    sshd: Sshd, tmp_path: Path, account_store: AccountStore, transport: str, *, pull: bool
) -> None:
    site = make_site(sshd, tmp_path, transport, account_store)
    ann, bob = site.person("read"), site.person("write")
    push(bob, "zero")
    process = start(ann, "--json", "-n", "1", *(["--pull"] if pull else []), "origin")
    out = cast("BinaryIO", process.stdout)

    def body() -> str:
        return str(json.loads(out.readline())["body"])

    assert body() == "zero"
    logins = site.sshd.log.count("Accepted publickey")
    push(bob, "one", "two")
    assert [body(), body()] == ["one", "two"]
    push(bob, "three")
    assert body() == "three"
    assert site.sshd.log.count("Accepted publickey") == logins + 2  # bob's
    for server in servers(site, ann):
        os.kill(server, signal.SIGKILL)
    push(bob, "four")
    assert body() == "four"
    site.admin("user", "remove", ann.name)
    push(bob, "five")
    rest, error = process.communicate()
    assert (rest, process.returncode) == (b"", 3)
    lines = error.decode().splitlines()
    assert sum(line.endswith("trying again in 1 s") for line in lines) == 1
    assert lines[-1].startswith("msglog: error: not authorised")
    if pull:
        assert len(ann.msglog("list", "--json").splitlines()) == 5
    else:
        assert ann.msglog("list") == ""


def test_watching_makes_few_records(
    sshd: Sshd, tmp_path: Path, account_store: AccountStore
) -> None:
    site = make_site(sshd, tmp_path, "ssh", account_store)
    ann, bob = site.person("read"), site.person("write")
    push(bob, "zero")
    process = start(ann, "--json", "-n", "1", "origin")
    out = cast("BinaryIO", process.stdout)
    out.readline()
    for number in range(3):
        push(bob, str(number))
        out.readline()
    process.send_signal(signal.SIGINT)
    assert (process.communicate(), process.returncode) == ((b"", b""), 130)
    while servers(site, ann):
        pass
    words = [*MSGLOG, "admin", "audit", "--json", "--account", str(site.account)]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    records = [json.loads(line) for line in found.splitlines()]
    own = {
        (one["operation"], one["log"], one["messages"])
        for one in records
        if one["user"] == ann.name
    }
    assert own == {("watch", "", 0), ("fetch", "main", 4)}

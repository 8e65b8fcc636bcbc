"""Policies and the audit over a real sshd, with the real command at both ends."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.test_exchange import MSGLOG, Person, Site, make_site

REFUSED = 6


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def site(sshd: Sshd, tmp_path: Path, account_store: AccountStore) -> Site:
    return make_site(sshd, tmp_path, "openssh", account_store)


def audit(site: Site, *words: str) -> list[dict[str, Any]]:
    command = [*MSGLOG, "admin", "--account", str(site.account), "audit", "--json", *words]
    environment = {"HOME": str(site.account.parent), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def summary(site: Site, person: Person) -> list[tuple[str, str, int, int, str]]:
    return [
        (one["operation"], one["log"], one["messages"], one["refused"], one["result"])
        for one in audit(site, "--user", person.name)
    ]


@pytest.mark.both_stores
def test_each_policy_holds_back_single_messages(site: Site) -> None:
    ann = site.person("write")
    site.admin(
        "policy", "set", "main", "enforce-author=on", "max-future=3600", "max-message-bytes=400"
    )
    ann.msglog("add", "--author", ann.name, "mine")
    ann.msglog("add", "--author", "bob", "forged")
    ann.msglog("add", "--author", ann.name, "--time", "in 3 days", "early")
    ann.msglog("add", "--author", ann.name, "large " * 100)
    pushed = ann.run("push", "origin")
    assert pushed.returncode == REFUSED, pushed.stderr
    assert b"1 pushed" in pushed.stdout + pushed.stderr
    shown = ann.msglog("status")
    for reason in (f"its author is not {ann.name}", "3600 seconds ahead", "400 are allowed"):
        assert reason in shown
    assert summary(site, ann)[-1] == ("push", "main", 1, 3, "refused")
    site.admin("policy", "unset", "main")
    assert "3 pushed" in ann.msglog("push", "origin")
    assert "held back" not in ann.msglog("status")


def test_a_quota_is_for_each_user_over_all_their_devices(site: Site) -> None:
    ann, bob = site.person("write"), site.person("write")
    site.admin("policy", "set", "*", "quota-messages=5")
    for number in range(8):
        ann.msglog("add", f"message {number}")
    refused = ann.run("push", "origin")
    assert refused.returncode == REFUSED
    assert b"5 messages" in ann.msglog("status").encode()
    bob.msglog("add", "bob has a quota of his own")
    bob.msglog("push", "origin")
    assert "5 pulled" in bob.msglog("pull", "origin")
    assert ann.run("push", "origin").returncode == REFUSED


def test_the_audit_says_who_came_from_where_and_what_became_of_it(site: Site) -> None:
    writer, reader, nobody = site.person("write"), site.person("read"), site.person("none")
    writer.msglog("add", "hello")
    writer.msglog("push", "origin")
    reader.msglog("pull", "origin")
    reader.msglog("add", "not to be pushed")
    assert reader.run("push", "origin").returncode == 3
    assert nobody.run("pull", "origin").returncode == 3
    by_hand = ["ssh", "-F", *reader.ssh_command.split()[2:], "server"]
    subprocess.run(by_hand, check=False, capture_output=True, timeout=30)
    odd = "sh -c id\n2026-01-01 root 127.0.0.1 push ok\x1b[2J"
    subprocess.run([*by_hand, odd], check=False, capture_output=True, timeout=30)
    assert summary(site, writer)[-1] == ("push", "main", 1, 0, "ok")
    assert [row for row in summary(site, reader) if row[0] != "list"] == [
        ("fetch", "main", 1, 0, "ok"),
        ("push", "main", 0, 0, "not-authorised"),
        ("person", "", 0, 0, "ok"),
        ("command", "", 0, 0, "refused"),
    ]
    assert [row[-1] for row in summary(site, nobody)] == ["not-authorised"]
    records = audit(site)
    came = [one for one in records if not one["operation"].startswith("admin ")]
    assert {one["address"] for one in came} == {"127.0.0.1"}
    assert all(one["key"].startswith("SHA256:") for one in came)
    assert came[-1]["detail"] == r"sh -c id\n2026-01-01 root 127.0.0.1 push ok\x1b[2J"
    assert "admin key add" in [one["operation"] for one in records]

"""`admin ... --remote` over a real sshd, by both transports: the same commands, and who may not."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.test_exchange import Person, Site, make_site


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(params=["ssh", "openssh"])
def site(
    request: pytest.FixtureRequest, sshd: Sshd, tmp_path: Path, account_store: AccountStore
) -> Site:
    site = make_site(sshd, tmp_path, request.param, account_store)
    site.admin("set", "keys.file", str(sshd.authorized_keys))
    return site


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def new_key(person: Person, name: str) -> str:
    words = [
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-C",
        name,
        "-f",
        str(person.home / name),
    ]
    subprocess.run(words, check=True)
    return f"{name}.pub"


def test_an_administrator_needs_no_shell(site: Site) -> None:
    ann = site.person("admin")
    bob = site.person("none")
    remote = ("--remote", "origin")
    assert bob.run("push").returncode == 3
    said = ann.msglog("admin", "user", "set-role", bob.name, "write", *remote)
    assert said == f"{bob.name}: write (was none)\n"
    bob.msglog("add", "hello")
    bob.msglog("push")
    ann.msglog("admin", "user", "add", "carl", "--role=read", *remote)
    added = ann.msglog("admin", "key", "add", "carl", new_key(ann, "carl"), *remote)
    assert added.startswith("Added SHA256:")
    keys = site.sshd.authorized_keys.read_text()
    assert "carl" in keys
    stdin = (ann.home / new_key(ann, "second")).read_bytes()
    ann.msglog("admin", "--remote=origin", "key", "add", "carl", stdin=stdin)
    assert len(records(ann.msglog("admin", "key", "list", "carl", "--json", *remote))) == 2
    (repository,) = records(ann.msglog("admin", "repository", "list", "--json", *remote))
    assert repository["messages"] == 1
    ann.msglog("admin", "grant", "carl", "none", "ops/*", *remote)
    ann.msglog("admin", "policy", "set", "ops/*", "enforce-author=on", *remote)
    ann.msglog("admin", "repository", "add", "team/ops", *remote)
    ann.msglog("admin", "set", "audit.keep", "5000", *remote)
    ann.msglog("admin", "user", "remove", "carl", *remote)
    assert "carl" not in site.sshd.authorized_keys.read_text()
    ann.msglog("admin", "key", *remote, "sync")
    assert records(ann.msglog("--json", "admin", "user", "list", *remote))
    assert ann.msglog("-q", "admin", "user", "add", "dora", *remote) == ""
    audit = records(ann.msglog("admin", "audit", "--json", "--user", ann.name, *remote))
    done = {str(record["operation"]) for record in audit}
    assert {"admin user add", "admin key add", "admin user remove", "admin user list"} <= done
    assert all(str(record["key"]).startswith("SHA256:") and record["address"] for record in audit)
    doctor = ann.run("admin", "doctor", *remote)
    assert doctor.returncode in (0, 1)
    assert b"1 repository" in doctor.stdout or b"2 repositories" in doctor.stdout


@pytest.mark.parametrize("role", ["append", "read", "write"])
def test_others_may_not(site: Site, role: str) -> None:
    site.person("admin")
    eve = site.person(role)
    for words in (
        ["user", "list"],
        ["user", "set-role", eve.name, "admin"],
        ["audit"],
        ["doctor"],
        ["set"],
    ):
        result = eve.run("admin", *words, "--remote", "origin")
        assert result.returncode == 3, words
        assert b"not authorised" in result.stderr
        assert not result.stdout
    ann = site.person("admin")
    told = records(ann.msglog("admin", "audit", "--json", "--user", eve.name, "--remote", "origin"))
    refused = [record["result"] for record in told if record["operation"] == "admin"]
    assert refused == ["not-authorised"] * 5


def test_errors_are_those_of_the_command_itself(site: Site) -> None:
    ann = site.person("admin")
    for words, status, said in (
        (["user", "remove", "nobody"], 2, "no user"),
        (["user", "set-role", ann.name, "none"], 6, "last administrator"),
        (["user", "add", "--role", "king", "x"], 2, "no role"),
        (["user", "frobnicate"], 2, "invalid choice"),
        (["init"], 2, "cannot be made with --remote"),
        (["doctor", "--sshd-config", "/etc/shadow"], 2, "cannot be used with --remote"),
        (["user", "list", "--account", "/tmp"], 2, "cannot be used with --remote"),
        (["set", "keys.file", "/tmp/x"], 2, "cannot be set with --remote"),
        (["key", "add", ann.name, "missing.pub"], 7, "no such file"),
    ):
        result = ann.run("admin", *words, "--remote", "origin")
        assert result.stdout == b""
        assert (result.returncode, said in result.stderr.decode()) == (status, True), result.stderr
        assert result.stderr.decode().count("\n") == 1

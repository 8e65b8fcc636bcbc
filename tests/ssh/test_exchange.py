"""Everything at once: a server account on a real sshd, users with the real command, three ways."""

import itertools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.corpus import real_messages
from tests.ssh.sshd import Sshd, running_sshd

NUMBERS = itertools.count(1)
MSGLOG = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]


@dataclass
class Person:
    """A user: a home, and a way to reach the server."""

    name: str
    home: Path
    url: str
    ssh_command: str = ""

    def msglog(self, *words: str, status: int = 0, stdin: bytes = b"") -> str:
        result = self.run(*words, stdin=stdin)
        assert result.returncode == status, result.stderr.decode()
        return result.stdout.decode()

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        if self.ssh_command:
            environment["MSGLOG_SSH_COMMAND"] = self.ssh_command
        return subprocess.run(
            [*MSGLOG, *words],
            cwd=self.home,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def root(self) -> str:
        return self.msglog("rev-parse", "main").strip()


@dataclass
class Site:
    """A server account, and people whom it lets in."""

    sshd: Sshd
    account: Path
    transport: str

    def admin(self, *words: str) -> None:
        home = self.account.parent
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        place = ["--account", str(self.account)]
        if words[0] == "key":
            place += ["--authorized-keys", str(self.sshd.authorized_keys)]
        subprocess.run(
            [*MSGLOG, "admin", *words, *place], env=environment, check=True, capture_output=True
        )

    def person(self, role: str) -> Person:
        name = f"{self.transport}{next(NUMBERS)}"
        user = self.sshd.make_user(name)
        self.admin("user", "add", name, "--role", role)
        self.admin("key", "add", name, str(user.key.with_name("id_ed25519.pub")))
        url = str(self.account / "repositories" / "main") if self.transport == "local" else "server"
        command = f"ssh -F {user.config}" if self.transport == "openssh" else ""
        person = Person(name, user.home, url, command)
        person.msglog("init")
        person.msglog("remote", "add", "origin", person.url)
        return person


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def make_site(sshd: Sshd, folder: Path, transport: str, store: AccountStore) -> Site:
    """Make an account whose keys are the only ones that sshd knows."""
    sshd.authorized_keys.write_text("")
    site = Site(sshd, folder / "account", transport)
    site.admin(*store.init())
    return site


@pytest.fixture(params=["ssh", "openssh", "local"])
def site(
    request: pytest.FixtureRequest, sshd: Sshd, tmp_path: Path, account_store: AccountStore
) -> Site:
    return make_site(sshd, tmp_path, request.param, account_store)


def test_three_parties_who_were_offline_end_equal(site: Site) -> None:
    people = [site.person("write") for _ in range(3)]
    for person in people:
        for number in range(3):
            person.msglog("add", f"{person.name} {number}", "--tag", "offline")
    first, second, third = people
    first.msglog("push", "origin")
    second.msglog("sync", "origin")
    third.msglog("pull")
    third.msglog("push")
    first.msglog("add", "one more")
    second.msglog("pull")
    first.msglog("sync")
    second.msglog("pull")
    third.msglog("pull")
    assert len({person.root() for person in people}) == 1
    listed = {person.msglog("list", "--json") for person in people}
    assert len(listed) == 1
    assert len(listed.pop().splitlines()) == 10
    ((root, ref),) = [line.split("\t") for line in first.msglog("ls-remote").splitlines()]
    assert (root, ref) == (first.root(), "refs/logs/main")


def test_a_clone_and_named_logs(site: Site) -> None:
    first, second = site.person("write"), site.person("write")
    first.msglog("logs", "new", "beamline/p01")
    first.msglog("add", "--log", "beamline/p01", "shutter open")
    first.msglog("add", "hello")
    first.msglog("push")
    second.msglog("clone", second.url, "copy")
    copied = Person(second.name, second.home / "copy", second.url, second.ssh_command)
    environment_home = second.home
    result = subprocess.run(
        [*MSGLOG, "list", "--log", "beamline/p01", "--json"],
        cwd=copied.home,
        env={"HOME": str(environment_home), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    assert json.loads(result.stdout)["body"] == "shutter open"


def test_a_part_of_a_log_is_kept_in_step(site: Site) -> None:
    whole, part = site.person("write"), site.person("write")
    for year in range(2016, 2026):
        whole.msglog("add", "-q", "--time", f"{year}-06-01", f"of {year}")
    whole.msglog("push")
    assert "2 pulled" in part.msglog("pull", "--since", "2024-01-01")
    part.msglog("add", "-q", "--time", "2020-02-02", "found on an old disk")
    part.msglog("add", "-q", "new")
    assert "2 pushed" in part.msglog("push")
    assert "0 pulled" in part.msglog("pull")
    assert "8 older messages are only there" in part.msglog("status")
    assert "2 pulled" in whole.msglog("pull")
    assert "8 pulled" in part.msglog("pull", "--whole")
    assert part.root() == whole.root()


# Not by a path, which names any repository by its place.
@pytest.mark.parametrize("site", ["ssh", "openssh"], indirect=True)
def test_repositories_of_one_account_are_apart(site: Site) -> None:
    person = site.person("none")
    site.admin("repository", "add", "team/ops")
    site.admin("grant", person.name, "write", "team/ops", "*")
    person.msglog("remote", "add", "ops", "server:team/ops")
    person.msglog("add", "for the team")
    assert "1 pushed" in person.msglog("push", "ops")
    for url in ("server", "server:main"):
        person.msglog("remote", "set-url", "origin", url)
        assert person.run("push", "origin").returncode == 3
    (site.account / "repositories").mkdir(exist_ok=True)
    (site.account / "repositories" / "out").symlink_to(person.home)
    for url in ("server:out/.msglog", "server:team", "server:nothing"):
        assert person.run("pull", url).returncode in (2, 3, 4)


# Not by a path, which knows no users: the file system decides.
@pytest.mark.both_stores
@pytest.mark.parametrize("site", ["ssh", "openssh"], indirect=True)
def test_who_has_no_role_is_told_so(site: Site) -> None:
    nobody, reader = site.person("none"), site.person("read")
    for person in (nobody, reader):
        person.msglog("add", "mine")
    for words in (("push", "origin"), ("pull", "origin"), ("ls-remote",)):
        refused = nobody.run(*words)
        assert refused.returncode == 3
        assert refused.stderr.startswith(b"msglog: error: not authorised")
        assert refused.stderr.count(b"\n") == 1
    reader.msglog("pull")
    assert b"not authorised" in reader.run("push").stderr
    site.admin("user", "set-role", reader.name, "write")
    assert "1 pushed" in reader.msglog("push")
    site.admin("user", "remove", reader.name)
    assert reader.run("pull").returncode in (3, 4)  # the key is gone from the file as well


def test_a_flipped_bit_in_the_servers_store_is_refused_and_named(site: Site) -> None:
    writer, reader = site.person("write"), site.person("write")
    oid = json.loads(writer.msglog("add", "--json", "precious"))["id"]
    writer.msglog("push")
    _flip_served(site, oid)
    refused = reader.run("pull")
    assert refused.returncode == 5
    assert oid.encode() in refused.stderr
    assert reader.msglog("list") == ""


def test_a_flipped_bit_in_our_own_store_is_refused_and_named(site: Site) -> None:
    writer = site.person("write")
    oid = json.loads(writer.msglog("add", "--json", "precious"))["id"]
    _flip(writer.home / ".msglog" / "store.db", oid)
    for words in (("list",), ("push",), ("show", oid)):
        refused = writer.run(*words)
        assert refused.returncode == 5, words
        assert oid.encode() in refused.stderr
    assert writer.run("verify").returncode == 1


def _flip_served(site: Site, oid: str) -> None:
    address = site.account / "account.address"
    if not address.exists():
        _flip(site.account / "repositories" / "main" / "store.db", oid)
        return
    with psycopg.connect(address.read_text().strip()) as connection:
        ((key, data),) = connection.execute("SELECT key, data FROM messages").fetchall()
        assert key.hex().endswith(oid)
        connection.execute("UPDATE messages SET data = %s WHERE key = %s", (_flipped(data), key))


def _flip(path: Path, oid: str) -> None:
    connection = sqlite3.connect(path)
    ((key, data),) = connection.execute("SELECT key, data FROM messages").fetchall()
    assert key.hex().endswith(oid)
    connection.execute("UPDATE messages SET data = ? WHERE key = ?", (_flipped(data), key))
    connection.commit()
    connection.close()


def _flipped(data: bytes) -> bytes:
    damaged = bytearray(data)
    damaged[damaged.index(b"precious")] ^= 1
    return bytes(damaged)


def test_a_hundred_thousand_real_messages_arrive_byte_for_byte(
    sshd: Sshd, tmp_path: Path, account_store: AccountStore
) -> None:
    site = make_site(sshd, tmp_path, "ssh", account_store)
    first, second = site.person("write"), site.person("write")
    text = "\n".join(real_messages(100_000)).encode()
    first.msglog("add", "--batch", "--json", stdin=text)
    assert "100000 pushed" in first.msglog("push", "origin")
    assert "100000 pulled" in second.msglog("pull", "origin")
    assert first.root() == second.root()
    assert first.msglog("list", "--json") == second.msglog("list", "--json")
    assert "origin main: 0 pushed" in first.msglog("push", "origin")


@pytest.mark.parametrize("forced", [True, False])
def test_a_repository_of_ones_own_account(sshd: Sshd, tmp_path: Path, *, forced: bool) -> None:
    sshd.authorized_keys.write_text("")
    user = sshd.make_user(f"direct{next(NUMBERS)}")
    person = Person(user.name, user.home, "server")
    person.msglog("init")
    person.msglog("init", str(tmp_path / "log"))
    person.msglog("add", "mine")
    if forced:
        sshd.authorize(user, f"{' '.join(MSGLOG)} receive-pack --direct {tmp_path}/log")
        person.msglog("remote", "add", "origin", "server")
    else:
        # As on a machine where msglog is installed: the command is run by the account's own shell.
        program = tmp_path / "bin" / "msglog"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {" ".join(MSGLOG)} "$@"\n')
        program.chmod(0o755)
        sshd.authorize(user, f'PATH={program.parent}:$PATH; eval "$SSH_ORIGINAL_COMMAND"')
        person.msglog("remote", "add", "origin", f"server:{tmp_path}/log")
    assert "1 pushed" in person.msglog("push")
    assert "0 pulled, 1 in all" in person.msglog("pull")

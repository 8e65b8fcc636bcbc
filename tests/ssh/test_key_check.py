"""What `admin key check` says is what sshd does, and what `--fix` mends lets people in again."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.asking import PROGRAM, SECONDS, greeting
from tests.ssh.sshd import Sshd, User, running_sshd


@dataclass(frozen=True, slots=True)
class Server:
    """A server account whose authorized_keys a sshd reads."""

    sshd: Sshd

    @property
    def home(self) -> Path:
        return self.sshd.folder / "home" / "server"

    @property
    def key_file(self) -> Path:
        return self.home / ".ssh" / "authorized_keys"

    def admin(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*PROGRAM, "admin", *words],
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
            check=False,
            capture_output=True,
        )

    def check(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Check the keys under what sshd was told, as it is for an account with a home of its own."""
        config = self.sshd.folder / "checked_config"
        text = (self.sshd.folder / "sshd_config").read_text()
        # No sshd takes keys from where tests have their files, below what others may write to,
        # without these: they are told apart from what is tested here.
        text = text.replace("StrictModes no\n", "").replace(f"{self.sshd.authorized_keys} ", "")
        config.write_text(text)
        done = self.admin("key", "check", "--json", "--sshd-config", str(config), *words)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def set_up(sshd: Sshd, store: AccountStore) -> tuple[Server, User]:
    server = Server(sshd)
    server.home.mkdir(parents=True)
    user = sshd.make_user("ann")
    for words in (
        store.init(),
        ["user", "add", "ann", "--role", "write"],
        ["key", "add", "ann", f"{user.key}.pub"],
    ):
        server.admin(*words).check_returncode()
    return server, user


@pytest.fixture(scope="module")
def place(sshd: Sshd, account_store: AccountStore) -> tuple[Server, User, bytes]:
    server, user = set_up(sshd, account_store)
    return server, user, server.key_file.read_bytes()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda _: b"# nothing\n", "missing-line"),
        (lambda good: good.split(b"# END")[0].replace(b"/python", b"/gone"), "block"),
        (lambda good: good.replace(b" -I ", b" -I /gone"), "missing-program"),
        (lambda good: good.replace(b'command="', b'command="/gone/python '), "command-form"),
        (lambda good: good.replace(b"receive-pack ann", b"receive-pack bob"), "wrong-user"),
    ],
)
def test_a_broken_file_is_mended_and_lets_people_in_again(
    place: tuple[Server, User, bytes], damage: Callable[[bytes], bytes], code: str
) -> None:
    server, user, good = place
    server.key_file.write_bytes(good)
    assert "Hello ann" in greeting(user)
    assert server.check() == (0, [])
    server.key_file.write_bytes(damage(good))
    assert "Hello ann" not in greeting(user)
    status, found = server.check()
    assert status == 1
    assert code in {record["code"] for record in found}
    status, found = server.check("--fix")
    assert (status, {record["state"] for record in found}) == (0, {"fixed"})
    assert "Hello ann" in greeting(user)
    assert server.check() == (0, [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("PubkeyAcceptedAlgorithms rsa-sha2-512", "refused-type"),
        ("DenyUsers *", "denied"),
        ("DenyGroups *", "denied"),
        ("ForceCommand /bin/echo no msglog", "force-command"),
    ],
)
def test_settings_that_keep_a_good_line_from_counting(
    tmp_path: Path, account_store: AccountStore, line: str, code: str
) -> None:
    with running_sshd(tmp_path / "sshd", extra=[line]) as sshd:
        server, user = set_up(sshd, account_store)
        done = subprocess.run(
            ["ssh", "-T", "-F", str(user.config), "-o", "BatchMode=yes", "server"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert b"Hello" not in done.stderr
        status, found = server.check("--fix")
    assert status == 1
    assert [(record["code"], record["state"]) for record in found] == [(code, "left")]

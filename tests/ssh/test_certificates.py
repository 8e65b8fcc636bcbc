"""sshd asks msglog whom a certificate is for; what sshd itself refuses stays refused."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.asking import PROGRAM, AskedAccount, greeting, guided_lines, login
from tests.ssh.sshd import Sshd, User, make_key, running_sshd

NUMBERS = itertools.count(1)
REFUSED = "Permission denied"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, account_store: AccountStore) -> AskedAccount:
    made = AskedAccount(tmp_path_factory.mktemp("place") / "account")
    made.admin(*account_store.init())
    return made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority"
    make_key(path)
    return path


@pytest.fixture(scope="module")
def sshd(
    account: AskedAccount, authority: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sshd]:
    extra = guided_lines(account.path, authority)
    with running_sshd(tmp_path_factory.mktemp("sshd"), extra=extra) as running:
        yield running


@pytest.fixture
def user(account: AskedAccount, sshd: Sshd) -> User:
    """A user of the account, without a key in it."""
    made = sshd.make_user(f"user{next(NUMBERS)}")
    account.admin("user", "add", made.name, "--role", "write")
    return made


def sign(user: User, authority: Path, *options: str, principals: str | None = None) -> None:
    """Make a certificate for a user's key; ssh finds it beside the key."""
    named = user.name if principals is None else principals
    names = ["-n", named] if named else []
    words = ["ssh-keygen", "-q", "-s", str(authority), "-I", user.name, *names, *options]
    subprocess.run([*words, f"{user.key}.pub"], check=True, capture_output=True)


def test_a_certificate_lets_its_user_in_until_they_are_removed(
    account: AskedAccount, user: User, authority: Path
) -> None:
    assert REFUSED in greeting(user)
    sign(user, authority, "-V", "+1d")
    assert f"Hello {user.name}: your key works, and your role here is write." in greeting(user)
    account.admin("user", "remove", user.name)
    assert REFUSED in greeting(user)


def test_a_plain_key_is_asked_about_as_well(
    account: AskedAccount, user: User, authority: Path
) -> None:
    account.admin("key", "add", user.name, f"{user.key}.pub")
    assert f"Hello {user.name}" in greeting(user)
    sign(user, authority, principals="nobody-here")  # the key still counts by itself
    assert f"Hello {user.name}" in greeting(user)


def test_a_certificate_gives_no_shell_and_no_forwarding(user: User, authority: Path) -> None:
    """Although ssh-keygen puts permission for all of that into it."""
    sign(user, authority)
    assert "PTY allocation request failed" in greeting(user, "-tt")
    assert "remote port forwarding failed" in greeting(user, "-R", "0:127.0.0.1:1")


@pytest.mark.parametrize(
    "validity", ["20200101000000:20200102000000", "20900101000000:20900102000000"]
)
def test_one_that_is_over_or_not_begun_is_refused(
    user: User, authority: Path, validity: str
) -> None:
    sign(user, authority, "-V", validity)
    assert REFUSED in greeting(user)


@pytest.mark.parametrize("principals", ["", "nobody-here", "root", "USER"])
def test_one_for_somebody_else_is_refused(user: User, authority: Path, principals: str) -> None:
    """The UNIX account's own name is no exception: it would be a way to a shell."""
    sign(user, authority, principals=user.name.upper() if principals == "USER" else principals)
    assert REFUSED in greeting(user)
    sign(user, authority, principals=login())
    assert REFUSED in greeting(user)


def test_one_for_two_users_is_refused(account: AskedAccount, user: User, authority: Path) -> None:
    other = f"user{next(NUMBERS)}"
    account.admin("user", "add", other, "--role", "admin")
    sign(user, authority, principals=f"{user.name},{other}")
    assert REFUSED in greeting(user)
    sign(user, authority, principals=f"staff,{user.name}")
    assert f"Hello {user.name}" in greeting(user)


def test_one_by_another_authority_is_refused(user: User, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    sign(user, tmp_path / "other")
    assert REFUSED in greeting(user)


def test_one_for_a_host_is_refused(user: User, authority: Path) -> None:
    sign(user, authority, "-h")
    assert REFUSED in greeting(user)


def test_one_that_wants_another_command_is_refused(user: User, authority: Path) -> None:
    sign(user, authority, "-O", "force-command=/bin/sh")
    said = greeting(user)
    assert REFUSED in said
    assert "Hello" not in said


def test_one_for_other_addresses_is_refused(user: User, authority: Path) -> None:
    sign(user, authority, "-O", "source-address=192.0.2.0/24")
    assert REFUSED in greeting(user)


def test_doctor_sees_an_authority_that_gives_a_shell(
    account: AskedAccount, authority: Path, tmp_path: Path
) -> None:
    """As where OpenSSH 9.2 ignores the command because it comes after that for keys."""
    good = guided_lines(account.path, authority)
    bad = [line for line in good if "AuthorizedPrincipalsCommand " not in line]
    with running_sshd(tmp_path / "good", extra=good) as sshd:
        assert "certificates" not in account.doctor(sshd.folder / "sshd_config")
    with running_sshd(tmp_path / "bad", extra=bad) as sshd:
        assert "certificates" in account.doctor(sshd.folder / "sshd_config")


@pytest.mark.parametrize("ssh_command", ["", "ssh -F {config}"])
def test_a_push_with_a_certificate(user: User, authority: Path, ssh_command: str) -> None:
    """As the guide says: it is found beside the key, by msglog itself and by ssh."""
    environment = {"HOME": str(user.home), "PATH": os.environ["PATH"]}
    environment["MSGLOG_SSH_COMMAND"] = ssh_command.format(config=user.config)

    def msglog(*words: str) -> str:
        done = subprocess.run(
            [*PROGRAM, "-C", str(user.home), *words],
            env=environment,
            capture_output=True,
            check=False,
        )
        return (done.stdout + done.stderr).decode()

    msglog("init")
    msglog("remote", "add", "origin", "server")
    msglog("add", "signed in")
    assert "1 pushed" not in msglog("push", "origin")
    sign(user, authority)
    assert "1 pushed" in msglog("push", "origin")

"""sshd asks msglog whom a certificate is for; what sshd itself refuses stays refused."""

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.asking import PROGRAM, AskedAccount, greeting, login
from tests.ssh.sshd import Sshd, User, make_key, running_sshd

NUMBERS = itertools.count(1)
REFUSED = "Permission denied"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> AskedAccount:
    made = AskedAccount(tmp_path_factory.mktemp("place") / "account")
    made.admin("init")
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
    words = [*PROGRAM, "authorized-principals", "%u", "%k", "--account", str(account.path)]
    extra = [
        f"TrustedUserCAKeys {authority}.pub",
        f"AuthorizedPrincipalsCommand {' '.join(words)}",
        f"AuthorizedPrincipalsCommandUser {login()}",
    ]
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

"""sshd asks msglog about each key, and lets in whom the tables let in."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.accounts import AccountStore
from tests.ssh.asking import PROGRAM, AskedAccount, greeting, guided_lines
from tests.ssh.sshd import Sshd, User, running_sshd

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, account_store: AccountStore) -> AskedAccount:
    made = AskedAccount(tmp_path_factory.mktemp("place") / "account")
    made.admin(*account_store.init())
    return made


@pytest.fixture(scope="module")
def sshd(account: AskedAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    extra = guided_lines(account.path)
    with running_sshd(tmp_path_factory.mktemp("sshd"), extra=extra) as running:
        yield running


@pytest.fixture
def user(account: AskedAccount, sshd: Sshd) -> User:
    made = sshd.make_user(f"user{next(NUMBERS)}")
    account.admin("user", "add", made.name, "--role", "write")
    return made


def test_a_key_is_let_in_as_its_user_and_a_removed_one_is_not(
    account: AskedAccount, user: User
) -> None:
    assert "Permission denied" in greeting(user)
    account.admin("key", "add", user.name, f"{user.key}.pub")
    assert f"Hello {user.name}: your key works, and your role here is write." in greeting(user)
    account.admin("user", "remove", user.name)
    assert "Permission denied" in greeting(user)


def test_a_key_gives_no_shell_and_no_forwarding(account: AskedAccount, user: User) -> None:
    account.admin("key", "add", user.name, f"{user.key}.pub")
    assert "PTY allocation request failed" in greeting(user, "-tt")
    assert "remote port forwarding failed" in greeting(user, "-R", "0:127.0.0.1:1")


def test_an_account_that_others_may_write_to_lets_nobody_in(
    account: AskedAccount, user: User
) -> None:
    account.admin("key", "add", user.name, f"{user.key}.pub")
    account.path.chmod(0o777)
    try:
        assert "Permission denied" in greeting(user)
    finally:
        account.path.chmod(0o700)
    assert f"Hello {user.name}" in greeting(user)


def test_sshd_runs_no_program_that_others_may_change(
    account: AskedAccount, user: User, tmp_path: Path
) -> None:
    """What the guide warns of: a program that is not root's, or in a folder that is not."""
    account.admin("key", "add", user.name, f"{user.key}.pub")
    program = tmp_path / "msglog-ask"
    program.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    program.chmod(0o777)
    lines = [line.replace(" ".join(PROGRAM), str(program)) for line in guided_lines(account.path)]
    with running_sshd(tmp_path / "sshd", extra=lines) as other:
        stranger = other.make_user("stranger")
        for name in ("id_ed25519", "id_ed25519.pub"):
            (stranger.key.with_name(name)).write_bytes(user.key.with_name(name).read_bytes())
        assert "Permission denied" in greeting(stranger)
        assert f'Unsafe AuthorizedKeysCommand "{program}"' in other.log
    assert f"Hello {user.name}" in greeting(user)

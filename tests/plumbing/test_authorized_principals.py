"""`authorized-principals`: the line of the one user whom a certificate names."""

import os
import pwd
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from msglog.account.account import Account
from msglog.account.authorized_keys import parse_options
from msglog.account.role import Role
from plumbing.program import running_program
from porcelain.cli import main
from tests.msglog.account.test_certificate import certificate, text


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The account of `server`, with ann and bob; `other` is another UNIX account."""
    own = os.geteuid()
    known = {
        "server": SimpleNamespace(pw_uid=own, pw_dir=str(tmp_path)),
        "other": SimpleNamespace(pw_uid=own + 1, pw_dir=str(tmp_path)),
    }
    monkeypatch.setattr(pwd, "getpwnam", lambda name: known[name])
    made = Account.create(tmp_path / ".msglog-server", suffix="x")
    made.add_user("ann", Role.WRITE, time=1)
    made.add_user("bob", Role.NONE, time=1)
    yield made
    made.close()


def ask(login: str, shown: str, *words: str) -> tuple[int, str, str]:
    out, error = BytesIO(), BytesIO()
    arguments = ["-C", "/", "authorized-principals", login, shown, *words]
    status = main(arguments, {"HOME": "/nonexistent"}, BytesIO(), out, error)
    return status, out.getvalue().decode(), error.getvalue().decode()


def for_principals(*principals: str) -> str:
    return text(certificate(*[principal.encode() for principal in principals]))


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("principals", [["ann"], ["staff", "ann", "ANN"], ["ann", "ann"]])
def test_a_certificate_gets_the_line_of_its_user(principals: list[str]) -> None:
    status, line, said = ask("server", for_principals(*principals))
    assert (status, said) == (0, "")
    options, _, principal = line.removesuffix("\n").rpartition(" ")
    assert principal == "ann"
    program = running_program()
    found = parse_options(options)
    assert found.restrict
    assert not found.pty
    assert found.command == f"{program.interpreter} -I {program.script} receive-pack ann"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "principals",
    [
        [],
        [""],
        ["carl"],
        ["Ann"],
        ["ann "],
        ["ann\n"],
        ["ann\nbob"],
        ["*"],
        ["server"],
        ["ann", "bob"],
        ["bob", "staff", "ann"],
    ],
)
def test_a_certificate_for_nobody_or_for_two_gets_nothing(principals: list[str]) -> None:
    assert ask("server", for_principals(*principals)) == (0, "", "")


def test_a_removed_user_gets_nothing(account: Account) -> None:
    account.remove_user("ann")
    assert ask("server", for_principals("ann")) == (0, "", "")


@pytest.mark.usefixtures("account")
def test_with_a_prefix_only_principals_with_it_count() -> None:
    prefix = ("--prefix", "msglog:")
    assert ask("server", for_principals("ann", "bob"), *prefix) == (0, "", "")
    status, line, _ = ask("server", for_principals("bob", "msglog:ann"), *prefix)
    assert status == 0
    assert line.endswith(' receive-pack ann" msglog:ann\n')


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("prefix", ["a b ", 'x"', "#\n", "a\tb"])
def test_a_prefix_that_would_change_the_line_is_refused(prefix: str) -> None:
    status, line, said = ask("server", for_principals(f"{prefix}ann"), "--prefix", prefix)
    assert (status, line) == (2, "")
    assert "cannot be a principal" in said


def test_other_accounts_and_failures_get_nothing(account: Account) -> None:
    assert ask("other", for_principals("ann")) == (0, "", "")
    assert ask("other", for_principals("ann"), "--account", str(account.path)) == (0, "", "")
    assert ask("server", "nonsense")[:2] == (2, "")
    assert ask("server", for_principals("ann"), "--account", "nothing")[:2] == (7, "")
    account.path.chmod(0o777)
    assert ask("server", for_principals("ann"))[:2] == (7, "")

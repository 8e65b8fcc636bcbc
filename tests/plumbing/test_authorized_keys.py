"""`authorized-keys`: the line of one key, and nothing for whoever is not to be let in."""

import os
import pwd
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from msglog.account.account import Account
from msglog.account.authorized_keys import Entry, parse_authorized_keys
from msglog.account.forced_command import parse_command
from msglog.account.role import Role
from plumbing.program import running_program
from porcelain.cli import main
from tests.msglog.account import keymaking as make

ONE, TWO = make.key(1, "ann@laptop"), make.key(2)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the UNIX account `server`; `other` is one with another number."""
    own, other = os.geteuid(), os.geteuid() + 1
    known = {
        "server": SimpleNamespace(pw_uid=own, pw_dir=str(tmp_path)),
        "other": SimpleNamespace(pw_uid=other, pw_dir=str(tmp_path)),
        "newcomer": SimpleNamespace(pw_uid=own, pw_dir=str(tmp_path / "newcomer")),
    }
    monkeypatch.setattr(pwd, "getpwnam", lambda name: known[name])
    return tmp_path


@pytest.fixture
def account(home: Path) -> Iterator[Account]:
    made = Account.create(home / ".msglog-server", suffix="x")
    made.add_user("ann", Role.WRITE, time=1)
    made.add_keys("ann", [ONE], time=1)
    yield made
    made.close()


def ask(*words: str, home: Path) -> tuple[int, str, str]:
    """Run the command as sshd does: from `/`, with an environment that says nothing."""
    out, error = BytesIO(), BytesIO()
    arguments = ["-C", "/", "authorized-keys", *words]
    status = main(arguments, {"HOME": str(home / "elsewhere")}, BytesIO(), out, error)
    return status, out.getvalue().decode(), error.getvalue().decode()


@pytest.mark.usefixtures("account")
def test_a_key_gets_its_one_line(home: Path) -> None:
    status, line, said = ask("server", ONE.fingerprint, home=home)
    assert (status, said) == (0, "")
    (entry,) = parse_authorized_keys(line.encode())
    assert isinstance(entry, Entry)
    assert entry.blob == ONE.blob
    assert entry.options.restrict
    assert not entry.options.pty
    assert not entry.options.port_forwarding
    command = parse_command(entry.options.command or "")
    assert command is not None
    assert command.exact
    assert (command.user, command.fingerprint, command.account) == ("ann", ONE.fingerprint, None)
    program = running_program()
    assert command.before == (program.interpreter, "-I", program.script)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "fingerprint",
    [TWO.fingerprint, "", "none", f"{ONE.fingerprint}\n", "' OR 1", "SHA256:%", "MD5:" + "a" * 43],
)
def test_a_key_that_nobody_has_gets_nothing(home: Path, fingerprint: str) -> None:
    assert ask("server", fingerprint, home=home) == (0, "", "")


def test_a_removed_key_or_user_gets_nothing(home: Path, account: Account) -> None:
    account.add_keys("ann", [TWO], time=2)
    account.remove_key("ann", ONE.fingerprint)
    assert ask("server", ONE.fingerprint, home=home) == (0, "", "")
    assert "receive-pack ann" in ask("server", TWO.fingerprint, home=home)[1]
    account.remove_user("ann")
    assert ask("server", TWO.fingerprint, home=home) == (0, "", "")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("login", ["other", "newcomer", "nobody-of-this-name", "", "a\0b", "a\nb"])
def test_other_accounts_of_the_machine_are_not_opened(home: Path, login: str) -> None:
    """sshd asks about each account that somebody wants to enter, root's among them."""
    assert ask(login, ONE.fingerprint, home=home) == (0, "", "")


def test_a_named_folder_is_for_its_owner_alone(home: Path, account: Account) -> None:
    named = ("--account", str(account.path))
    assert ask("other", ONE.fingerprint, *named, home=home) == (0, "", "")
    assert "--account" not in ask("server", ONE.fingerprint, *named, home=home)[1]
    line = ask("newcomer", ONE.fingerprint, *named, home=home)[1]
    assert f' --account {account.path.resolve()}" ssh-ed25519 ' in line


def test_a_folder_that_others_may_write_to_lets_nobody_in(home: Path, account: Account) -> None:
    for mode in (0o702, 0o720, 0o777):
        account.path.chmod(mode)
        status, line, said = ask("server", ONE.fingerprint, home=home)
        assert (status, line) == (7, "")
        assert "others may write to it" in said
        assert said.count("\n") == 1


def test_a_failure_prints_nothing_and_says_so_by_its_exit_status(home: Path) -> None:
    status, line, said = ask("server", ONE.fingerprint, "--account", "nothing", home=home)
    assert (status, line, said.count("\n")) == (7, "", 1)
    folder = home / ".msglog-server"
    folder.mkdir(mode=0o700)
    assert ask("server", ONE.fingerprint, home=home)[:2] == (7, "")
    (folder / "account.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert ask("server", ONE.fingerprint, home=home)[:2] == (7, "")
    assert ask("server", home=home)[:2] == (2, "")
    assert ask("server", ONE.fingerprint, "more", home=home)[:2] == (2, "")

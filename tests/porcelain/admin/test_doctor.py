"""`admin doctor`: all is well, or it says what is not and what to do."""

import os
import pwd
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from msglog.account.account import Account
from tests.porcelain.admin.running import Home

SSHD = """\
HostKey /nonexistent
AuthorizedKeysFile .ssh/authorized_keys
AuthenticationMethods publickey
PermitUserEnvironment no
"""


@pytest.fixture
def server(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An account with an administrator, dash and a careful sshd."""
    _enter(home, monkeypatch)
    home.do("user", "add", "ann", "--role", "admin")
    home.do("key", "add", "ann", home.public_key(1))
    (home.path / "sshd_config").write_text(SSHD)
    return home


def _enter(
    home: Home, monkeypatch: pytest.MonkeyPatch, *, shell: str = "/bin/sh", number: int = 1001
) -> None:
    """Make the account that the tests run in look like an ordinary one of this home."""
    entry = SimpleNamespace(
        pw_name="server", pw_dir=str(home.path), pw_shell=shell, pw_uid=number, pw_gid=number
    )
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)


def codes(home: Home, *words: str, status: int) -> dict[str, str]:
    """What doctor finds: the severity of each code. Being root is not held against the tests."""
    result = home.admin("doctor", "--sshd-config", "sshd_config", "--json", *words)
    found = {record["code"]: record["severity"] for record in result.records}
    if os.geteuid() == 0:
        assert found.pop("root") == "warning"
    assert result.status == status, result.output
    assert result.errors == ""
    return found


def test_a_good_account_is_well(server: Home) -> None:
    assert codes(server, status=0) == {}
    said = server.do("doctor", "--sshd-config", "sshd_config").output.splitlines()[-1]
    assert said.startswith(f"{server.account} (1 repository, 1 user, 1 key): ")
    if os.geteuid() != 0:
        assert said.endswith(": all is well")


def test_warnings_let_it_pass(server: Home) -> None:
    server.do("user", "add", "bob")
    assert codes(server, status=0) == {"no-keys": "warning"}
    said = server.do("doctor", "--sshd-config", "sshd_config").output
    assert "bob has no key" in said
    assert "`msglog admin key add bob FILE.pub`" in said
    assert said.splitlines()[-1].endswith("; people can work with it")


def test_what_sshd_is_told_is_read_from_sshd(server: Home) -> None:
    config = server.path / "sshd_config"
    config.write_text(f"{SSHD}AcceptEnv LD_*\nMatch User server\n    ForceCommand /bin/date\n")
    assert codes(server, status=1) == {"accept-env": "error", "force-command": "error"}
    config.write_text(f"{SSHD}Match User other\n    ForceCommand /bin/date\n")
    assert codes(server, status=0) == {}
    config.write_text(
        "HostKey /none\nAuthorizedKeysFile /etc/keys/%u\nAuthenticationMethods publickey\n"
    )
    assert codes(server, status=1) == {"other-key-file": "error"}


def test_the_worst_comes_first(server: Home) -> None:
    server.do("user", "add", "bob")
    (server.path / "sshd_config").write_text(f"{SSHD}ForceCommand /bin/date\n")
    records = server.admin("doctor", "--sshd-config", "sshd_config", "--json").records
    severities = [record["severity"] for record in records]
    assert severities == sorted(severities)
    assert set(severities) == {"error", "warning"}


def test_settings_that_cannot_be_read_are_said_to_be_unread(server: Home) -> None:
    (server.path / "sshd_config").write_text("No such keyword\n")
    result = server.admin("doctor", "--sshd-config", "sshd_config", "--json")
    assert [record["code"] for record in result.records] == ["unread"]
    assert result.status == 0
    assert "user=server" in result.records[0]["remedy"]


def test_no_line_is_missing_where_sshd_asks_the_tables(server: Home) -> None:
    server.key_file.write_text("")
    assert codes(server, status=1) == {"missing-line": "error"}
    (server.path / "sshd_config").write_text(
        "AuthorizedKeysFile none\nAuthenticationMethods publickey\n"
        "AuthorizedKeysCommand /usr/bin/env msglog authorized-keys %u %f\n"
        "AuthorizedKeysCommandUser nobody\n"
    )
    assert codes(server, status=0) == {}


def test_nobody_needs_a_key_where_certificates_count(server: Home) -> None:
    server.do("user", "add", "carol")
    assert codes(server, status=0) == {"no-keys": "warning"}
    (server.path / "sshd_config").write_text(
        f"{SSHD}TrustedUserCAKeys /etc/ssh/ca.pub\n"
        "AuthorizedPrincipalsCommand /usr/bin/env msglog authorized-principals %u %k\n"
        "AuthorizedPrincipalsCommandUser nobody\n"
    )
    assert codes(server, status=0) == {}


def test_the_keys_are_checked_too(server: Home) -> None:
    line = server.key_file.read_text().splitlines()[1].partition('" ')[2]
    server.key_file.write_text(line.replace("AQEB", "AgIC", 1) + "\n")
    found = codes(server, status=1)
    assert {"shell", "missing-line"} <= set(found)


def test_no_account_yet(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _enter(home, monkeypatch)
    (home.path / "sshd_config").write_text(SSHD)
    assert codes(home, "--account", "nothing", status=1) == {"unusable": "error"}
    said = home.admin("doctor", "--account", "nothing").output
    assert "Make one with `msglog admin init`." in said


def test_a_damaged_database_and_a_damaged_repository(server: Home) -> None:
    store = server.account / "repositories" / "main" / "store.db"
    store.write_bytes(b"not a store, but long enough to be read as one" * 100)
    assert codes(server, status=1) == {"repository": "error"}
    (server.account / "account.db").write_bytes(b"not an account")
    for rest in server.account.glob("account.db-*"):
        rest.unlink()
    assert codes(server, status=1) == {"unusable": "error"}


def test_every_repository_is_opened(server: Home) -> None:
    deep = server.account / "repositories" / "team" / "ops"
    deep.mkdir(parents=True)
    (deep / "store.db").write_bytes(b"damaged" * 1000)
    result = server.admin("doctor", "--json")
    assert "repository team/ops" in [record["file"] for record in result.records]
    (server.account / "repositories" / "main").rename(server.account / "repositories" / "other")
    (deep / "store.db").unlink()
    assert codes(server, status=1) == {"no-main": "error"}


def test_modes(server: Home) -> None:
    server.account.chmod(0o755)
    assert codes(server, status=1) == {"mode": "error"}


def test_the_shell_is_tried(server: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = server.path / "bash"
    shell.write_text('#!/bin/sh\necho Welcome "${HOME##*/}"\nexec /bin/sh "$@"\n')
    shell.chmod(0o755)
    _enter(server, monkeypatch, shell=str(shell))
    result = server.admin("doctor", "--sshd-config", "sshd_config")
    assert r"'Welcome home\n'" in result.output
    assert "~/.bashrc" in result.output
    shell.write_text('#!/bin/sh\nexec /bin/sh "$@"\n')
    assert codes(server, status=0) == {"shell-reads-files": "warning"}
    shell.write_text("#!/bin/sh\necho no such thing >&2\nexit 3\n")
    result = server.admin("doctor", "--sshd-config", "sshd_config")
    assert "does not start through it: no such thing." in result.output
    assert result.status == 1
    shell.write_text('#!/bin/sh\n/bin/sh "$@"\necho more\n')
    assert "not-starting" in codes(server, status=1)
    _enter(server, monkeypatch, shell=str(server.path / "none"))
    assert "not-starting" in codes(server, status=1)
    _enter(server, monkeypatch, shell="/usr/sbin/nologin")
    assert codes(server, status=1) == {"shell-closed": "error"}


def test_a_bash_that_reads_a_loud_file(server: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """bash itself, which Debian has built so that it reads ~/.bashrc when sshd starts it."""
    _enter(server, monkeypatch, shell="/bin/bash")
    (server.path / ".bashrc").write_text("echo Welcome\n")
    assert "shell-prints" in codes(server, status=1)


def test_the_clock(server: Home) -> None:
    account = Account.open(server.account)
    account._database.execute("UPDATE users SET created = created + 86400000000")
    account.close()
    assert codes(server, status=1) == {"clock": "error"}


def test_a_program_that_cannot_be_found(server: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("executable", "prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, "/nowhere")
    assert codes(server, status=1) == {"unusable": "error"}


def test_an_account_of_somebody_whom_nobody_knows(
    server: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    result = server.admin("doctor", "--json")
    assert {"no-login", "unread"} <= {record["code"] for record in result.records}
    assert result.status == 1


def test_quiet_says_nothing_of_a_good_account(server: Home) -> None:
    said = server.do("doctor", "-q", "--sshd-config", "sshd_config").output
    assert str(Path(server.account)) not in said


def test_a_value_that_changed_in_the_tables(server: Home) -> None:
    account = Account.open(server.account)
    account.database.execute("DROP INDEX settings_values")
    account.close()
    result = server.admin("doctor", "--sshd-config", "sshd_config")
    assert result.status == 1
    assert "[damaged]" in result.output
    assert "settings_values" in result.output

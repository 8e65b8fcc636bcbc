"""A change of the account and its record are one: both are made, or neither."""

import sqlite3
from typing import Any

import pytest

from msglog.account.database import AccountBusyError
from msglog.postgres_link import Link
from porcelain.admin import place
from tests.porcelain.admin.running import Home
from tests.postgres.databases import Databases


def test_a_change_that_cannot_be_recorded_is_not_made(home: Home) -> None:
    home.do("user", "add", "ann")
    tables = sqlite3.connect(home.account / "account.db")
    tables.execute(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    tables.commit()
    tables.close()
    for words in (
        ["user", "add", "bob"],
        ["user", "rename", "ann", "eve"],
        ["user", "set-role", "ann", "admin"],
        ["key", "add", "ann", home.public_key(1)],
        ["grant", "ann", "read", "ops/*"],
        ["policy", "set", "ops/*", "enforce-author=on"],
        ["set", "audit.syslog", "on"],
    ):
        assert home.admin(*words).status == 7, words
    assert home.do("user", "list").output == "ann              none    0 keys\n"
    assert home.do("user", "show", "ann").output.count("\n") == 3
    assert home.do("policy", "list").output == ""
    assert "audit.syslog off" in home.do("set").output
    assert not home.key_file.exists()


def test_what_is_mended_is_recorded_and_what_would_be_is_not(home: Home) -> None:
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1))
    home.key_file.chmod(0o666)
    assert home.admin("key", "check", "--fix", "--dry-run").status in (0, 1)
    assert "key check" not in home.do("audit").output
    home.admin("key", "check", "--fix")
    last = home.do("audit", "--json").records[-1]
    assert last["operation"] == "admin key check"
    assert last["detail"]


@pytest.mark.parametrize("path", ["keys", "~keys", "", "/a\nb", "/" + "x" * 1001])
def test_a_file_of_keys_has_an_absolute_path(home: Home, path: str) -> None:
    assert home.admin("set", "keys.file", path).status == 2


def test_keys_are_written_where_the_account_says(home: Home) -> None:
    home.do("set", "keys.file", "~/keys/sshd")
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1))
    assert not home.key_file.exists()
    assert "ssh-ed25519" in (home.path / "keys" / "sshd").read_text()
    assert str(home.path / "keys" / "sshd") in home.do("key", "sync").output


def test_an_account_that_is_busy_is_not_taken_to_have_the_usual_file(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.do("set", "keys.file", "~/keys")
    home.do("user", "add", "ann")
    monkeypatch.setattr(place, "setting", fail)
    assert home.admin("key", "sync").status == 7
    assert home.admin("key", "add", "ann", home.public_key(1)).status == 7
    assert not home.key_file.exists()


def fail(*_: object) -> str:
    raise AccountBusyError("account.db is busy")


def test_a_change_that_failed_for_a_moment_is_made_and_recorded_once(
    home: Home, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.keep_in(databases.fresh())
    genuine = Link.execute
    cut: list[str] = []

    def execute(link: Link, sql: str, *values: Any) -> int:
        if "INSERT INTO users" in sql and not cut:
            cut.append(sql)
            done = genuine(link, sql, *values)
            assert link.session.connection is not None
            link.session.connection.close()
            return done
        return genuine(link, sql, *values)

    monkeypatch.setattr(Link, "execute", execute)
    home.do("user", "add", "ann")
    assert len(cut) == 1
    recorded = [one["operation"] for one in home.do("audit", "--json").records]
    assert recorded.count("admin user add") == 1
    assert [one["user"] for one in home.do("user", "list", "--json").records] == ["ann"]

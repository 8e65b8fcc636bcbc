"""`admin backup` and `admin restore`: a whole account, and the sessions that it then serves."""

import os
import sqlite3
from pathlib import Path

import pytest

from msglog.repository import Repository
from porcelain.admin import place
from tests.plumbing.peers import add, message
from tests.porcelain.admin.running import Home
from tests.porcelain.conftest import CommandLine


@pytest.fixture
def filled(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(place, "why_unstartable", lambda _: "")
    monkeypatch.setattr(place, "check_starts", lambda _: None)
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1, comment="ann@laptop"))
    home.do("repository", "add", "team/ops")
    home.do("grant", "ann", "read", "team/ops", "*")
    home.do("policy", "set", "*", "max-future=300")
    home.do("set", "audit.keep", "5000")
    for name, count in (("main", 5), ("team/ops", 7)):
        repository = Repository.open(home.account / "repositories" / name)
        add(repository, *map(message, range(count)))
        repository.close()
    return home


def shown(home: Home, account: Path | None = None) -> list[str]:
    where = [] if account is None else ["--account", str(account)]
    commands = ("user list", "key list", "repository list", "policy list", "set audit.keep")
    return [home.do(*command.split(" "), *where).output for command in commands]


def names(home: Home) -> set[str]:
    return set(os.listdir(home.path))


def test_there_and_back(filled: Home) -> None:
    before, expected = names(filled), shown(filled)
    made = filled.do("backup", "one")
    assert made.output.startswith("Backed up 2 repositories with 12 messages, ")
    assert (filled.path / "one").stat().st_mode & 0o777 == 0o600
    assert names(filled) == {*before, "one"}
    restored = filled.do("restore", "one", "copy")
    assert restored.output.startswith("Restored 2 repositories with 12 messages as of ")
    copy = filled.path / "copy"
    assert f"\nRun `msglog admin key sync --account {copy}` to let" in restored.output
    assert shown(filled, copy) == expected
    assert copy.stat().st_mode & 0o777 == 0o700
    assert filled.admin("doctor", "--account", str(copy)).output.count("cannot be used") == 0
    for name in ("main", "team/ops"):
        old = Repository.open(filled.account / "repositories" / name)
        new = Repository.open(copy / "repositories" / name)
        assert old.store.identity == new.store.identity
        assert old.logs() == new.logs()
        new.close()
        old.close()


def test_it_is_in_the_audit(filled: Home) -> None:
    filled.do("backup", "one")
    assert "admin backup ok one" in filled.do("audit").output
    filled.do("restore", "-n", "one", "--account", str(filled.account))
    assert "admin restore" not in filled.do("audit").output
    filled.do("restore", "--replace", "one")
    assert "admin restore ok one" in filled.do("audit").output


def test_what_is_there_is_left_alone_or_put_aside(filled: Home) -> None:
    filled.do("backup", "one")
    filled.do("user", "add", "bob")
    before = names(filled)
    refused = filled.admin("restore", "one")
    assert refused.status == 7
    assert "--replace" in refused.errors
    assert "bob" in filled.do("user", "list").output
    assert names(filled) == before
    said = filled.do("restore", "--replace", "one").output
    assert "bob" not in filled.do("user", "list").output
    (aside,) = names(filled) - before
    assert aside in said
    assert "bob" in filled.do("user", "list", "--account", str(filled.path / aside)).output
    filled.do("key", "sync")


def test_a_damaged_account_in_place_is_put_aside_too(filled: Home) -> None:
    filled.do("backup", "one")
    (filled.account / "account.db").write_bytes(b"\xff" * 5000)
    assert filled.admin("restore", "one").status == 7
    filled.do("restore", "--replace", "one")
    assert "ann" in filled.do("user", "list").output


def test_json(filled: Home) -> None:
    (made,) = filled.do("backup", "one", "--json").records
    assert made["repositories"] == {"main": 5, "team/ops": 7}
    assert made["bytes"] == (filled.path / "one").stat().st_size
    (checked,) = filled.do("restore", "one", "-n", "--json").records
    assert (checked["path"], checked["messages"]) == (None, 12)


def test_a_damaged_repository_is_named_and_nothing_is_written(filled: Home) -> None:
    before = names(filled)
    connection = sqlite3.connect(filled.account / "repositories" / "team" / "ops" / "store.db")
    connection.execute("DELETE FROM messages WHERE key = (SELECT max(key) FROM messages)")
    connection.commit()
    connection.close()
    failed = filled.admin("backup", "one")
    assert failed.status == 5
    assert "'team/ops'" in failed.errors
    assert names(filled) == before


def test_the_two_kinds_are_told_apart(filled: Home) -> None:
    filled.do("backup", "one")
    repository = Repository.create(filled.path / ".msglog", identity=bytes(16), time=0)
    repository.close()
    cli = CommandLine(filled.path, filled.path)
    assert "admin restore" in cli.fails(7, "-C", str(filled.path), "restore", "one", "x")
    cli.ok("-C", str(filled.path), "backup", "two")
    failed = filled.admin("restore", "two", "y")
    assert failed.status == 7
    assert "`msglog restore`" in failed.errors


@pytest.mark.parametrize("action", ["backup", "restore"])
def test_it_is_not_for_elsewhere(filled: Home, action: str) -> None:
    failed = filled.admin(action, "one", "--remote", "server@host")
    assert failed.status == 2
    assert "--remote" in failed.errors


def test_an_account_that_moves_to_a_new_folder_serves_its_users(filled: Home) -> None:
    filled.do("backup", "one")
    filled.do("restore", "one", "new")
    filled.do("key", "sync", "--account", str(filled.path / "new"))
    assert str(filled.path / "new") in filled.key_file.read_text()


def test_an_account_in_its_usual_place_need_not_be_named(filled: Home) -> None:
    filled.do("backup", "one")
    restored = filled.do("restore", "one", "--replace")
    assert "\nRun `msglog admin key sync` to let" in restored.output

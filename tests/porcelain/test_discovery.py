import os
from pathlib import Path

import pytest

from tests.porcelain.conftest import CommandLine


def test_here_or_above(cli: CommandLine) -> None:
    deep = cli.folder / "a" / "b"
    deep.mkdir(parents=True)
    cli.ok("-C", str(deep), "add", "x")
    assert cli.ok("logs") == "main  1\n"
    assert cli.ok("-C", ".msglog", "logs") == "main  1\n"


def test_none_anywhere(empty: CommandLine) -> None:
    for arguments in (["add", "x"], ["list"], ["status"], ["remote"], ["drop"], ["show", "abcd"]):
        assert "msglog init" in empty.fails(7, *arguments)
    assert "MSGLOG_DIR" in empty.run("list", environment={"MSGLOG_DIR": "x"}).error


def test_plumbing_is_told_where_its_repository_is(cli: CommandLine) -> None:
    (cli.folder / "below").mkdir()
    assert cli.ok("-C", "below", "for-each-ref").endswith("\trefs/logs/main\n")
    assert "msglog init" in cli.fails(7, "-C", "/", "for-each-ref")
    result = cli.run("for-each-ref", environment={"MSGLOG_DIR": "/nowhere"})
    assert result.status == 7
    assert "/nowhere (MSGLOG_DIR names it)" in result.error


def test_the_hint_makes_it_where_it_was_looked_for(cli: CommandLine) -> None:
    (cli.folder.parent / "other place").mkdir()
    said = cli.fails(7, "-C", "../other place", "list")
    assert said.endswith(f"`msglog init '{cli.folder.parent}/other place'`.")
    (cli.folder / "below").mkdir()
    result = cli.run("list", environment={"MSGLOG_DIR": "."})
    inside = cli.folder / ".msglog"
    assert result.error.endswith(f" (MSGLOG_DIR names it). Did you mean {inside}?\n")


def test_the_users_own_log_comes_last(empty: CommandLine) -> None:
    empty.ok("init", "--user", "-q")
    empty.ok("add", "mine")
    assert empty.ok("logs") == "main  1\n"
    empty.ok("init", "-q")
    assert empty.ok("logs") == "main  0\n"
    data = {"XDG_DATA_HOME": str(empty.folder / "data")}
    empty.ok("init", "--user", "-q", environment=data)
    assert (empty.folder / "data" / "msglog" / ".msglog").is_dir()


@pytest.mark.parametrize("command", [["add", "x"], ["list"], ["push"], ["for-each-ref"], []])
def test_one_that_cannot_be_used_is_not_passed_over_for_another(
    cli: CommandLine, command: list[str]
) -> None:
    cli.ok("init", "--user", "-q")
    inner = cli.folder / "inner"
    (inner / ".msglog").mkdir(parents=True)
    for place in (inner, inner / ".msglog"):
        error = cli.fails(7, "-C", str(place), *command)
        assert f"{inner}/.msglog has no store.db" in error
    cli.ok("-C", str(inner), "init", "-q")
    cli.ok("-C", str(inner), "add", "x")
    (inner / ".msglog" / "store.db").unlink()
    (inner / ".msglog" / "store.db").symlink_to("store.db")  # which root cannot read either
    assert "cannot be read" in cli.fails(7, "-C", str(inner), *command)
    assert "main  0\n" in cli.ok("logs")


def test_a_folder_of_ones_own_log_without_a_store_is_no_reason_to_make_one(
    empty: CommandLine,
) -> None:
    own = empty.folder.parent / "data" / "msglog"
    (own / ".msglog").mkdir(parents=True)
    data = {"XDG_DATA_HOME": str(own.parent)}
    result = empty.run("add", "x", environment=data)
    assert result.status == 7
    assert f"{own}/.msglog has no store.db" in result.error


def test_a_chosen_folder_beats_the_environment_and_never_falls_back(cli: CommandLine) -> None:
    cli.ok("init", "--user", "-q")
    other = cli.folder.parent / "other"
    other.mkdir()
    cli.fails(7, "-C", str(other), "list")
    cli.ok("-C", str(other), "init", "-q")
    named = {"MSGLOG_DIR": str(other / ".msglog")}
    cli.ok("add", "x", environment=named)
    assert cli.ok("logs") == "main  0\n"
    assert cli.ok("-C", ".", "logs", environment=named) == "main  0\n"
    assert cli.ok("-C", str(other), "logs") == "main  1\n"


def test_a_server_account_is_not_found(empty: CommandLine) -> None:
    account = empty.folder / "repositories" / "main"
    account.parent.mkdir()
    empty.ok("init", "-q", environment={"MSGLOG_DIR": str(account)})
    empty.fails(7, "-C", str(account), "list")
    empty.ok("list", environment={"MSGLOG_DIR": str(account)})


def test_one_that_everybody_may_write_to_is_refused(cli: CommandLine) -> None:
    (cli.folder / ".msglog").chmod(0o777)
    assert "chmod o-w" in cli.fails(7, "list")
    (cli.folder / ".msglog").chmod(0o775)
    cli.ok("list")


def test_one_of_another_user_is_used_only_when_it_is_named(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Path(cli.folder / ".msglog").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert "another user" in cli.fails(7, "list")
    cli.ok("list", environment={"MSGLOG_DIR": str(cli.folder / ".msglog")})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    cli.ok("list")
    assert os.geteuid() == 0


def test_it_is_shown_how_ids_are_learned_where_there_are_many(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("porcelain.progress._PATIENCE", 0.0)
    monkeypatch.setattr("porcelain.discovery._MANY", 3)
    cli.ok("add", "--batch", "-q", stdin="one\ntwo\n")
    oid = cli.ok("list", "-n", "1", "--format", "%H").strip()
    assert cli.run("show", oid, "--progress").error == ""  # there were two
    cli.ok("add", "three", "-q")
    assert "Learning ids" in cli.run("show", oid, "--progress").error
    assert cli.run("show", oid, "--progress").error == ""

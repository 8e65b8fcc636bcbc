"""`admin init`: an account with its repository, and no harm when said again."""

import shutil
import stat
from pathlib import Path

import psycopg
import pytest

from msglog.repository import Repository
from tests.porcelain.admin.running import Home
from tests.postgres.databases import Databases


def test_an_account_with_main(home: Home) -> None:
    repository = Repository.open(home.account / "repositories" / "main")
    assert [log.name for log in repository.logs()] == ["main"]
    repository.close()
    assert stat.S_IMODE(home.account.stat().st_mode) == 0o700


def test_saying_it_twice_is_harmless(home: Home) -> None:
    home.do("user", "add", "ann")
    assert "already" in home.do("init").output
    assert home.do("init", "--json").records == [{"path": str(home.account), "made": False}]
    assert [user["user"] for user in home.do("user", "list", "--json").records] == ["ann"]


def test_what_a_cut_off_run_left_out_is_made(home: Home) -> None:
    shutil.rmtree(home.account / "repositories")
    home.do("init")
    Repository.open(home.account / "repositories" / "main").close()


def test_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert str(tmp_path / "one") in home.do("init", "one").output
    assert str(tmp_path / "two") in home.do("init", "--account", "two").output
    assert not home.account.exists()
    for place in ("one", "two"):
        home.do("user", "list", "--account", place)


def test_without_an_account_nothing_works(tmp_path: Path) -> None:
    result = Home(tmp_path).admin("user", "list")
    assert result.status == 7
    assert "there is no server account" in result.errors
    assert "msglog admin init" in result.errors
    assert list(tmp_path.iterdir()) == []


def test_an_account_in_postgresql_is_one_for_all_hosts(
    tmp_path: Path, databases: Databases
) -> None:
    address = databases.fresh()
    here, there = tmp_path / "here", tmp_path / "there"
    for place in (here, there):
        place.mkdir()
    first, second = Home(here), Home(there)
    assert first.do("init", "--store", address, "--json").records[0]["made"] is True
    assert second.do("init", "--store", address, "--json").records[0]["made"] is False
    assert second.do("init").output.startswith("There is a server account already")
    first.do("user", "add", "ann", "--role", "write")
    assert [user["user"] for user in second.do("user", "list", "--json").records] == ["ann"]
    second.do("key", "add", "ann", second.public_key(1))
    assert "receive-pack ann" in second.key_file.read_text()
    assert not first.key_file.exists()
    first.do("key", "sync")
    lines = first.key_file.read_text()
    assert lines.replace(str(here), str(there)) == second.key_file.read_text()
    second.do("user", "remove", "ann")
    assert first.do("user", "list").output == ""
    for name in ("doctor", "metrics", "gc", "audit"):
        assert "Traceback" not in first.admin(name).errors
    assert (here / ".msglog-server" / "account.address").read_text().strip() == address
    assert stat.S_IMODE((here / ".msglog-server" / "account.address").stat().st_mode) == 0o600


def test_the_environment_may_name_the_store(tmp_path: Path, databases: Databases) -> None:
    home = Home(tmp_path)
    home.do("init", environment={"MSGLOG_STORE": databases.fresh()})
    assert (home.account / "account.address").exists()
    assert home.do("repository", "list").output == "main\t0 messages in 1 log\n"
    # Where there is an account, it says itself where it is.
    home.do("user", "list", environment={"MSGLOG_STORE": "postgresql://nowhere.invalid/"})


def test_who_names_a_store_without_saying_whether_there_is_tls_is_warned(
    tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    address = databases.fresh()
    assert home.do("init", "--store", address).errors == ""
    monkeypatch.setattr("msglog.postgres_connection.leaves_tls_open", lambda *_: True)
    result = home.do("init", "--store", address)
    assert result.errors.startswith("msglog: warning: the address leaves it to whoever answers")
    assert "sslmode=verify-full" in result.errors
    assert result.errors.count("\n") == 1
    codes = [finding["code"] for finding in home.admin("doctor", "--json").records]
    assert "tls" in codes
    # That of the tests is so on purpose.
    assert codes.count("not-durable") == 2


def test_a_store_that_is_named_by_nothing_is_no_account_in_files(tmp_path: Path) -> None:
    """As where a script names a variable that is not set."""
    home = Home(tmp_path)
    result = home.admin("init", "--store", "")
    assert result.status == 2
    assert "the connection string cannot be kept (it is empty)" in result.errors
    assert not home.account.exists()


def test_an_address_that_could_not_be_read_again_is_not_kept(
    home: Home, tmp_path: Path, databases: Databases
) -> None:
    address = f"{databases.fresh()}&application_name=\n"
    for words in (
        ("init", "--store", address, "--account", str(tmp_path / "made")),
        ("migrate", "--store", address, str(tmp_path / "made")),
    ):
        result = home.admin(*words)
        assert result.status == 2
        assert "it has more than one line" in result.errors
        assert not (tmp_path / "made").exists()


def test_a_schema_that_is_not_there_is_said(tmp_path: Path, databases: Databases) -> None:
    home = Home(tmp_path)
    address = databases.server.address("nowhere")
    result = home.admin("init", "--store", address)
    assert result.status == 7
    assert "no schema of its search path is there, or may be used" in result.errors
    assert "CREATE SCHEMA" in result.errors
    assert "admin init" not in result.errors


def test_a_schema_of_another_program_is_said_to_be(tmp_path: Path, databases: Databases) -> None:
    """A name that is taken was waited for, as where another host is just making the tables."""
    home = Home(tmp_path)
    address = databases.fresh()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.execute("CREATE VIEW settings AS SELECT 1")
    result = home.admin("init", "--store", address)
    assert result.status == 7
    assert "has settings, users of another program" in result.errors
    assert "search_path" in result.errors
    assert not home.account.exists()


def test_who_names_a_store_by_what_sessions_do_not_have_is_warned(
    tmp_path: Path, databases: Databases
) -> None:
    home = Home(tmp_path)
    more = {"PGPASSWORD": "hush"}
    result = home.do("init", "--store", databases.fresh(), environment=more)
    assert result.errors == (
        "msglog: warning: PGPASSWORD is of this environment alone, and sessions of sshd do not have"
        " it. Say it in the address, or have the password in ~/.pgpass.\n"
    )
    found = home.admin("doctor", "--json", environment=more).records
    assert "not-in-sessions" in [finding["code"] for finding in found]
    assert "not-in-sessions" not in home.admin("doctor", "--json").output


def test_what_ignores_the_options_of_a_connection_is_warned_of(
    tmp_path: Path, databases: Databases
) -> None:
    """As PgBouncer may be told to; the tables are then in another schema than the address says."""
    home = Home(tmp_path)
    address = f"{databases.fresh()}%20-cstatement_timeout%3D0"
    result = home.do("init", "--store", address)
    assert result.errors.startswith("msglog: warning: connections have no statement_timeout")
    assert "ALTER ROLE" in result.errors
    assert result.errors.count("\n") == 1
    codes = [finding["code"] for finding in home.admin("doctor", "--json").records]
    assert "options-ignored" in codes


def test_no_password_is_kept_or_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for address in (
        "postgresql://me:hush@127.0.0.1/msglog",
        "host=127.0.0.1 password=hush",
        "postgresql://me:hush@[127.0.0.1/msglog",
        "host=127.0.0.1 hush",
        "postgresql://me@127.0.0.1/x?sslpassword=hush",
        "postgresql://me@127.0.0.1/x?scram_client_key=hush",
    ):
        result = home.admin("init", "--store", address)
        assert result.status == 2
        assert "hush" not in result.errors
    assert not home.account.exists()


def test_an_account_in_files_is_not_hidden_by_another(home: Home, databases: Databases) -> None:
    result = home.admin("init", "--store", databases.fresh())
    assert result.status == 7
    assert "admin migrate" in result.errors

"""What is damaged in the rows of an account in PostgreSQL is named by `verify`."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import psycopg
import pytest

from msglog.account.account import Account
from porcelain.cli import main
from tests.porcelain.admin.running import Home, Result
from tests.porcelain.admin.test_migrate import write
from tests.postgres.databases import Databases


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Home:
    made = Home(tmp_path_factory.mktemp("home"))
    made.do("init", "--store", databases.fresh())
    made.do("repository", "add", "team/ops")
    write(made.account, "team/ops", range(200))
    return made


@pytest.fixture
def connection(home: Home) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """What is changed by it is changed back."""
    address = (home.account / "account.address").read_text().strip()
    with psycopg.connect(address, autocommit=True) as made:
        tables = (
            "repositories",
            "gates",
            "messages",
            "nodes",
            "refs",
            "reflog",
            "receipts",
            "usage",
            "lookup",
            "looked_up",
        )
        for table in tables:
            made.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}".encode())
        yield made
        for table in tables:
            made.execute(f"DELETE FROM {table}".encode())
            made.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}".encode())
            made.execute(f"DROP TABLE kept_{table}".encode())


def run(home: Home, *words: str, name: str = "team/ops") -> Result:
    stdout, stderr = BytesIO(), BytesIO()
    place = str(home.account / "repositories" / name)
    environment = {"HOME": str(home.path), "MSGLOG_DIR": place}
    status = main(list(words), environment, BytesIO(), stdout, stderr)
    return Result(status, stdout.getvalue().decode(), stderr.getvalue().decode())


def test_a_sound_one_is_said_to_be(home: Home) -> None:
    result = run(home, "verify")
    assert (result.status, result.errors) == (0, "")
    assert "refs/logs/main: 200 messages" in result.output
    assert len(run(home, "list", "--json").output.splitlines()) == 200
    assert run(home, "verify", name="absent").status == 7
    assert run(home, "verify", name="../team/ops").status == 7


FLIPPED = "set_byte({0}, 5, get_byte({0}, 5) # 4)"


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("repositories", f"identity = {FLIPPED.format('identity')}", "identity or age"),
        ("repositories", "created = created + 4", "identity or age"),
        ("gates", "number = 77", "the gates"),
        ("messages", f"data = {FLIPPED.format('data')}", "message "),
        ("messages", f"key = {FLIPPED.format('key')}", "message "),
        ("messages", "form = 1 - form", "message "),
        ("messages", "form = 7", "kept in no form"),
        ("messages", "receipt = receipt + 8", "receipt "),
        ("nodes", f"data = {FLIPPED.format('data')}", "node "),
        ("nodes", f"oid = {FLIPPED.format('oid')}", "node "),
        ("refs", f"root = {FLIPPED.format('root')}", "not what was last written"),
        ("refs", "count = count + 4", "not what was last written"),
        ("refs", "version = version + 4", "not what was last written"),
        ("refs", "name = 'refs/logs/maim'", "it is missing, and was not deleted"),
        ("reflog", "reason = 'Push'", "a past value is not as it was written"),
        ("reflog", "time = time + 4", "a past value is not as it was written"),
        ("receipts", "\"user\" = 'cau'", "is not as it was written"),
        ("receipts", "time = time + 4", "is not as it was written"),
        ("receipts", "messages = messages + 4", "is not as it was written"),
        ("usage", "size = size + 4", "is not as it was written"),
        ("usage", "\"user\" = '#3-5'", "is not as it was written"),
        ("lookup", "time = time + 4", "the look-up by id"),
        ("looked_up", f"root = {FLIPPED.format('root')}", "the look-up by id"),
    ],
)
def test_a_changed_bit_is_named(
    home: Home,
    connection: "psycopg.Connection[tuple[object, ...]]",
    table: str,
    change: str,
    said: str,
) -> None:
    where = f"ctid = (SELECT ctid FROM {table} WHERE repository = 2 ORDER BY ctid LIMIT 1)"
    if table == "repositories":
        where = "number = 2"
    if table == "messages" and "receipt" in change:
        where = "receipt <> 0"
    changed = connection.execute(f"UPDATE {table} SET {change} WHERE {where}".encode())
    assert changed.rowcount == 1
    result = run(home, "verify")
    assert result.status == 1
    assert said in result.output


def test_a_damaged_repository_is_not_backed_up(
    home: Home, connection: "psycopg.Connection[tuple[object, ...]]", tmp_path: Path
) -> None:
    home.do("backup", str(tmp_path / "sound.tar"))
    connection.execute(b"UPDATE messages SET data = ''")
    result = home.admin("backup", str(tmp_path / "damaged.tar"))
    assert result.status == 5
    assert "team/ops" in result.errors
    assert not (tmp_path / "damaged.tar").exists()


def test_a_backup_is_restored_in_files(home: Home, tmp_path: Path) -> None:
    home.do("user", "add", "eve")
    home.do("backup", str(tmp_path / "backup.tar"))
    home.do("user", "remove", "eve")
    home.do("restore", str(tmp_path / "backup.tar"), str(tmp_path / "restored"))
    account = Account.open(tmp_path / "restored")
    assert [user.name for user in account.users()] == ["eve"]
    repository = account.open_repository("team/ops")
    assert repository.log("main").count == 200
    repository.close()
    account.close()


@pytest.mark.parametrize("more", [(), ("--replace",)])
def test_a_host_that_takes_part_is_not_made_one_of_its_own(
    home: Home, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """The others went on with the database, and clients found two accounts under one name."""
    home.do("backup", str(tmp_path / "backup.tar"))
    result = home.admin("restore", str(tmp_path / "backup.tar"), *more)
    assert result.status == 7
    assert "takes part in an account in PostgreSQL" in result.errors
    assert "msglog admin migrate --store" in result.errors
    assert [path.name for path in home.account.iterdir()] == ["account.address"]
    home.do("restore", str(tmp_path / "backup.tar"), "--dry-run")


def test_what_is_damaged_is_not_put_right_by_one_host_alone(
    home: Home, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    home.do("user", "add", "dan")
    home.do("user", "remove", "dan")
    changed = connection.execute(b"UPDATE audit SET detail = 'den' WHERE detail = 'dan'")
    assert changed.rowcount == 1
    found = [one for one in home.admin("doctor", "--json").records if one["code"] == "damaged"]
    connection.execute(b"UPDATE audit SET detail = 'dan' WHERE detail = 'den'")
    assert found
    assert all("migrate --store" in one["remedy"] for one in found)
    assert not any("--replace" in one["remedy"] for one in found)


@pytest.mark.parametrize(
    "words",
    [("list", "-n", "2"), ("status",), ("search", "fox"), ("ls-index",), ("for-each-ref",)],
    ids=" ".join,
)
def test_what_reads_works_by_the_folder_that_it_would_have(
    home: Home, words: tuple[str, ...]
) -> None:
    result = run(home, *words)
    assert (result.status, result.errors) == (0, "")
    assert result.output
    assert not (home.account / "repositories").exists()

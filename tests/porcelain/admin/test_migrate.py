"""`admin migrate`: an account goes to PostgreSQL and back, and nothing of it is lost."""

import tempfile
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from msglog.account import migration
from msglog.account.account import Account
from msglog.account.audit import PUSH, Act, Trail, Visit, records
from msglog.account.database import AccountError
from msglog.account.migration import FolderTarget, migrate
from msglog.account.postgres_account import PostgresAccount
from msglog.account.postgres_migration import PostgresTarget
from msglog.account.setting import all_settings, change_setting
from msglog.account.totals import totals
from msglog.key import FIRST_KEY, Key
from msglog.message import object_key
from msglog.repository import Repository
from msglog.store.store import Agreement, Commit, HeldBack, Quota, Receipt, Refusal
from tests.plumbing.peers import message
from tests.porcelain.admin.running import Home
from tests.postgres.databases import Databases


def fill(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "admin")
    home.do("user", "add", "bob", "--role", "write")
    home.do("user", "remove", "bob")  # so that the numbers of users have a hole
    home.do("user", "add", "cat", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1))
    home.do("grant", "cat", "read", "lab/*")
    home.do("policy", "set", "*", "max-future=60")
    home.do("set", "audit.keep", "1000")
    home.do("repository", "add", "team/ops")
    for name in ("main", "team/ops"):
        write(home.account, name, range(200))


def messages(*numbers: int) -> dict[Key, bytes]:
    return {object_key(data): data for data in map(message, numbers)}


def write(account: Path, name: str, numbers: range) -> None:
    with closing(Account.open(account)) as opened:
        repository = opened.open_repository(name)
        (key, *_) = given = messages(*numbers)
        repository.add("main", given, time=1_000_000)
        extra = messages(numbers.stop + 1000)
        root = repository.log("main").root
        repository.store.commit(
            Commit(
                2_000_000,
                "push",
                messages=extra,
                receipt=Receipt("cat", 5, "main", "SHA256:x"),
                quota=Quota(user="#3-1"),
                agreed=[Agreement("user:cat", "main", FIRST_KEY, root)],
                held_back=[HeldBack("user:cat", "main", (Refusal(key, "no", "why"),))],
            )
        )
        repository.find("0000")
        repository.close()


def everything(folder: Path) -> dict[str, Any]:
    with closing(Account.open(folder)) as account:
        found: dict[str, Any] = {
            "users": account.users(),
            "keys": account.keys_of(),
            "grants": account.grants(),
            "totals": totals(account.database),
            "ids": account.database.select("SELECT id, name FROM users ORDER BY id"),
        }
        for name in account.repository_names():
            repository = account.open_repository(name)
            store, keys = repository.store, list(messages(*range(2000)))
            root = repository.log("main").root
            found[name] = (
                store.identity,
                store.refs(),
                store.find_messages(keys),
                store.receipts(keys),
                store.usage("#3-1"),
                store.reflog("refs/logs/main", 9),
                store.agreed("user:cat", "main", FIRST_KEY),
                store.held_back("user:cat", "main"),
                store.indexed("main"),
                store.look_up("00", 5),
                list(repository.keys(root)),
                list(store.faults()),
            )
            repository.close()
    return found


def assert_same(one: Path, other: Path) -> None:
    """Compare all but the totals, to which a copy itself adds where it was started."""
    left, right = everything(one), everything(other)
    assert {**left, "totals": ()} == {**right, "totals": ()}


def test_to_postgresql_and_back(home: Home, tmp_path: Path, databases: Databases) -> None:
    fill(home)
    before = everything(home.account)
    address = databases.fresh()
    said = home.do("migrate", str(tmp_path / "over"), "--store", address)
    assert "2 repositories with 400 messages" in said.output
    assert f"Run `msglog admin key sync --account {tmp_path / 'over'}` to let" in said.output
    assert {path.name for path in (tmp_path / "over").iterdir()} == {"account.address"}
    assert everything(tmp_path / "over") == before
    # A user who is added there gets a number that nobody has had.
    home.do("user", "add", "dan", "--account", str(tmp_path / "over"))
    home.do("user", "remove", "dan", "--account", str(tmp_path / "over"))
    assert home.do(
        "migrate", str(tmp_path / "back"), "--account", str(tmp_path / "over"), "--json"
    ).records == [
        {
            "path": str(tmp_path / "back"),
            "repositories": {"main": 200, "team/ops": 200},
            "messages": 400,
        }
    ]
    after = everything(tmp_path / "back")
    assert {**after, "totals": before["totals"]} == before
    audit = home.do("audit", "--account", str(tmp_path / "back"), "--json", "--limit", "50")
    assert [one["detail"] for one in audit.records][-1:] == ["dan"]
    # What was written to PostgreSQL meanwhile is not lost by writing it again.
    result = home.admin("migrate", str(tmp_path / "over2"), "--store", address)
    assert result.status == 7
    assert "has an account already" in result.errors
    assert not (tmp_path / "over2").exists()


def test_how_far_it_has_come_is_shown_on_demand(
    home: Home, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("porcelain.progress._PATIENCE", 0.0)
    monkeypatch.setattr("porcelain.progress._INTERVAL", 0.0)
    monkeypatch.setattr("msglog.sqlite_progress.INSTRUCTIONS", 10)
    monkeypatch.setattr("msglog.inspection._READ_AT_ONCE", 1)
    fill(home)
    done = home.admin("migrate", str(tmp_path / "copy"), "--store", databases.fresh(), "--progress")
    assert done.status == 0, done.errors
    for stage in ("Copying", "Checking", "Storing", "Checking the copy"):
        assert f"team/ops: {stage}" in done.errors


def test_a_log_that_grows_meanwhile_is_copied_again(
    home: Home, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(home)
    monkeypatch.setattr(migration, "_difference", _once_late(home, migration._difference))
    home.do("migrate", str(tmp_path / "over"), "--store", databases.fresh())
    assert_same(tmp_path / "over", home.account)


def _once_late(home: Home, genuine: Any, work: Callable[[Account], None] | None = None) -> Any:
    done: list[int] = []

    def difference(*arguments: Any) -> Any:
        if not done:
            done.append(1)
            if work is None:
                write(home.account, "team/ops", range(200, 250))
            else:
                with closing(Account.open(home.account)) as account:
                    work(account)
        return genuine(*arguments)

    return difference


def push(account: Account, name: str, number: int) -> None:
    """Do what a session does: commit, and then record it."""
    with closing(account.open_repository(name)) as repository:
        repository.add("main", messages(number), time=3_000_000)
    trail = Trail(account.database, Visit("cat", repository=name, session="5e55"), lambda: 7)
    trail.record(Act(PUSH, "main", 1, 10), durable=True)


@pytest.mark.parametrize(
    "work",
    [
        lambda account: change_setting(account.database, "audit.keep", "2000"),
        lambda account: Trail(account.database, Visit("cat"), lambda: 7).record(Act("list")),
    ],
)
def test_what_is_set_or_recorded_meanwhile_is_copied_again(
    home: Home,
    tmp_path: Path,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Account], None],
) -> None:
    fill(home)
    late = _once_late(home, migration._difference, work)
    monkeypatch.setattr(migration, "_difference", late)
    home.do("migrate", str(tmp_path / "over"), "--store", databases.fresh())
    with (
        closing(Account.open(home.account)) as account,
        closing(Account.open(tmp_path / "over")) as copy,
    ):
        assert all_settings(copy.database) == all_settings(account.database)
        # The copying itself is recorded where it was started, when it is over.
        assert records(copy.database, limit=99) == records(account.database, limit=99)[:-1]


def test_a_push_during_the_copy_comes_with_its_record(home: Home, tmp_path: Path) -> None:
    """The tables were copied before the repositories, and the refs agreed afterwards."""
    fill(home)
    (tmp_path / "scratch").mkdir()
    target = FolderTarget(tmp_path / "copy", tmp_path / "unfinished")
    stages: list[str] = []
    with closing(Account.open(home.account)) as account:

        def stage(what: str) -> Any:
            if not stages:
                push(account, "main", 5000)
            stages.append(what)
            return nullcontext(Quiet())

        migrate(account, target, tmp_path / "scratch", lambda *_: 0, stage)
        with closing(Account.open(tmp_path / "copy")) as copy:
            assert records(copy.database, limit=99) == records(account.database, limit=99)
            assert totals(copy.database) == totals(account.database)
            with closing(copy.open_repository("main")) as repository:
                assert repository.store.find_messages(list(messages(5000)))
    assert stages.count("main: Copying") == 1


def test_an_account_that_nobody_has_used_yet_is_not_taken(
    home: Home, tmp_path: Path, databases: Databases
) -> None:
    address = databases.fresh()
    PostgresAccount.make(tmp_path / "live", address)
    result = home.admin("migrate", str(tmp_path / "over"), "--store", address)
    assert result.status == 7
    assert "has an account already" in result.errors
    assert not (tmp_path / "over").exists()
    home.do("init", str(tmp_path / "live"), "--store", address)


class Quiet:
    """Shows nothing."""

    def update(self, done: int, total: int | None = None) -> None:
        """Take note of nothing."""

    def update_bytes(self, size: int, whole: int | None = None) -> None:
        """Take note of nothing."""


def test_an_account_that_never_rests_is_not_copied(home: Home, tmp_path: Path) -> None:
    fill(home)
    number = iter(range(300, 10_000, 10))

    def write_and_check(repository: Repository, _: object) -> int:
        first = next(number)
        write(home.account, "main", range(first, first + 5))
        return len(repository.logs())

    target = FolderTarget(tmp_path / "copy", tmp_path / "unfinished")
    (tmp_path / "scratch").mkdir()
    with (
        closing(Account.open(home.account)) as account,
        pytest.raises(migration.StillWrittenError, match="the repository main was changed"),
    ):
        migrate(
            account, target, tmp_path / "scratch", write_and_check, lambda _: nullcontext(Quiet())
        )
    assert not (tmp_path / "copy").exists()


def cut_off(home: Home, over: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy an account that has something, but for the end."""

    def fail(*_: object) -> str:
        raise KeyboardInterrupt

    fill(home)
    with monkeypatch.context() as patch:
        patch.setattr(migration, "_difference", fail)
        assert home.admin("migrate", str(over), "--store", address).status != 0


def test_what_a_cut_off_copy_left_is_taken_and_nobody_can_use_it(
    home: Home, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = databases.fresh()
    cut_off(home, tmp_path / "over", address, monkeypatch)
    result = home.admin("init", str(tmp_path / "other"), "--store", address)
    assert result.status == 7
    assert "has no account of msglog's (what was copied there is not whole)" in result.errors
    assert "Let `msglog admin migrate` come to its end" in result.errors
    home.do("migrate", str(tmp_path / "over"), "--store", address)
    assert_same(tmp_path / "over", home.account)


def test_what_a_cut_off_copy_of_another_account_left_is_gone(
    home: Home, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had a role in all repositories could read those of the other account."""
    address = databases.fresh()
    cut_off(home, tmp_path / "over", address, monkeypatch)
    other = str(tmp_path / "other")
    home.do("init", other)
    home.do("migrate", str(tmp_path / "over"), "--store", address, "--account", other)
    listed = home.do("repository", "list", "--account", str(tmp_path / "over"))
    assert listed.output == "main\t0 messages in 1 log\n"


def test_of_two_copies_to_one_database_the_later_one_goes_on(
    home: Home, tmp_path: Path, databases: Databases
) -> None:
    """The slower one replaced what the other had made, and what was pushed to that meanwhile."""
    fill(home)
    address = databases.fresh()
    earlier = PostgresTarget(tmp_path / "earlier", address)
    home.do("migrate", str(tmp_path / "later"), "--store", address)
    write(tmp_path / "later", "main", range(300, 400))
    before = everything(tmp_path / "later")
    tables = tmp_path / "tables"
    with closing(Account.open(home.account)) as account:
        account.database.snapshot(str(tables))
        store = str(home.account / "repositories" / "main")
        with pytest.raises(AccountError, match="somebody else copies to it too"):
            earlier.put_tables(str(tables))
        with pytest.raises(AccountError, match="somebody else copies to it too"):
            earlier.put_repository("main", store, progress=lambda _, __: None)
        with pytest.raises(AccountError, match="somebody else copies to it too"):
            earlier.finish()
    assert everything(tmp_path / "later") == before
    assert not (tmp_path / "earlier").exists()


def test_a_folder_with_something_in_it_is_refused(home: Home, databases: Databases) -> None:
    for more in ((), ("--store", databases.fresh())):
        result = home.admin("migrate", str(home.path), *more)
        assert result.status == 7
        assert "cannot become a server account" in result.errors


@pytest.mark.parametrize("made", [False, True])
def test_a_copy_that_was_killed_at_its_end_is_completed_by_the_same_again(
    home: Home,
    tmp_path: Path,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    *,
    made: bool,
) -> None:
    fill(home)
    genuine = PostgresAccount.make

    def die(*words: Any) -> None:
        if made:
            genuine(*words)
        raise KeyboardInterrupt

    copy = str(tmp_path / "over")
    words = ("migrate", copy, "--store", databases.fresh())
    with monkeypatch.context() as patch:
        patch.setattr(PostgresAccount, "make", die)
        assert home.admin(*words).status != 0
    assert home.admin("user", "list", "--account", copy).status == 7
    home.do(*words)
    assert_same(tmp_path / "over", home.account)


def test_what_a_killed_copy_to_files_left_is_removed(home: Home, tmp_path: Path) -> None:
    fill(home)
    left = tmp_path / "to" / "copy.new-0123abcd" / "account"
    left.mkdir(parents=True)
    home.do("migrate", str(tmp_path / "to" / "copy"))
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["copy"]
    assert_same(tmp_path / "to" / "copy", home.account)


def test_files_are_copied_on_the_disk_that_they_will_be_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were moved from the folder for temporary files, which another disk may have."""
    fill(home)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    home.do("migrate", str(tmp_path / "copy"))
    assert_same(tmp_path / "copy", home.account)

"""The account: users, keys and grants, and one and the same answer for whoever may not come in."""

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msglog.account.access import Grant
from msglog.account.account import Account, NotEmptyError
from msglog.account.database import Database
from msglog.account.name import InvalidRepositoryError, InvalidUserError
from msglog.account.postgres_account import PostgresAccount
from msglog.account.postgres_tables import PostgresTables
from msglog.account.record import (
    EVERYBODY,
    KeyTakenError,
    LastAdminError,
    UnknownGrantError,
    UnknownKeyError,
    UnknownRepositoryError,
    UnknownUserError,
    UserExistsError,
    UserGrant,
)
from msglog.account.role import Capability, Role
from msglog.errors import NotAuthorisedError
from tests.msglog.account import keymaking as make
from tests.postgres.databases import Databases


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server"


@pytest.fixture(params=["sqlite", "postgres"])
def account(request: pytest.FixtureRequest, path: Path) -> Iterator[Account]:
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        PostgresAccount.make(path, databases.fresh())
        yield from filled(Account.open(path))
    else:
        yield from filled(Account.create(path, suffix="x"))


@pytest.fixture
def in_files(path: Path) -> Iterator[Account]:
    """An account that is kept in files."""
    yield from filled(Account.create(path, suffix="x"))


def filled(made: Account) -> Iterator[Account]:
    made.add_user("ann", Role.WRITE, time=1)
    made.add_keys("ann", [make.key(1, "laptop"), make.key(2)], time=2)
    yield made
    made.close()


def fingerprint(number: int) -> str:
    return make.key(number).fingerprint


def test_the_folder_is_for_its_owner(in_files: Account, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {entry.name for entry in path.iterdir()} >= {"account.db", "repositories"}
    assert in_files.path == path


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    Account.create(tmp_path / "open", suffix="x").close()
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


def test_a_folder_with_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(NotEmptyError, match="something else"):
        Account.create(tmp_path, suffix="x")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_cut_off_run_left_is_no_obstacle(path: Path) -> None:
    (path / "repositories").mkdir(parents=True)
    (path / "account.db.new-y").touch()
    Account.create(path, suffix="x").close()


def test_opening_makes_nothing(account: Account, path: Path) -> None:
    account.close()
    before = sorted(path.rglob("*"))
    with pytest.raises(UnknownUserError):
        Account.open(path).user("bob")
    Account.open(path).close()
    assert sorted(entry for entry in path.rglob("*") if entry.suffix == "") == [
        entry for entry in before if entry.suffix == ""
    ]


# Users


def test_users_come_back_by_name(account: Account, path: Path) -> None:
    account.add_user("bob", Role.NONE, time=3)
    account.add_user("alice", Role.ADMIN, time=4)
    again = Account.open(path)
    assert [(user.name, user.role, user.created) for user in again.users()] == [
        ("alice", Role.ADMIN, 4),
        ("ann", Role.WRITE, 1),
        ("bob", Role.NONE, 3),
    ]
    assert again.user("bob").role is Role.NONE
    again.close()


def test_a_user_is_added_once(account: Account) -> None:
    with pytest.raises(UserExistsError):
        account.add_user("ann", Role.ADMIN, time=3)
    assert account.user("ann").role is Role.WRITE


@pytest.mark.parametrize("name", ["", "-x", "a\n", "../x", "*", "x" * 33, "\udcff", "a\0"])
def test_bad_names_are_refused(account: Account, name: str) -> None:
    with pytest.raises(InvalidUserError):
        account.add_user(name, Role.READ, time=1)
    with pytest.raises(InvalidUserError):
        account.rename_user("ann", name)
    for action in (account.user, account.remove_user):
        with pytest.raises(UnknownUserError):
            action(name)


def test_a_removed_user_leaves_nothing(account: Account) -> None:
    account.grant(UserGrant("ann", "main", "x", Role.READ))
    removed = account.remove_user("ann")
    assert [key.key for key in removed] == [make.key(1, "laptop"), make.key(2)]
    assert account.users() == []
    assert account.keys_of() == []
    assert account.grants() == []
    account.add_user("ann", Role.READ, time=9)
    assert account.keys_of("ann") == []
    assert account.grants("ann") == []


def test_the_last_admin_stays(account: Account) -> None:
    account.add_user("root", Role.ADMIN, time=3)
    with pytest.raises(LastAdminError):
        account.remove_user("root")
    with pytest.raises(LastAdminError):
        account.set_role("root", Role.WRITE)
    assert account.set_role("root", Role.ADMIN) is Role.ADMIN
    account.set_role("ann", Role.ADMIN)
    account.set_role("root", Role.WRITE)
    with pytest.raises(LastAdminError):
        account.remove_user("ann")
    account.remove_user("root")
    assert [user.name for user in account.users()] == ["ann"]


def test_before_there_is_an_admin_all_can_go(account: Account) -> None:
    account.remove_user("ann")
    assert account.users() == []


def test_two_admins_cannot_remove_each_other_at_once(account: Account, path: Path) -> None:
    for name in ("one", "two"):
        account.add_user(name, Role.ADMIN, time=3)
    together = threading.Barrier(2)
    refused: list[str] = []

    def remove(name: str) -> None:
        mine = Account.open(path)
        together.wait()
        try:
            mine.remove_user(name)
        except LastAdminError:
            refused.append(name)
        mine.close()

    threads = [threading.Thread(target=remove, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert account.user(refused[0]).role is Role.ADMIN


def test_renaming_keeps_keys_and_grants(account: Account) -> None:
    account.add_user("bob", Role.NONE, time=3)
    account.grant(UserGrant("ann", "main", "x", Role.READ))
    with pytest.raises(UserExistsError):
        account.rename_user("ann", "bob")
    account.rename_user("ann", "anna")
    assert [key.user for key in account.keys_of()] == ["anna", "anna"]
    assert account.grants() == [UserGrant("anna", "main", "x", Role.READ)]
    with pytest.raises(UnknownUserError):
        account.user("ann")


# Keys


def test_keys_come_back_whole(account: Account) -> None:
    account.add_user("bob", Role.NONE, time=3)
    account.add_keys("bob", [make.key(3, 'c "x" ü')], time=4)
    assert [(key.user, key.key, key.added) for key in account.keys_of()] == [
        ("ann", make.key(1, "laptop"), 2),
        ("ann", make.key(2), 2),
        ("bob", make.key(3, 'c "x" ü'), 4),
    ]


def test_the_same_key_twice_for_one_is_harmless(account: Account) -> None:
    assert account.add_keys("ann", [make.key(1, "other"), make.key(4)], time=5) == [False, True]
    assert account.keys_of("ann")[0].key.comment == "laptop"


def test_the_same_key_for_two_is_refused_and_nothing_is_added(account: Account) -> None:
    account.add_user("bob", Role.WRITE, time=3)
    with pytest.raises(KeyTakenError, match="belongs to ann"):
        account.add_keys("bob", [make.key(5), make.key(1)], time=4)
    assert account.keys_of("bob") == []


def test_keys_need_a_user(account: Account) -> None:
    with pytest.raises(UnknownUserError):
        account.add_keys("bob", [make.key(5)], time=4)


def test_a_key_is_taken_away(account: Account) -> None:
    account.remove_key("ann", fingerprint(1))
    assert [key.key.fingerprint for key in account.keys_of()] == [fingerprint(2)]
    account.add_user("bob", Role.WRITE, time=3)
    for user, known in [("ann", fingerprint(1)), ("bob", fingerprint(2)), ("ann", "\udcff")]:
        with pytest.raises(UnknownKeyError):
            account.remove_key(user, known)


def test_a_key_is_replaced_or_all_stays(account: Account) -> None:
    account.replace_key("ann", fingerprint(1), [make.key(7), make.key(8)], time=5)
    have = {key.key.fingerprint for key in account.keys_of("ann")}
    assert have == {fingerprint(2), fingerprint(7), fingerprint(8)}
    account.add_user("bob", Role.WRITE, time=3)
    account.add_keys("bob", [make.key(9)], time=4)
    with pytest.raises(KeyTakenError):
        account.replace_key("ann", fingerprint(2), [make.key(9)], time=6)
    assert {key.key.fingerprint for key in account.keys_of("ann")} == have


# Grants


def test_a_grant_replaces_the_one_for_the_same_pattern(account: Account) -> None:
    account.grant(UserGrant("ann", "main", "ops/*", Role.READ))
    account.grant(UserGrant("ann", "main", "ops/*", Role.NONE))
    account.grant(UserGrant(EVERYBODY, "main", "ops/*", Role.APPEND))
    account.grant(UserGrant(EVERYBODY, "main", "ops/*", Role.READ))
    assert account.grants() == [
        UserGrant(EVERYBODY, "main", "ops/*", Role.READ),
        UserGrant("ann", "main", "ops/*", Role.NONE),
    ]
    assert account.grants("ann") == [UserGrant("ann", "main", "ops/*", Role.NONE)]
    assert account.revoke(EVERYBODY, "main", "ops/*") is Role.READ
    assert account.revoke("ann", "main", "ops/*") is Role.NONE
    assert account.grants() == []
    with pytest.raises(UnknownGrantError):
        account.revoke("ann", "main", "ops/*")


def test_grants_are_checked(account: Account) -> None:
    with pytest.raises(UnknownUserError):
        account.grant(UserGrant("bob", "main", "x", Role.READ))
    with pytest.raises(InvalidRepositoryError):
        account.grant(UserGrant("ann", "../x", "x", Role.READ))


def test_grants_count_in_their_repository_only(account: Account) -> None:
    account.grant(UserGrant("ann", "team/ops", "secret", Role.NONE))
    account.grant(UserGrant(EVERYBODY, "team/ops", "*", Role.READ))
    access = account.access("ann", fingerprint(1), "team/ops")
    assert set(access.grants) == {
        Grant("secret", Role.NONE, own=True),
        Grant("*", Role.READ, own=False),
    }
    assert account.access("ann", fingerprint(1), "main").grants == ()


# What receive-pack asks


def test_access_of_a_user_with_a_key(account: Account) -> None:
    access = account.access("ann", fingerprint(1), "main")
    assert access.user == "ann"
    assert access.role is Role.WRITE
    assert access.may(Capability.APPEND, "main")
    assert not access.may(Capability.ADMINISTER, "main")


def test_without_a_key_none_is_looked_at(account: Account) -> None:
    assert account.access("ann", None, "main").role is Role.WRITE


def refusals(account: Account) -> list[tuple[str, str | None]]:
    account.add_user("nobody", Role.NONE, time=3)
    account.add_keys("nobody", [make.key(3)], time=3)
    account.add_user("gone", Role.WRITE, time=3)
    account.add_keys("gone", [make.key(4)], time=3)
    account.remove_user("gone")
    account.add_keys("ann", [make.key(5)], time=3)
    account.remove_key("ann", fingerprint(5))
    return [
        ("stranger", fingerprint(1)),
        ("stranger", None),
        ("gone", fingerprint(4)),
        ("gone", None),
        ("nobody", fingerprint(3)),
        ("nobody", None),
        ("ann", fingerprint(3)),
        ("ann", fingerprint(5)),
        ("ann", fingerprint(6)),
        ("ann", ""),
        ("ann", "SHA256:"),
        ("ann", "\udcff"),
        ("ann\0", fingerprint(1)),
        ("ann\n", fingerprint(1)),
        ("ann' OR 1 --", fingerprint(1)),
        ("\udcff", None),
        ("x" * 100_000, None),
        ("", None),
    ]


def test_all_refusals_are_the_same_after_the_same_look_ups(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = set()
    calls: list[str] = []
    who = refusals(account)
    select = account._database.select

    def watched(sql: str, *values: str | int | bytes | None) -> list[tuple[object, ...]]:
        calls.append(sql)
        return select(sql, *values)

    together = account._database.at_once

    def watched_together(*questions: Any) -> Any:
        if isinstance(account.database, PostgresTables):  # else it asks one by one
            calls.extend(sql for sql, _, _ in questions)
        return together(*questions)

    monkeypatch.setattr(account._database, "select", watched)
    monkeypatch.setattr(account._database, "at_once", watched_together)
    for user, key in who:
        calls.clear()
        with pytest.raises(NotAuthorisedError) as caught:
            account.access(user, key, "main")
        answers.add((str(caught.value), type(caught.value), tuple(calls)))
    assert len(answers) == 1
    ((text, _, made),) = answers
    assert text.startswith("not authorised")
    assert len(made) == 3


def test_repositories_that_cannot_be_are_refused_likewise(account: Account) -> None:
    for name in ("../x", "", "a\0", "\udcff", "/etc"):
        with pytest.raises(NotAuthorisedError, match="not authorised"):
            account.access("ann", fingerprint(1), name)


def test_a_grant_lets_a_user_without_role_in(account: Account) -> None:
    account.add_user("probe", Role.NONE, time=3)
    account.grant(UserGrant("probe", "main", "lab/*", Role.APPEND))
    access = account.access("probe", None, "main")
    assert access.may(Capability.APPEND, "lab/one")
    assert not access.may(Capability.FETCH, "lab/one")
    assert not access.may(Capability.APPEND, "main")
    with pytest.raises(NotAuthorisedError):
        account.access("probe", None, "other")


def test_a_session_ends_when_its_user_or_key_does(account: Account, path: Path) -> None:
    session = Account.open(path)
    access = session.access("ann", fingerprint(1), "main")
    other = session.access("ann", fingerprint(2), "main")
    assert session.still_valid(access)
    account.remove_key("ann", fingerprint(1))
    assert not session.still_valid(access)
    assert session.still_valid(other)
    account.set_role("ann", Role.READ)
    assert not session.still_valid(other)
    account.set_role("ann", Role.WRITE)
    assert session.still_valid(other)
    account.grant(UserGrant("ann", "main", "x", Role.READ))
    assert not session.still_valid(other)
    account.revoke("ann", "main", "x")
    account.remove_user("ann")
    assert not session.still_valid(other)
    session.close()


def test_asking_again_costs_one_number(in_files: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    access = in_files.access("ann", fingerprint(1), "main")
    in_files.still_valid(access)
    calls: list[str] = []
    select = in_files._database.select

    def watched(sql: str, *values: str | int | bytes | None) -> list[tuple[object, ...]]:
        calls.append(sql)
        return select(sql, *values)

    monkeypatch.setattr(in_files._database, "select", watched)
    assert in_files.still_valid(access)
    assert calls == ["PRAGMA data_version"]


# Repositories


def test_repositories_lie_in_the_account(in_files: Account, path: Path) -> None:
    assert in_files.repository_path("team/ops") == path / "repositories" / "team" / "ops"
    with pytest.raises(UnknownRepositoryError):
        in_files.existing_repository("team/ops")
    (path / "repositories" / "team" / "ops").mkdir(parents=True)
    assert in_files.existing_repository("team/ops") == str(in_files.repository_path("team/ops"))


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc", "a/../../x", "a\0b", "a\nb", "A"])
def test_names_that_lead_out_are_refused(account: Account, name: str) -> None:
    with pytest.raises(InvalidRepositoryError):
        account.repository_path(name)


def test_symbolic_links_that_lead_out_are_refused(
    in_files: Account, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside" / "x").mkdir(parents=True)
    root = path / "repositories"
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "up").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    for name in ("out", "out/x", "up"):
        with pytest.raises(InvalidRepositoryError, match="outside of the account"):
            in_files.repository_path(name)
    with pytest.raises((InvalidRepositoryError, UnknownRepositoryError)):
        in_files.existing_repository("loop")


def test_the_account_itself_may_be_reached_by_a_link(
    account: Account, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(path)
    linked = Account.open(tmp_path / "link")
    assert linked.repository_path("main") == account.repository_path("main")
    linked.close()


def test_one_key_is_found_by_its_fingerprint(account: Account) -> None:
    assert account.key(fingerprint(1)) == account.keys_of("ann")[0]
    for other in (
        fingerprint(3),
        "",
        "SHA256:",
        f"{fingerprint(1)}\n",
        fingerprint(1).lower(),
        "\udcff",
    ):
        assert account.key(other) is None
    account.remove_key("ann", fingerprint(1))
    assert account.key(fingerprint(1)) is None


def test_one_key_is_found_by_the_index_alone(in_files: Account) -> None:
    """However many keys there are: sshd waits for the answer at each attempt to log in."""
    assert isinstance(in_files.database, Database)
    connection = in_files.database._connection
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    in_files.key(fingerprint(1))
    connection.set_trace_callback(None)
    (sql,) = asked
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(steps) == 2
    assert all(step.startswith("SEARCH") for step in steps)

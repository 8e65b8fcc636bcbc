"""The tables of an account in PostgreSQL where connections are lost."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from msglog import postgres_link
from msglog.account import audit
from msglog.account.account import Account
from msglog.account.audit import (
    CLEAN_EVERY,
    PUSH,
    TOTAL_NUMBERS,
    Act,
    Trail,
    Visit,
    adding,
    last_number,
    records,
)
from msglog.account.database import AccountBusyError, AccountError, AccountFormatError, Database
from msglog.account.postgres_tables import FORMAT, SHARDS, PostgresTables
from msglog.account.record import UnknownUserError
from msglog.account.role import Role
from msglog.account.totals import GC, faults, note_upkeep, totals, upkeep
from msglog.postgres_link import Link, Session
from tests.postgres.databases import Databases
from tests.postgres.standby import absent_standby


@pytest.fixture
def tables(databases: Databases) -> Iterator[PostgresTables]:
    with closing(databases.make_tables()) as made:
        yield made


def test_a_snapshot_is_whole_although_its_connection_is_lost(
    tables: PostgresTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.execute("INSERT INTO users (name, role, created) VALUES ('ann', 'admin', 1)")
    genuine = Link.copy_out
    times: list[int] = []

    def copy_out(link: Link, sql: str, types: Sequence[str]) -> Iterator[Any]:
        if "COPY keys" in sql and not times:
            times.append(1)
            assert link.session.connection is not None
            link.session.connection.close()
        return genuine(link, sql, types)

    monkeypatch.setattr(Link, "copy_out", copy_out)
    tables.snapshot(str(tmp_path / "copy"))
    assert times == [1]
    with closing(Database.open(tmp_path / "copy")) as copy:
        assert copy.select("SELECT name FROM users") == [("ann",)]


def test_a_snapshot_is_made_although_its_end_is_lost(
    tables: PostgresTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail(tables).record(PUSHED)
    cut = Cut(monkeypatch)
    tables.snapshot(str(tmp_path / "copy"))
    assert cut.times == 1
    with closing(Database.open(tmp_path / "copy")) as copy:
        assert [one.act for one in records(copy, limit=9)] == [PUSHED]


def test_a_copy_leaves_no_number_of_the_audit_out(tables: PostgresTables, tmp_path: Path) -> None:
    """What is undone, and a server that stops, leave numbers out: that is no damage."""
    for log, number in (("one", 7), ("two", 40), ("three", 41), ("four", 73)):
        tables.execute(f"ALTER TABLE audit ALTER COLUMN id RESTART WITH {number}")
        trail(tables).record(Act(PUSH, log))
    tables.execute("UPDATE audit SET session = session WHERE id = 7")  # it moves to the end
    tables.snapshot(str(tmp_path / "copy"))
    with closing(Database.open(tmp_path / "copy")) as copy:
        assert list(copy.faults()) == []
        assert list(audit.faults(copy)) == []
        assert records(copy, limit=9) == records(tables, limit=9)
        assert [one.act.log for one in records(copy, limit=9)] == ["one", "two", "three", "four"]
        assert last_number(copy) == last_number(tables) == 73


class Cut:
    """Every commit of a kind is done, and its answer does not arrive, for a number of times."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        times: int = 1,
        *,
        when: Callable[[], bool] = lambda: True,
    ) -> None:
        self.times = 0
        genuine = Link.commit

        def commit(link: Link, **how: Any) -> None:
            genuine(link, **how)
            if self.times < times and when():
                self.times += 1
                link.session.close()
                raise postgres_link._Doubt

        monkeypatch.setattr(Link, "commit", commit)


def test_what_may_be_noted_twice_is_noted_although_an_answer_is_lost(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Cut(monkeypatch)
    note_upkeep(tables, GC, "main", time=5)
    assert cut.times == 1
    assert upkeep(tables, GC) == {"main": 5}


PUSHED = Act(PUSH, "main", 1, 10)


def trail(tables: PostgresTables) -> Trail:
    return Trail(tables, Visit("ann", session="5e55", repository="main"), lambda: 12_345)


@pytest.mark.parametrize("times", [1, 3])
def test_a_record_is_made_once_although_answers_are_lost(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    cut = Cut(monkeypatch, times)
    trail(tables).record(PUSHED, durable=True)
    assert cut.times == times
    assert [one.act for one in records(tables, limit=9)] == [PUSHED]
    assert tables.select("SELECT operations FROM totals") == [(1,)]


def test_another_ones_record_with_the_number_of_a_lost_one_is_not_taken_for_it(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers are given again by a standby that took over."""
    genuine = Link.commit

    def commit(link: Link, **_: Any) -> None:
        monkeypatch.setattr(Link, "commit", genuine)
        link.roll_back()
        tables.execute("ALTER TABLE audit ALTER COLUMN id RESTART WITH 1")
        other = Trail(tables, Visit("bob", session="b0b"), lambda: 12_345)
        other.record(PUSHED, durable=True)
        raise postgres_link._Doubt

    monkeypatch.setattr(Link, "commit", commit)
    trail(tables).record(PUSHED, durable=True)
    assert [one.visit.user for one in records(tables, limit=9)] == ["bob", "ann"]


def test_a_record_is_not_acknowledged_before_a_standby_has_it(
    databases: Databases, tables: PostgresTables
) -> None:
    """An attempt that finds the record writes nothing, and waited for nobody."""
    tables.check_format()  # so that there is a connection
    writer = threading.Thread(target=lambda: trail(tables).record(PUSHED, durable=True))
    with absent_standby(databases.server) as standby:
        writer.start()
        first = standby.await_waiting(writer)
        assert first
        standby.cancel(first)
        assert standby.await_waiting(writer, but=first)
    writer.join()
    assert [one.act for one in records(tables, limit=9)] == [PUSHED]


def test_a_lost_answer_about_old_records_that_go_fails_nothing(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.execute(f"ALTER TABLE audit ALTER COLUMN id RESTART WITH {CLEAN_EVERY}")
    commits = iter(range(9))
    cut = Cut(monkeypatch, when=lambda: next(commits) == 1)
    trail(tables).record(PUSHED, durable=True)
    assert cut.times == 1
    assert [one.act for one in records(tables, limit=9)] == [PUSHED]


@pytest.fixture
def sharing(databases: Databases) -> Iterator[tuple[PostgresTables, PostgresTables]]:
    """Two connections to one account, that add to different shards of a total."""
    with ExitStack() as stack:
        first = stack.enter_context(closing(databases.make_tables()))
        while True:
            other = stack.enter_context(closing(PostgresTables(Session(first.session.address))))
            if shard(other) != shard(first):
                break
        yield first, other


def shard(tables: PostgresTables) -> int:
    ((number,),) = tables.select("SELECT pg_backend_pid()")
    return int(number) % SHARDS


def test_sessions_in_one_repository_do_not_wait_for_each_others_commits(
    sharing: tuple[PostgresTables, PostgresTables], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = sharing
    trail(first).record(PUSHED)  # the total is there
    other.execute("SET lock_timeout = '100ms'")
    monkeypatch.setattr(postgres_link, "PATIENCE_SECONDS", 1)

    def both() -> None:
        trail(first).record(PUSHED)  # which is not committed when the next one is
        trail(other).record(PUSHED, durable=True)

    first.together(both)
    (total,) = totals(other)
    assert (total.operations, total.messages, total.size) == (3, 3, 30)


def test_a_copy_has_one_row_for_all_shards_of_a_total(
    sharing: tuple[PostgresTables, PostgresTables], tmp_path: Path
) -> None:
    first, other = sharing
    for number, tables in enumerate((first, other, other)):
        trail(tables).record(PUSHED)
        trail(tables).record(Act("list", duration=number))
    file = str(tmp_path / "copy")
    first.snapshot(file)
    with closing(Database.open(file)) as copy:
        assert copy.select("SELECT operation, operations, messages FROM totals") == [
            ("list", 3, 0),
            ("push", 3, 3),
        ]
        assert list(faults(copy)) == []
        assert totals(copy) == totals(first)
    first.load(file)
    assert first.select("SELECT DISTINCT shard FROM totals") == [(0,)]
    assert totals(first)[1].messages == 3
    trail(other).record(PUSHED)
    assert totals(first)[1].messages == 4


def test_a_total_that_was_changed_is_a_fault_of_a_copy_too(
    sharing: tuple[PostgresTables, PostgresTables], tmp_path: Path
) -> None:
    for tables in sharing:
        trail(tables).record(PUSHED)
    first, _ = sharing
    first.execute("UPDATE totals SET size = size + 16 WHERE shard = ?", shard(first))
    assert len(list(faults(first))) == 1
    first.snapshot(str(tmp_path / "copy"))
    with closing(Database.open(tmp_path / "copy")) as copy:
        assert len(list(faults(copy))) == 1


@pytest.fixture
def old(databases: Databases) -> str:
    """The connection string of an account whose totals are as format 1 had them."""
    with closing(databases.make_tables()) as made:
        trail(made).record(PUSHED)
        made.execute("ALTER TABLE totals DROP CONSTRAINT totals_pkey")
        made.execute("ALTER TABLE totals DROP COLUMN shard")
        made.execute("ALTER TABLE totals ADD PRIMARY KEY (repository, operation, result)")
        made.execute("UPDATE account_format SET format = 1")
        return made.session.address


def test_old_tables_are_upgraded_when_they_are_opened(old: str, databases: Databases) -> None:
    def use() -> None:
        with closing(PostgresTables(Session(old))) as tables:
            tables.check_format()
            trail(tables).record(PUSHED)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(PostgresTables(Session(old))) as tables, closing(databases.make_tables()) as new:
        assert totals(tables)[0].operations == 5
        assert list(faults(tables)) == []
        assert tables.select("SELECT format FROM account_format") == [(FORMAT,)]
        assert shape(tables) == shape(new)


def shape(tables: PostgresTables) -> list[tuple[object, ...]]:
    schema = tables.session.address.rpartition("=")[2]
    columns = tables.select(
        "SELECT attname, atttypid, attnotnull FROM pg_attribute WHERE attrelid = 'totals'::regclass"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attname"
    )
    indexes = tables.select("SELECT indexdef FROM pg_indexes WHERE tablename = 'totals'")
    return columns + [(str(one).replace(schema, ""),) for one in indexes]


def test_who_has_opened_old_tables_before_fails(old: str) -> None:
    """What is counted by the old key would be in another's shard; it opens the account anew."""
    with closing(PostgresTables(Session(old))) as before:
        before.execute(adding(), *VALUES)
        with closing(PostgresTables(Session(old))) as tables:
            tables.check_format()
        with pytest.raises(AccountError):
            before.execute(adding(), *VALUES)


VALUES: tuple[str | int, ...] = ("main", "push", "ok", *[0] * len(TOTAL_NUMBERS), 0, 0)


def test_newer_tables_are_refused(tables: PostgresTables) -> None:
    tables.execute("UPDATE account_format SET format = ?", FORMAT + 1)
    with pytest.raises(AccountFormatError, match="newer msglog") as caught:
        tables.check_format()
    assert caught.value.temporary  # a login waits for an upgrade, and is not told "no"


class Trouble:
    """What makes the first statement of a kind fail, after others of its transaction."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, words: str, what: str) -> None:
        self.times = 0
        genuine = Link.execute

        def execute(link: Link, sql: str, *values: Any) -> int:
            if words not in sql or self.times:
                return genuine(link, sql, *values)
            self.times += 1
            assert link.session.connection is not None
            if what == "cut":
                link.session.connection.close()
                return genuine(link, sql, *values)
            return genuine(link, f"DO $$ BEGIN RAISE 'trouble' USING ERRCODE = '{what}'; END $$")

        monkeypatch.setattr(Link, "execute", execute)


@pytest.mark.parametrize("what", ["cut", "40001", "40P01", "57P01"])
def test_a_change_of_an_account_that_failed_for_a_moment_is_made(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    account = Account(tables, "/")
    account.add_user("ann", Role.WRITE, time=1)
    trouble = Trouble(monkeypatch, "UPDATE users SET role", what)
    assert account.set_role("ann", Role.READ) is Role.WRITE
    assert trouble.times == 1
    assert account.user("ann").role is Role.READ


def test_a_change_whose_answer_is_lost_is_not_said_to_have_been_made_or_not(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(tables, "/")
    account.add_user("ann", Role.WRITE, time=1)
    cut = Cut(monkeypatch)
    with pytest.raises(AccountBusyError, match="is not known"):
        account.rename_user("ann", "bea")
    assert cut.times == 1


def test_a_change_that_cannot_be_is_undone(tables: PostgresTables) -> None:
    with pytest.raises(UnknownUserError):
        Account(tables, "/").set_role("ann", Role.READ)
    assert not tables.session.within
    assert tables.together(lambda: tables.select("SELECT 1"), writing=False) == [(1,)]

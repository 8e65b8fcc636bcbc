"""Totals: what the audit said is counted once and for all, and what is kept is what was counted."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.account import audit, totals
from msglog.account.account import Account
from msglog.account.audit import LATENCY_BOUNDS, TOTAL_NUMBERS, Act, Trail, Visit
from msglog.account.database import _UPGRADES, FORMAT, DamagedAccountError, Database
from msglog.account.setting import AUDIT_KEEP, change_setting
from msglog.account.tables import Tables
from msglog.account.totals import BACKUP, GC, Census, Total, census, note_upkeep, upkeep
from tests.msglog.account.test_upgrade import FIRST_FORMAT

ACTS = st.builds(
    Act,
    st.sampled_from(["push", "fetch", "list", "greeting", "admin user add", "admin gc"]),
    st.text(max_size=3),
    st.integers(0, 5000),
    st.integers(0, 1 << 40),
    st.integers(0, 9),
    st.sampled_from(["ok", "cut", "refused", "not-authorised"]),
    st.text(max_size=3),
    st.none() | st.integers(0, 1 << 30) | st.sampled_from(LATENCY_BOUNDS),
)
SESSIONS = st.lists(
    st.tuples(st.sampled_from(["", "main", "team/ops"]), st.booleans(), st.lists(ACTS, max_size=5)),
    max_size=5,
)


def trail(tables: Tables, repository: str = "main") -> Trail:
    return Trail(tables, Visit("ann", repository=repository), lambda: 5)


def bucket(duration: int) -> int:
    return next((n for n, bound in enumerate(LATENCY_BOUNDS) if duration <= bound), 12)


@settings(max_examples=40, deadline=None)
@given(SESSIONS)
def test_totals_are_sums_of_all_that_was_recorded(
    sessions: list[tuple[str, bool, list[Act]]],
) -> None:
    expected: dict[tuple[str, str, str], Counter[str]] = {}
    with TemporaryDirectory() as folder:
        tables = Database.create(Path(folder, "account.db"), suffix="x")
        for repository, let_in, acts in sessions:
            session = trail(tables, repository)
            if let_in:
                session.let_in()
            counted = not let_in
            for act in acts:
                session.record(act)
                kind = "admin" if act.operation.startswith("admin") else act.operation
                where = "" if kind == "greeting" else repository
                sums = expected.setdefault((where, kind, act.result), Counter())
                sums["sessions"] += not counted
                sums["operations"] += 1
                for name in ("messages", "size", "refused"):
                    sums[name] += getattr(act, name)
                sums["microseconds"] += act.duration or 0
                if act.duration is not None:
                    sums[f"latency{bucket(act.duration)}"] += 1
                counted = True
            session.close()
            if not counted:
                expected.setdefault((repository, "session", "ok"), Counter())["sessions"] += 1
        assert totals.totals(tables) == [
            Total(
                *names,
                sums["sessions"],
                sums["operations"],
                sums["messages"],
                sums["size"],
                sums["refused"],
                sums["microseconds"],
                tuple(sums[name] for name in TOTAL_NUMBERS[6:]),
            )
            for names, sums in sorted(expected.items())
        ]
        assert list(totals.faults(tables)) == []
        assert list(tables.faults()) == []
        tables.close()


def test_nothing_becomes_smaller_when_the_audit_loses_its_oldest(tables: Tables) -> None:
    change_setting(tables, AUDIT_KEEP.name, "1000")
    session = trail(tables)
    for number in range(1500):
        session.record(Act("push", "main", 1, 10, duration=number))
        if number % 100 == 0:
            assert totals.totals(tables)[0].operations == number + 1
    kept = census(tables).records
    assert kept < 1300
    assert tables.select("SELECT count(*) FROM audit") == [(kept,)]
    assert totals.totals(tables)[0].messages == 1500


def test_the_rows_are_few_whatever_clients_name(tables: Tables) -> None:
    for number in range(50):
        session = trail(tables, f"no/such{number}")
        session.record(Act("greeting", result="no-such-repository"))
        trail(tables).record(Act("push", f"log{number}", detail=str(number)))
    found = [(one.repository, one.operation, one.operations) for one in totals.totals(tables)]
    assert found == [("", "greeting", 50), ("main", "push", 50)]


def test_two_writers_lose_nothing(in_file: Tables, tmp_path: Path) -> None:
    other = Database.open(tmp_path / "account.db")
    ann, bob = trail(in_file), trail(other)
    for _ in range(20):
        ann.record(Act("fetch", messages=1))
        bob.record(Act("fetch", messages=2))
    other.close()
    assert totals.totals(in_file)[0].messages == 60


def test_an_act_is_recorded_and_counted_or_neither(in_file: Tables) -> None:
    def fail() -> None:
        trail(in_file).record(Act("push"), durable=True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_file.together(fail)
    assert totals.totals(in_file) == []
    in_file.execute("DROP TABLE totals")
    with pytest.raises(DamagedAccountError, match="no such table"):
        trail(in_file).record(Act("push"))
    assert audit.records(in_file, limit=5) == []


@pytest.mark.parametrize("column", ["repository", "operation", "result", *TOTAL_NUMBERS])
def test_a_changed_bit_is_found(tables: Tables, column: str) -> None:
    trail(tables).record(Act("push", "a", 7, 9, 1, duration=6))
    trail(tables).record(Act("push", "a", 8, 10, 1, duration=60))
    numbers = column in TOTAL_NUMBERS
    change = f"{column} = {column} + 16" if numbers else f"{column} = 'pash'"
    tables.execute(f"UPDATE totals SET {change}")
    with pytest.raises(DamagedAccountError):
        totals.totals(tables)
    (fault,) = totals.faults(tables)
    assert fault.startswith("the total of '")
    if isinstance(tables, Database):
        tables.execute(f"UPDATE totals SET {column} = x'00'")
    assert len(list(totals.faults(tables))) == 1


def test_what_was_done_last_is_remembered(tables: Tables) -> None:
    assert upkeep(tables, GC) == {}
    for time in (3, 5):
        note_upkeep(tables, GC, "main", time=time)
    note_upkeep(tables, GC, "a", time=4)
    note_upkeep(tables, BACKUP, "", time=9)
    assert upkeep(tables, GC) == {"a": 4, "main": 5}
    assert upkeep(tables, BACKUP) == {"": 9}


def stored_format(tables: Tables) -> int:
    in_file = isinstance(tables, Database)
    sql = "PRAGMA user_version" if in_file else "SELECT format FROM account_format"
    ((number,),) = tables.select(sql)
    return int(number)


def test_a_census(tables: Tables) -> None:
    assert census(tables) == Census(0, 0, 0, 0, stored_format(tables))
    trail(tables).record(Act("list"))
    assert census(tables).records == 1


@pytest.mark.parametrize("version", range(1, FORMAT))
def test_an_account_of_an_older_format_counts_from_then_on(tmp_path: Path, version: int) -> None:
    with closing(sqlite3.connect(tmp_path / "account.db")) as connection:
        connection.executescript(FIRST_FORMAT)
        connection.execute(
            "INSERT INTO audit VALUES"
            " (7, 9, 'ann', '', '', 'main', 'push', 'main', 3, 99, 0, 'ok', '', 'x')"
        )
        for older in range(1, version):
            connection.executescript(_UPGRADES[older])
        connection.commit()
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    account = Account.open(tmp_path)
    assert totals.totals(account.database) == []
    assert list(account.database.faults()) == []
    trail(account.database).record(Act("push"))
    assert [one.operations for one in totals.totals(account.database)] == [1]
    assert census(account.database).records == 2
    account.close()

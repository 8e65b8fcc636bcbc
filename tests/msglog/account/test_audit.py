"""The audit: rows that are only added, whatever their texts, and a bound on how many are kept."""

import syslog

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account import audit
from msglog.account.audit import (
    CLEAN_EVERY,
    TEXT_CHARACTERS,
    Act,
    AuditRecord,
    Trail,
    Visit,
    faults,
    plain,
    records,
)
from msglog.account.database import AccountError, Database
from msglog.account.setting import AUDIT_KEEP, AUDIT_SYSLOG, change_setting
from msglog.account.tables import Tables

VISIT = Visit("ann", "SHA256:key", "192.0.2.1", "main", "5e55")


def trail(tables: Tables, visit: Visit = VISIT) -> Trail:
    times = iter(range(1_000, 1_000_000))
    return Trail(tables, visit, lambda: next(times))


def test_what_is_recorded_is_found_again(tables: Tables) -> None:
    ann = trail(tables)
    pushed = Act("push", "beamline/p01", 3, 400, 1, "refused")
    ann.record(pushed, durable=True)
    ann.record(Act("list"))
    trail(tables, Visit("bob")).record(Act("greeting", result="not-authorised"))
    assert records(tables, limit=10) == [
        AuditRecord(1_000, VISIT, pushed),
        AuditRecord(1_001, VISIT, Act("list")),
        AuditRecord(1_000, Visit("bob"), Act("greeting", result="not-authorised")),
    ]
    assert [one.act.operation for one in records(tables, user="ann", limit=1)] == ["list"]
    assert [one.time for one in records(tables, since=1_001, limit=10)] == [1_001]
    if isinstance(tables, Database):
        assert tables.select("PRAGMA synchronous") == [(2,)]


def test_the_oldest_go_within_a_change_too(tables: Tables) -> None:
    ann = trail(tables)
    for _ in range(CLEAN_EVERY):
        tables.together(lambda: ann.record(Act("admin set"), durable=True))
    assert len(records(tables, limit=2 * CLEAN_EVERY)) == CLEAN_EVERY


def test_a_row_cannot_be_changed_or_taken_out(in_file: Tables) -> None:
    trail(in_file).record(Act("list"))
    for statement in ("UPDATE audit SET user = 'bob'", "DELETE FROM audit"):
        with pytest.raises(AccountError, match="only ever added to"):
            in_file.execute(statement)
    assert records(in_file, limit=10)[0].visit == VISIT


def test_the_oldest_go_when_there_are_too_many(tables: Tables) -> None:
    change_setting(tables, AUDIT_KEEP.name, "100")
    ann = trail(tables)
    for number in range(2 * CLEAN_EVERY):
        ann.record(Act("list", detail=str(number)))
    kept = [int(one.act.detail) for one in records(tables, limit=1_000)]
    assert kept == list(range(2 * CLEAN_EVERY - 100, 2 * CLEAN_EVERY))


def test_of_very_many_that_are_too_many_some_go_each_time(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once may take longer than one statement may, and who adds would fail each time."""
    monkeypatch.setattr(audit, "CLEAN_AT_ONCE", 50)
    ann = trail(tables)
    for _ in range(CLEAN_EVERY - 1):
        ann.record(Act("list"))
    change_setting(tables, AUDIT_KEEP.name, "100")
    left = []
    for _ in range(3):
        for _ in range(CLEAN_EVERY):
            ann.record(Act("list"))
        left.append(len(records(tables, limit=10_000)))
    first, second, third = left
    assert second - first == third - second == CLEAN_EVERY - 50


HOSTILE = "x\nuser=root result=ok\r\x1b[2J\u2028\u202e\ud800" + chr(0x85) + "\0"


def test_no_text_breaks_a_record(tables: Tables) -> None:
    visit = Visit(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    trail(tables, visit).record(Act(HOSTILE, HOSTILE, result=HOSTILE, detail=HOSTILE * 5000))
    ((*row,),) = tables.select("SELECT * FROM audit")
    texts = [value for value in row if isinstance(value, str)]
    assert len(texts) == 9
    assert all(text.isascii() and text.isprintable() for text in texts)
    assert max(map(len, texts)) == TEXT_CHARACTERS
    assert texts[0].startswith(r"x\nuser=root result=ok\r\x1b[2J\u2028")


@given(st.text(alphabet=st.characters(codec=None)), st.text(alphabet=st.characters(codec=None)))
def test_plain_text_is_plain_and_tells_texts_apart(one: str, other: str) -> None:
    assert plain(one).isascii()
    assert plain(one).isprintable() or not one
    assert len(plain(one)) <= TEXT_CHARACTERS
    if len(repr(one)) < TEXT_CHARACTERS / 2 and len(repr(other)) < TEXT_CHARACTERS / 2:
        assert (plain(one) == plain(other)) == (one == other)


def test_plain_text_tells_an_escape_from_what_looks_like_one() -> None:
    assert plain("a\nb") != plain(r"a\nb")


def test_syslog_gets_one_line_each_if_it_is_asked_for(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda level, line: said.append((level, line)))
    trail(tables).record(Act("list"))
    assert said == []
    change_setting(tables, AUDIT_SYSLOG.name, "on")
    ann = trail(tables)
    ann.record(Act("push", "main", 2, 30))
    ann.record(Act("command", result="refused", detail='sh\nuser=bob result=ok "x'))
    common = "user=ann key=SHA256:key address=192.0.2.1 repository=main"
    assert said == [
        (
            syslog.LOG_INFO,
            f"{common} operation=push log=main messages=2 bytes=30 refused=0 result=ok session=5e55",
        ),
        (
            syslog.LOG_NOTICE,
            (
                f"{common} operation=command messages=0 bytes=0 refused=0 result=refused session=5e55"
                ' detail="sh\\nuser=bob result=ok \'x"'
            ),
        ),
    ]


def test_a_record_with_another_number_is_damage(in_file: Database) -> None:
    ann = trail(in_file)
    for number in range(CLEAN_EVERY + 3):
        ann.record(Act("list", detail=str(number)))
    assert list(in_file.faults()) == []
    sql = "SELECT sql FROM sqlite_schema WHERE name = 'audit_is_not_changed'"
    ((trigger,),) = in_file.select(sql)
    in_file.execute("DROP TRIGGER audit_is_not_changed")
    in_file.execute("UPDATE audit SET id = id + 16 WHERE id = (SELECT max(id) FROM audit)")
    in_file.execute(trigger)
    assert list(in_file.faults()) == ["the audit: 16 numbers of records are left out"]


def test_records_that_come_again_and_again_are_damage(
    in_file: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail(in_file).record(Act("one"))
    genuine = Database.select

    def again(database: Database, sql: str, *values: int) -> list[tuple[object, ...]]:
        return genuine(database, sql, 0, *values[1:])  # a damaged tree gives any rows

    monkeypatch.setattr(Database, "select", again)
    assert list(faults(in_file)) == ["the records of the audit are out of order"]


def test_what_was_removed_for_its_age_is_not_left_out(in_file: Database) -> None:
    change_setting(in_file, AUDIT_KEEP.name, "100")
    ann = trail(in_file)
    for number in range(2 * CLEAN_EVERY):
        ann.record(Act("list", detail=str(number)))
    assert len(records(in_file, limit=1000)) < 2 * CLEAN_EVERY
    assert list(in_file.faults()) == []

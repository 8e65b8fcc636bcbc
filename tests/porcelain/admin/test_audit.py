"""`admin audit`, and what an administrator's own changes leave in it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.audit import Act, Trail, Visit
from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home


@pytest.fixture(params=["files", "postgres"])
def home(request: pytest.FixtureRequest, home: Home) -> Home:
    """An account of either kind."""
    if request.param == "postgres":
        home.keep_in(request.getfixturevalue("databases").fresh())
    return home


TIME = 1_790_000_000_000_000


def enter(home: Home, *acts: Act, user: str = "ann", time: int = TIME) -> None:
    account = Account.open(home.account)
    trail = Trail(
        account.database, Visit(user, "SHA256:k", "192.0.2.7", "main", "5e"), lambda: time
    )
    for act in acts:
        trail.record(act)
    account.close()


def test_records_are_shown_oldest_first(home: Home) -> None:
    enter(home, Act("push", "ops/a", 3, 400, 1, "refused"), user="bob")
    enter(home, Act("list"), time=TIME + 1_000_000)
    bob, ann = home.do("audit", "--since", "2026-01-01").output.splitlines()[-2:]
    assert " bob  " in bob
    assert "192.0.2.7" in bob
    assert bob.endswith(" push      refused main ops/a 3 messages, 400 bytes 1 refused")
    assert ann.endswith(" list      ok main")
    (record,) = home.do("audit", "--user", "bob", "--json").records
    moment = datetime.fromtimestamp(TIME / 1e6, UTC).isoformat(timespec="microseconds")
    assert record == {
        "time": moment,
        "user": "bob",
        "key": "SHA256:k",
        "address": "192.0.2.7",
        "repository": "main",
        "session": "5e",
        "operation": "push",
        "log": "ops/a",
        "messages": 3,
        "bytes": 400,
        "refused": 1,
        "result": "refused",
        "detail": "",
    }


def test_some_are_chosen(home: Home) -> None:
    enter(home, Act("list"), Act("fetch", "a"), Act("fetch", "b"))
    enter(home, Act("fetch", "c"), time=TIME + 5_000_000)
    shown = home.do("audit", "--user", "ann", "--limit", "2", "--json")
    assert [record["log"] for record in shown.records] == ["b", "c"]
    assert home.do("audit", "--user", "ann", "-n2", "--json").output == shown.output
    assert "last 2 records" in shown.errors
    since = home.do("audit", "--since", f"@{TIME // 1_000_000 + 1}", "--user", "ann", "--json")
    assert [record["log"] for record in since.records] == ["c"]
    assert since.errors == ""
    for words in (["--limit", "0"], ["--limit", "x"], ["--since", "whenever"]):
        assert home.admin("audit", *words).status == 2


def test_an_administrators_changes_are_recorded(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1))
    home.do("grant", "ann", "read", "ops/*")
    home.do("set", "audit.keep", "5000")
    home.do("user", "list")
    home.do("set")
    home.do("key", "check")
    home.do("audit")
    assert home.admin("user", "add", "ann").status == 2
    assert home.admin("user", "remove", "ann").status == 0
    records = home.do("audit", "--json").records
    fingerprint = make.key(1).fingerprint
    assert {record["user"] for record in records} == {"unix:server"}
    assert [(record["operation"], record["result"]) for record in records] == [
        ("admin init", "ok"),
        ("admin user add", "ok"),
        ("admin key add", "ok"),
        ("admin grant", "ok"),
        ("admin set", "ok"),
        ("admin user add", "failed"),
        ("admin user remove", "ok"),
    ]
    details = [record["detail"] for record in records]
    assert details[1] == "ann write"
    assert details[2].startswith(f"ann +{fingerprint}")
    assert details[3] == "ann read ops/*"
    assert details[4] == "audit.keep 5000"
    assert details[5].startswith("ann none (there is a user 'ann' already)")
    assert details[6].startswith(f"ann -{fingerprint}")


def test_only_the_keys_that_came_and_went_are_named(home: Home) -> None:
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1))
    home.do("key", "add", "ann", home.public_key(2))
    old, new = make.key(1).fingerprint, make.key(3).fingerprint
    home.do("key", "rotate", "ann", home.public_key(3), "--replacing", old)
    details = [record["detail"] for record in home.do("audit", "--json").records]
    assert details[-2] == f"ann +{make.key(2).fingerprint}"
    assert details[-1] == f"ann {old} +{new} -{old}"


def test_nothing_in_a_record_breaks_a_line(home: Home) -> None:
    home.admin("user", "add", "x\nuser=root\x1b[2J\u202e")
    enter(home, Act("command", result="refused", detail="sh\n2026 root ok\r\x1b]8;;\u2028[red]"))
    text = home.do("audit").output
    assert len(text.splitlines()) == 3
    assert all(part.isprintable() for part in text.split("\n"))
    for line in home.do("audit", "--json").output.splitlines():
        json.loads(line)


def test_a_name_that_is_no_text_is_nobodys(home: Home) -> None:
    """A byte that is not UTF-8 comes from the shell as half of a character."""
    enter(home, Act("list"), user="a\udcff")
    (found,) = home.do("audit", "--user", "a\udcff", "--json").records
    assert found["user"] == r"a\udcff"
    assert home.do("audit", "--user", r"a\udcff", "--json").records == [found]
    assert home.admin("audit", "--user", "b\udcff").output == ""
    result = home.admin("user", "remove", "a\udcff")
    assert (result.status, "there is no user" in result.errors) == (2, True)


def test_where_there_is_no_account_nothing_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.admin("user", "add", "ann").status == 7
    assert home.admin("audit").status == 7
    assert list(tmp_path.iterdir()) == []


def test_an_account_elsewhere_has_its_own(home: Home, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    home.do("init", other)
    home.do("user", "add", "ann", "--account", other)
    operations = [
        one["operation"] for one in home.do("audit", "--json", "--account", other).records
    ]
    assert operations == ["admin init", "admin user add"]
    assert len(home.do("audit", "--json").records) == 1


@pytest.mark.parametrize("words", [["audit.keep", "5"], ["audit.what", "on"], ["audit.syslog", ""]])
def test_a_bad_setting_changes_nothing(home: Home, words: list[str]) -> None:
    before = home.do("set", "--json").output
    assert home.admin("set", *words).status == 2
    assert home.do("set", "--json").output == before


def test_a_setting_is_shown_when_changed(home: Home) -> None:
    assert home.do("set", "audit.syslog", "on").output == "audit.syslog on\n"
    assert home.do("set", "gc.grace").output == "gc.grace 2 weeks\n"
    assert "there is no setting 'gc'" in home.admin("set", "gc").errors
    assert home.do("set").output == (
        "audit.keep 1000000\naudit.syslog on\ngc.grace 2 weeks\nkeys.file ~/.ssh/authorized_keys\n"
    )

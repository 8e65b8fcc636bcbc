"""An account of the first format becomes one of ours when it is opened, whole or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from msglog.account import audit
from msglog.account.account import Account
from msglog.account.audit import Act, Trail, Visit, records
from msglog.account.database import FORMAT, AccountFormatError, Database
from msglog.account.role import Role
from msglog.account.setting import AUDIT_KEEP, setting

FIRST_FORMAT = """
PRAGMA application_id = 1835822945;
CREATE TABLE users (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE keys (
    fingerprint TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    type TEXT NOT NULL, blob BLOB NOT NULL, comment TEXT NOT NULL, added INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX keys_of_user ON keys (user);
CREATE TABLE grants (
    id INTEGER PRIMARY KEY, user INTEGER REFERENCES users ON DELETE CASCADE,
    repository TEXT NOT NULL, pattern TEXT NOT NULL, role TEXT NOT NULL
);
CREATE UNIQUE INDEX grants_in_repository ON grants (repository, ifnull(user, 0), pattern);
CREATE INDEX grants_of_user ON grants (user);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, user TEXT NOT NULL,
    key TEXT NOT NULL, address TEXT NOT NULL, repository TEXT NOT NULL, operation TEXT NOT NULL,
    log TEXT NOT NULL, messages INTEGER NOT NULL, size INTEGER NOT NULL, refused INTEGER NOT NULL,
    result TEXT NOT NULL, detail TEXT NOT NULL, session TEXT NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE TRIGGER audit_keeps_its_end BEFORE DELETE ON audit
WHEN old.id > (SELECT max(id) FROM audit) - 100
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE TABLE policies (
    repository TEXT NOT NULL, pattern TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (repository, pattern, name)
) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "account.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FIRST_FORMAT)
        connection.execute("INSERT INTO users VALUES (1, 'ann', 'write', 5)")
        connection.execute("INSERT INTO settings VALUES ('audit.keep', '7000')")
        connection.execute("INSERT INTO grants VALUES (1, 1, 'main', '*', 'read')")
        connection.execute(
            "INSERT INTO audit VALUES"
            " (1, 9, 'ann', '', '', 'main', 'push', 'main', 3, 99, 0, 'ok', '', 'x')"
        )
        connection.commit()
    (tmp_path / "repositories").mkdir()
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def faults(database: Database) -> list[str]:
    return [*database.faults(), *audit.faults(database)]


def test_an_old_account_is_upgraded_and_works(path: Path) -> None:
    account = Account.open(path.parent)
    assert version(path) == FORMAT
    assert [user.name for user in account.users()] == ["ann"]
    assert setting(account.database, AUDIT_KEEP) == "7000"
    account.add_user("bob", Role.READ, time=8)
    Trail(account.database, Visit("bob"), lambda: 10).record(Act("fetch"))
    found = records(account.database, limit=5)
    assert [(one.visit.user, one.act.operation) for one in found] == [
        ("ann", "push"),
        ("bob", "fetch"),
    ]
    assert list(account.database.faults()) == []
    account.close()


def test_a_new_account_has_no_faults_either(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "account.db", suffix="x")
    assert faults(database) == []
    database.close()


def test_one_that_cannot_be_upgraded_stays_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "msglog.account.database.connect",
        lambda path, **_: sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None),
    )
    with pytest.raises(AccountFormatError, match="older format"):
        Database.open(path)
    assert version(path) == 1


@pytest.mark.parametrize(
    "change",
    [
        "user = 'ann'",
        "time = time + 1",
        "messages = 0",
        "result = 'cut'",
        "detail = detail || 'x'",
        "session = ''",
        "checksum = checksum + 2",
    ],
)
def test_a_changed_record_of_the_audit_is_told(path: Path, change: str) -> None:
    database = Database.open(path)
    for number in range(3):
        Trail(database, Visit("bob", "k", "::1", "main", "s"), lambda: 10).record(
            Act("push", "main", number, 5, 0, detail="d")
        )
    database.execute("DROP TRIGGER audit_is_not_changed")
    assert database.execute(f"UPDATE audit SET {change} WHERE id = 3") == 1
    assert list(audit.faults(database)) == ["record 3 of the audit is not as it was written"]
    assert list(database.faults()) == ["trigger 'audit_is_not_changed' is not as msglog makes it"]
    database.close()

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from msglog.search.catalogue import (
    FORMAT,
    BusyCatalogueError,
    Catalogue,
    CatalogueError,
    WornCatalogueError,
    discard,
)
from msglog.search.seal import unseal

IDENTITY = bytes(range(16))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "search.db"


@pytest.fixture
def catalogue(path: Path) -> Iterator[Catalogue]:
    made = Catalogue.open(str(path), IDENTITY, patience=0)
    yield made
    made.close()


def opened(path: Path) -> None:
    Catalogue.open(str(path), IDENTITY, patience=0).close()


def test_it_is_for_its_owner_alone(catalogue: Catalogue, path: Path) -> None:
    assert catalogue.unread() == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_opened_again(path: Path) -> None:
    opened(path)
    number = path.stat().st_ino
    opened(path)
    assert path.stat().st_ino == number


@pytest.mark.parametrize(
    "sql",
    [
        f"PRAGMA user_version = {FORMAT + 1}",
        "PRAGMA application_id = 5",
        "DROP TABLE log",
        "DROP TABLE text",
        "CREATE TABLE more (x)",
        "CREATE TRIGGER more AFTER INSERT ON entry BEGIN DELETE FROM log; END",
        "CREATE VIEW more AS SELECT * FROM log",
        "ALTER TABLE unread ADD COLUMN x",
        "UPDATE catalogue SET identity = zeroblob(16)",
        "DELETE FROM catalogue",
    ],
)
def test_what_is_not_as_it_should_be_is_told(path: Path, sql: str) -> None:
    opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)
    for _ in range(2):
        with pytest.raises(WornCatalogueError):
            opened(path)
        unseal(str(path))


@pytest.mark.parametrize("data", [b"no database", b"x" * 8192])
def test_another_file_is_told(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(WornCatalogueError):
        opened(path)


def test_an_empty_file_is_one_to_be(path: Path) -> None:
    path.write_bytes(b"")
    opened(path)


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    path.symlink_to(tmp_path / "other")
    with pytest.raises(CatalogueError):
        opened(path)
    assert (tmp_path / "other").read_bytes() == b""


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO log VALUES (1, 'main', x'00', zeroblob(32), NULL, 0)",
        "INSERT INTO log VALUES (1, 'main', NULL, 7, NULL, 0)",
        "INSERT INTO log VALUES (1, 'main', NULL, zeroblob(32), 'x', 0)",
        "INSERT INTO log VALUES (1, 'main', NULL, zeroblob(32), NULL, 'x')",
        "INSERT INTO log VALUES (1, x'ff', NULL, zeroblob(32), NULL, 0)",
        "INSERT INTO log VALUES (1, CAST(x'ff' AS TEXT), NULL, zeroblob(32), NULL, 0)",
    ],
)
def test_a_log_that_is_recorded_wrongly_is_damage(catalogue: Catalogue, sql: str) -> None:
    catalogue.connection.execute(sql)
    with pytest.raises(WornCatalogueError):
        catalogue.logs()


def test_what_is_undone_is_undone(catalogue: Catalogue) -> None:
    twice = [(1,), (1,)]
    with pytest.raises(CatalogueError), catalogue.transaction():
        catalogue.connection.executemany("INSERT INTO unread VALUES (?)", twice)
    assert catalogue.unread() == 0
    with catalogue.transaction():
        catalogue.connection.execute("INSERT INTO unread VALUES (1)")
    assert catalogue.unread() == 1


def test_who_waits_in_vain_is_told(catalogue: Catalogue, path: Path) -> None:
    with closing(Catalogue.open(str(path), IDENTITY, patience=0)) as other, other.transaction():
        with pytest.raises(BusyCatalogueError), catalogue.transaction():
            pass
        assert catalogue.unread() == 0  # reading goes on


def test_on_a_disk_of_several_machines_it_has_a_rollback_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msglog.sqlite_file.LOCAL_KINDS", frozenset())
    with (
        closing(Catalogue.open(str(path), IDENTITY, patience=0)) as writer,
        closing(Catalogue.open(str(path), IDENTITY, patience=0)) as reader,
    ):
        assert writer.select("PRAGMA journal_mode") == [("delete",)]
        with writer.transaction():
            rows = [(number,) for number in range(500_000)]
            writer.connection.executemany("INSERT INTO unread VALUES (?)", rows)
            assert reader.unread() == 0  # however much is written
        assert reader.unread() == 500_000
    discard(str(path))
    assert [name for name in os.listdir(path.parent) if name.startswith(path.name)] == []


def test_a_full_disk_is_not_the_fault_of_the_file(catalogue: Catalogue) -> None:
    ((pages,),) = catalogue.select("PRAGMA page_count")
    catalogue.select(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CatalogueError, match="full") as caught, catalogue.transaction():
        catalogue.connection.execute("INSERT INTO entry VALUES (1, 1, zeroblob(100000))")
    assert not isinstance(caught.value, WornCatalogueError)
    assert catalogue.select("SELECT count(*) FROM entry") == [(0,)]


def test_discarding_leaves_nothing_and_disturbs_nobody(catalogue: Catalogue, path: Path) -> None:
    with catalogue.transaction():
        catalogue.connection.execute("INSERT INTO unread VALUES (1)")
    discard(str(path))
    discard(str(path))
    assert os.listdir(path.parent) == []
    with closing(Catalogue.open(str(path), IDENTITY, patience=0)) as other:
        assert (other.unread(), catalogue.unread()) == (0, 1)
        with catalogue.transaction():
            catalogue.connection.execute("INSERT INTO unread VALUES (2)")
        catalogue.close()
        assert other.unread() == 0
    opened(path)


def test_without_fts5_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msglog.search.catalogue._TEXT", "CREATE VIRTUAL TABLE text USING fts5x(a)")
    monkeypatch.setattr("msglog.search.catalogue._NO_FTS5", "no such module: fts5x")
    with pytest.raises(CatalogueError, match="without FTS5"):
        Catalogue.temporary(IDENTITY)

"""The tables of an account in PostgreSQL where connections are lost."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from msglog import postgres_link
from msglog.account.database import Database
from msglog.account.postgres_tables import PostgresTables
from msglog.account.totals import GC, note_upkeep, upkeep
from msglog.postgres_link import Link
from tests.postgres.databases import Databases


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


def test_what_may_be_noted_twice_is_noted_although_an_answer_is_lost(
    tables: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Link.commit
    times: list[int] = []

    def commit(link: Link) -> None:
        genuine(link)
        if not times:
            times.append(1)
            link.session.close()
            raise postgres_link._Doubt

    monkeypatch.setattr(Link, "commit", commit)
    note_upkeep(tables, GC, "main", time=5)
    assert times == [1]
    assert upkeep(tables, GC) == {"main": 5}

"""The tables of an account, of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.account.database import Database
from msglog.account.tables import Tables
from tests.postgres.databases import Databases


@pytest.fixture(params=["sqlite", "postgres"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tables]:
    made: Tables
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_tables()
    else:
        made = Database.create(tmp_path / "account.db", suffix="x")
    yield made
    made.close()


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[Database]:
    made = Database.create(tmp_path / "account.db", suffix="x")
    yield made
    made.close()

"""One connection to PostgreSQL: whether it is a matter of who answers that it has TLS."""

import psycopg
import pytest

from msglog.postgres_connection import Connection, leaves_tls_open
from tests.postgres.databases import Databases
from tests.postgres.server import DATABASE, LOGIN


@pytest.mark.parametrize(
    ("sslmode", "host", "is_open"),
    [
        ("prefer", "192.0.2.1", True),
        ("allow", "2001:db8::1", True),
        ("prefer", "127.0.0.1", False),
        ("prefer", "::1", False),
        ("prefer", "", False),
        ("disable", "192.0.2.1", False),
        ("require", "192.0.2.1", False),
        ("verify-full", "192.0.2.1", False),
    ],
)
def test_who_decides_whether_there_is_tls(sslmode: str, host: str, *, is_open: bool) -> None:
    assert leaves_tls_open(sslmode, host) == is_open


@pytest.mark.parametrize(
    ("host", "more", "said"),
    [
        ("127.0.0.1", "", ("prefer", "127.0.0.1")),
        ("127.0.0.1", "sslmode=disable", ("disable", "127.0.0.1")),
        ("{socket}", "", ("prefer", "")),
    ],
)
def test_what_a_connection_was_made_with_is_asked(
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    more: str,
    said: tuple[str, str],
) -> None:
    asked: list[tuple[str, str]] = []

    def judge(*what: str) -> bool:
        asked.append((what[0], what[1]))
        return True

    monkeypatch.setattr("msglog.postgres_connection.leaves_tls_open", judge)
    server = databases.server
    where = host.replace("{socket}", str(server.folder))
    address = f"host={where} port={server.port} dbname={DATABASE} user={LOGIN} {more}"
    with Connection.connect(address) as connection:
        assert isinstance(connection, psycopg.Connection)
        assert connection.tls_is_optional
    assert asked == [said]

"""One connection to PostgreSQL: how long it is waited for, and whether TLS is a matter of luck."""

import os
import signal
from typing import Any

import psycopg
import pytest

from msglog.postgres_connection import Connection, connected, leaves_tls_open
from tests.postgres.databases import Databases
from tests.postgres.server import DATABASE, LOGIN, Postgres, running_postgres


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


class SilentHosts:
    """Hosts that accept, and say nothing; the clock goes on by how long each is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.waited: list[tuple[str, float]] = []
        monkeypatch.setattr("msglog.postgres_connection.time.monotonic", lambda: self.now)
        monkeypatch.setattr(Connection, "connect", self._connect)

    def _connect(self, **given: Any) -> None:
        seconds = float(given["connect_timeout"])
        self.waited.append((given["hostaddr"], seconds))
        self.now += seconds
        raise psycopg.errors.ConnectionTimeout("connection timeout expired")


HOSTS = "192.0.2.1,192.0.2.2,192.0.2.3"


@pytest.mark.parametrize(
    ("said", "seconds", "waited"),
    [
        ("5", 20.0, [5, 5, 5]),
        ("5", 12.0, [4, 4, 4]),
        ("5", 3.0, [2]),
        ("9", 20.0, [6, 7, 7]),
        ("0", 20.0, [6, 7, 7]),
        ("5", -1.0, [2]),
    ],
)
def test_hosts_that_are_silent_share_what_time_is_left(
    monkeypatch: pytest.MonkeyPatch, said: str, seconds: float, waited: list[float]
) -> None:
    hosts = SilentHosts(monkeypatch)
    with pytest.raises(psycopg.OperationalError, match=r"\Aconnection timeout expired\Z"):
        connected({"host": HOSTS, "connect_timeout": said}, seconds)
    assert hosts.waited == list(zip(HOSTS.split(","), waited, strict=False))


def test_the_host_that_answers_is_taken_and_what_others_say_is_told(databases: Databases) -> None:
    server = databases.server
    where = {"dbname": DATABASE, "user": LOGIN, "sslmode": "disable"}
    ports = f"1,{server.port}"
    connection = connected({**where, "host": "127.0.0.1,127.0.0.1", "port": ports}, 20.0)
    assert connection.info.port == server.port
    connection.close()
    with pytest.raises(psycopg.OperationalError, match=r"refused\n(.|\n)*does not exist"):
        connected({**where, "dbname": "x", "host": "127.0.0.1,127.0.0.1", "port": ports}, 20.0)


def test_a_deadline_that_is_none_is_said() -> None:
    with pytest.raises(psycopg.ProgrammingError, match="connect_timeout"):
        connected({"host": "192.0.2.1", "connect_timeout": "soon"}, 20.0)


def test_a_server_hears_that_it_is_given_up(databases: Databases) -> None:
    connection = connected(local(databases.server), 20.0)
    assert connection.give_up()
    assert connection.closed


def test_a_server_that_is_frozen_does_not_hear_and_is_given_up_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("msglog.postgres_connection.CANCEL_SECONDS", 0.3)
    with running_postgres() as server:
        connection = connected(local(server), 20.0)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert not connection.give_up()
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert connection.closed


def test_nothing_is_asked_for_whose_end_is_not_known(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psycopg.capabilities, "has_cancel_safe", lambda: False)
    monkeypatch.setattr(Connection, "cancel_safe", None)
    connection = connected(local(databases.server), 20.0)
    assert not connection.give_up()
    assert connection.closed


def local(server: Postgres) -> dict[str, str]:
    return {"host": "127.0.0.1", "port": str(server.port), "dbname": DATABASE, "user": LOGIN}

"""A connection string that is to be kept: whatever is read again later, and by sessions of sshd."""

import pytest

from msglog.postgres_address import (
    ConnectionStringError,
    check_keepable,
    left_to_environment,
    parameters_of,
    place_of,
)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "it is empty"),
        (" ", "it is empty"),
        ("host=h\ndbname=d", "it has more than one line"),
        ("host=h\rdbname=d", "it has more than one line"),
        (f"host=h application_name={'x' * 4096}", "it is longer than 4095 bytes"),
        ("postgresql://h/d?sslrootcert=ca.crt", "sslrootcert is no absolute path"),
        ("postgresql://h/d?sslrootcert=~/ca.crt", "sslrootcert is no absolute path"),
        ("host=h sslcert=a sslkey=/b", "sslcert is no absolute path"),
        ("host=h passfile=../pass", "passfile is no absolute path"),
    ],
)
def test_what_a_session_could_not_use_is_not_kept(address: str, why: str) -> None:
    with pytest.raises(ConnectionStringError) as raised:
        check_keepable(address)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "host=h",
        "service=lab",
        "postgresql://u@h/d?sslmode=verify-full&sslrootcert=system",
        "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca.crt&sslcert=/c&sslkey=/k",
        "host=h sslkey=pkcs11:token=x",
        "host=h sslcert=''",
    ],
)
def test_what_is_kept(address: str) -> None:
    check_keepable(address)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ConnectionStringError, match="cannot be read"):
        parameters_of("postgresql:///d?user=\udcff")


def test_what_only_this_environment_says_is_named() -> None:
    environment = {
        "PGHOST": "db",
        "PGUSER": "ann",
        "PGPASSWORD": "hush",
        "PGDATABASE": "",
        "PGAPPNAME": "what we say ourselves",
        "PAGER": "less",
    }
    assert left_to_environment("host=h dbname=d", environment) == ["PGPASSWORD", "PGUSER"]
    assert left_to_environment("host=h user=u", {"PGUSER": "ann"}) == []


def test_where_a_service_is_looked_for_is_named_too() -> None:
    environment = {"PGSERVICEFILE": "/tmp/services"}
    assert left_to_environment("service=lab", environment) == ["PGSERVICEFILE"]
    assert left_to_environment("host=h", environment) == []


def test_a_place_without_a_database_is_named_all_the_same() -> None:
    assert place_of(parameters_of("host=h")) == "PostgreSQL at h"
    assert place_of(parameters_of("postgresql://")) == "PostgreSQL at its local socket"

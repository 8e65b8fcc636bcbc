"""What the errors of PostgreSQL and its connections mean, and what may cure them."""

from __future__ import annotations

import psycopg

AGAIN = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: nothing was done, and it may be now."""

_GONE = frozenset({"25006", "25P03", "40003", "53300", "57P01", "57P02", "57P03", "57P04", "57P05"})
"""The server ends, starts or has become a standby, or has no room: another connection may do."""

_CONNECTION_CLASS = "08"
_LASTING = (
    *("authentication failed", "no password supplied", "does not exist", "not permitted"),
    *("permission denied", "unrecognized configuration parameter", "requires a value"),
    "unsupported startup parameter",
    *("no pg_hba.conf entry", "pg_hba.conf rejects", "does not match host name"),
    *("definition of service", "service file"),
    *("certificate", "private key file", "alert", "does not support ssl", "invalid "),
)
"""What is in the words of a connection that will not be had by waiting."""

DAMAGED = frozenset({"XX001", "XX002"})
"""Data or an index are corrupted."""

NO_TABLES = frozenset({"42P01", "3F000"})
"""Undefined table, invalid schema name."""


TOO_SLOW = "57014"
"""Query cancelled: by a deadline."""


_HINTS = {
    "no password supplied": "Put it into ~/.pgpass of the server account, with mode 0600.",
    "password authentication failed": "Put the right one into ~/.pgpass of the server account.",
    "pg_hba.conf": "Let this host and login in by the server's pg_hba.conf.",
    "does not match host name": "Name the host as its certificate does.",
    "certificate verify failed": "Name the certificate of its authority with sslrootcert=FILE.",
    "private key file": "Run `chmod 600` on the key, which must have no passphrase.",
    "database  does not exist": "Make it with `createdb`.",
    "role  does not exist": "Make it with `createuser`.",
    "unsupported startup parameter": "PgBouncer needs `ignore_startup_parameters = options`.",
}
"""What a person does about words of a connection; in these, names in quotes are left out."""

_HINTS_BY_STATE = {
    "42501": "The login of the address must own the tables, or their schema.",
    "53100": "Make room on the server's disk.",
}
"""Insufficient privilege, disk full."""


def hint_of(error: psycopg.Error) -> str:
    """Return what a person has to do, or "" where that is not known."""
    if error.sqlstate is not None:
        return _HINTS_BY_STATE.get(error.sqlstate, "")
    said = _unquoted(error)
    return next((hint for words, hint in _HINTS.items() if words in said), "")


def _unquoted(error: psycopg.Error) -> str:
    """Return what an error says without what is in quotes: names, such as a host's."""
    return "".join(str(error).lower().split('"')[::2])


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether a connection is of no more use, and another one may do."""
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.OperationalError):
        said = _unquoted(error)
        return not any(word in said for word in _LASTING)
    return state in _GONE or (state or "").startswith(_CONNECTION_CLASS)


def one_line(error: BaseException) -> str:
    """Return what an error says, without the statement and its values."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary.replace("\n", "; ")
    return (
        "; ".join(line.strip() for line in str(error).splitlines() if line.strip()) or "no answer"
    )

"""The connection string of a PostgreSQL database: what may be in it, and what is added."""

from __future__ import annotations

import os

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

STATEMENT_SECONDS: Final = 20
"""How long one statement may take on the server, but for COMMIT: see `Link.run`."""

_LOCK_SECONDS = 10
_IDLE_SECONDS = 60

ADDRESS_BYTES: Final = 4095
"""How long one may be that is kept."""

_CONNECT_SECONDS = 5
_PLACE_CHARACTERS = 200

_HIDDEN = b"*"
"""What libpq says of what is not to be shown as it is typed."""

_AS_PASSWORDS = ("scram_client_key", "scram_server_key")
"""What libpq takes for a matter of debugging, and lets somebody in without the password."""

_FILES = (
    *("sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslkeylogfile"),
    *("passfile", "servicefile"),
)
"""What names a file, or a folder of them."""

_NO_FILE = {"sslrootcert": "system"}

_NOT_ASKED = "-"
"""In the place of that of a key that has one: for which OpenSSL would ask at the terminal or, where
there is none, on standard input, and there is what a client says."""

_ALWAYS = {"application_name": "msglog", "client_encoding": "utf8", "gssencmode": "disable"}
_DEFAULTS = {
    "connect_timeout": str(_CONNECT_SECONDS),
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "sslpassword": _NOT_ASKED,
    "target_session_attrs": "read-write",
    "tcp_user_timeout": "20000",
}
_OPTIONS = (
    f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={_LOCK_SECONDS}s"
    f" -c idle_in_transaction_session_timeout={_IDLE_SECONDS}s"
    # By these the server notices that a host is gone that did not say so, within two minutes. It
    # keeps its connections for two hours otherwise, and their number is limited.
    " -c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6"
)


class ConnectionStringError(UsageError):
    """The connection string cannot be used."""


def parameters_of(address: str) -> dict[str, object]:
    """Return what a connection string says, by name; raises ConnectionStringError.

    A secret has no place in it: the string is kept in a file, and seen by `ps`.
    """
    try:
        parameters: dict[str, object] = dict(conninfo_to_dict(address))
    except (psycopg.Error, UnicodeError):
        # What libpq says of it may have a part of a password in it.
        raise ConnectionStringError(
            "the connection string cannot be read",
            hint="It is such as postgresql://USER@HOST:5432/DATABASE?sslmode=verify-full.",
        ) from None
    secret = min(_secrets() & parameters.keys(), default=None)
    if secret is not None:
        what = "a password" if secret == "password" else f"a secret ({secret})"  # noqa: S105 - a name
        raise ConnectionStringError(
            f"there is {what} in the connection string",
            hint="Put it into ~/.pgpass or a service file, or use a certificate.",
        )
    return parameters


def _secrets() -> set[str]:
    """Return the names of what is as good as a password."""
    known = Conninfo.get_defaults()
    return {*_AS_PASSWORDS, *[one.keyword.decode() for one in known if one.dispchar == _HIDDEN]}


def check_keepable(address: str) -> None:
    """Raise ConnectionStringError unless sessions can read and use what is kept of this.

    They read one line, and begin in another folder than whoever typed it.
    """
    why = ""
    if not address.strip():
        why = "it is empty"
    elif len(f"{address}.".splitlines()) > 1:
        why = "it has more than one line"
    elif len(os.fsencode(address)) > ADDRESS_BYTES:
        why = f"it is longer than {ADDRESS_BYTES} bytes"
    else:
        said = parameters_of(address)
        for name in _FILES:
            value = str(said.get(name) or "")
            # With a colon it is what a device has, such as pkcs11:.
            is_file = value and value != _NO_FILE.get(name) and ":" not in value
            if is_file and not os.path.isabs(value):
                why = f"{name} is no absolute path, and sessions begin in another folder"
    if why:
        raise ConnectionStringError(
            "the connection string cannot be kept",
            why=why,
            hint="It is such as postgresql://USER@HOST:5432/DATABASE?sslmode=verify-full.",
        )


def left_to_environment(address: str, environment: Mapping[str, str]) -> list[str]:
    """Return which variables of an environment libpq takes for what an address leaves open."""
    parameters = parameters_of(address)
    said = with_defaults(parameters)
    known = [(one.envvar, one.keyword) for one in Conninfo.get_defaults() if one.envvar]
    names = [name.decode() for name, keyword in known if keyword.decode() not in said]
    if "service" in parameters:
        names += ["PGSERVICEFILE", "PGSYSCONFDIR"]
    return sorted(name for name in names if environment.get(name))


def with_defaults(parameters: dict[str, object]) -> dict[str, str]:
    """Return what to connect with: what is said, and deadlines and the like where nothing is.

    What a service says is a part of it, with the password that may be there.
    """
    given = {name: str(value) for name, value in parameters.items()}
    if "service" in given:
        given = _with_service(given)
    options = f"{_OPTIONS} {given.pop('options', '')}".rstrip()
    return {**_ALWAYS, **_DEFAULTS, **given, "options": options}


def _with_service(given: dict[str, str]) -> dict[str, str]:
    """Return what is said, and what the service says that is named there; the same if it is none.

    libpq tells what a service says only by a connection: it is asked for one that cannot be, and
    has not begun to make it when it finds out. What is as libpq has it anyway counts as not said.
    """
    impossible = make_conninfo(**{**given, "channel_binding": "?"})
    attempt = PGconn.connect_start(impossible.encode())
    try:
        said = {
            one.keyword.decode(): one.val.decode()
            for one in attempt.info
            if one.val and one.val != one.compiled
        }
    finally:
        attempt.finish()
    if "service" not in said:
        return given
    del said["channel_binding"]
    return {name: value for name, value in {**said, **given}.items() if name != "service"}


def place_of(parameters: dict[str, object]) -> str:
    """Return what people call a database: without user and password."""
    service = parameters.get("service")
    if service is not None:
        return f"PostgreSQL by the service {service!s:.80}"
    hosts = str(parameters.get("host") or parameters.get("hostaddr") or "its local socket")
    ports = str(parameters.get("port") or "")
    where = f"{hosts} port {ports}" if ports else hosts
    name = str(parameters.get("dbname") or "")
    return f"PostgreSQL{' database ' if name else ''}{name} at {where}"[:_PLACE_CHARACTERS]

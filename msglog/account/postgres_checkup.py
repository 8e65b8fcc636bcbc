"""What is wrong with the database server of an account, and with how it is reached."""

from __future__ import annotations

from msglog.account.finding import Finding, Severity
from msglog.annotation import TYPE_CHECKING
from msglog.postgres_address import left_to_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from msglog.postgres_link import Link

OF_ADDRESS = frozenset({"tls", "not-in-sessions", "options-ignored"})
"""The codes of the findings that are about the address, and so said where it is given."""

_NEEDED = ("fsync", "full_page_writes")
_ASKED_FOR = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def check_server(
    link: Link, address_file: str, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what is wrong; raises what the link raises.

    address_file: has the address. environment: of whoever asks.
    """
    settings = link.select(
        "SELECT name FROM pg_settings WHERE name IN ($1, $2) AND setting = 'off' ORDER BY name",
        *_NEEDED,
    )
    for (name,) in settings:
        yield Finding(
            Severity.ERROR,
            "not-durable",
            link.place,
            None,
            f"{name} is off, so that what was acknowledged may be lost or damaged when the server's"
            " machine stops",
            f"Set `{name} = on` in postgresql.conf, and make and check a new backup.",
        )
    if link.tls_is_optional:
        yield Finding(
            Severity.WARNING,
            "tls",
            address_file,
            None,
            "the address leaves it to whoever answers whether there is TLS, and believes anybody",
            "Add `sslmode=verify-full` and `sslrootcert=FILE` to it, or `sslmode=disable` where"
            " the network is protected by other means.",
        )
    rows = link.select(
        "SELECT name FROM pg_settings WHERE name IN ($1, $2, $3) AND setting = '0'", *_ASKED_FOR
    )
    absent = [name for name in _ASKED_FOR if (name,) in rows]
    if absent:
        yield Finding(
            Severity.WARNING,
            "options-ignored",
            address_file,
            None,
            f"connections have no {', '.join(absent)}, which they ask for: what stands between may"
            " ignore their options, and the schema that the address names",
            "Set these, and search_path, with `ALTER ROLE ... SET`.",
        )
    names = left_to_environment(link.session.address, environment)
    if names:
        are, them = ("is", "it") if len(names) == 1 else ("are", "them")
        yield Finding(
            Severity.WARNING,
            "not-in-sessions",
            address_file,
            None,
            f"{', '.join(names)} {are} of this environment alone, and sessions of sshd do not have"
            f" {them}",
            f"Say {them} in the address, or have the password in ~/.pgpass.",
        )

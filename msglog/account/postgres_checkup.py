"""What is wrong with the database server of an account, and with how it is reached."""

from __future__ import annotations

from msglog.account.finding import Finding, Severity
from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.postgres_link import Link

TLS = "tls"
"""The code of the finding that is about the address, and so said where it is given."""

_NEEDED = ("fsync", "full_page_writes")


def check_server(link: Link, address_file: str) -> Iterator[Finding]:
    """Yield what is wrong; raises what the link raises. address_file: has the address."""
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
            TLS,
            address_file,
            None,
            "the address leaves it to whoever answers whether there is TLS, and believes anybody",
            "Add `sslmode=verify-full` and `sslrootcert=FILE` to it, or `sslmode=disable` where"
            " the network is protected by other means.",
        )

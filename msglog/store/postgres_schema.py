"""The tables of the stores in a PostgreSQL database: one row in `repositories` for each store.

Every table begins with the number of the repository. What orders rows is counted within what it
orders, under the lock of a row; no sequence says what is newer.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.store.store import ForeignStoreError, StoreFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.postgres_link import Link

FORMAT = 2
"""The version of the tables below; older ones are upgraded, a newer one is refused."""

GATES = 16
"""How many rows of `gates` a repository has; see `msglog.store.postgres_collection`."""

TABLES = (
    *("messages", "nodes", "refs", "reflog", "receipts", "usage", "agreed", "retired"),
    *("held_back", "lookup", "looked_up", "gates", "collecting"),
    "noted",
)
"""What has rows of single repositories."""

_TEXT = 'TEXT COLLATE "C" NOT NULL'
"""Of a key: in the order of its bytes, which is the same on every host and in every version of it.
In that of a language, an index made on one host may be wrong on another one."""

NOTING = (
    """CREATE TABLE collecting (
        repository INTEGER NOT NULL, run BIGINT NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, run))""",
    """CREATE TABLE noted (
        repository INTEGER NOT NULL, run BIGINT NOT NULL, root BYTEA NOT NULL)""",
    "CREATE INDEX noted_for ON noted (repository, run)",
)
"""The tables of `msglog.store.postgres_noted`."""

STATEMENTS = (
    "CREATE TABLE store_format (format INTEGER PRIMARY KEY)",
    f"INSERT INTO store_format VALUES ({FORMAT})",  # noqa: S608 - a number of ours
    f"""CREATE TABLE repositories (
        number INTEGER PRIMARY KEY, name {_TEXT} UNIQUE, identity BYTEA NOT NULL,
        created BIGINT NOT NULL, checksum BIGINT NOT NULL)""",
    """CREATE TABLE gates (
        repository INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (repository, number))""",
    """CREATE TABLE messages (
        repository INTEGER NOT NULL, form SMALLINT NOT NULL, receipt BIGINT NOT NULL,
        seen BIGINT NOT NULL, key BYTEA NOT NULL, data BYTEA NOT NULL,
        PRIMARY KEY (repository, key))""",
    """CREATE TABLE nodes (
        repository INTEGER NOT NULL, seen BIGINT NOT NULL, oid BYTEA NOT NULL,
        data BYTEA NOT NULL, PRIMARY KEY (repository, oid))""",
    f"""CREATE TABLE refs (
        repository INTEGER NOT NULL, name {_TEXT}, root BYTEA NOT NULL,
        count BIGINT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (repository, name))""",
    f"""CREATE TABLE reflog (
        repository INTEGER NOT NULL, name {_TEXT}, version BIGINT NOT NULL,
        root BYTEA NOT NULL, count BIGINT NOT NULL, time BIGINT NOT NULL, reason TEXT NOT NULL,
        token BIGINT NOT NULL, checksum BIGINT NOT NULL,
        PRIMARY KEY (repository, name, version))""",
    """CREATE TABLE receipts (
        repository INTEGER NOT NULL, id BIGINT NOT NULL, "user" TEXT NOT NULL, key TEXT NOT NULL,
        log TEXT NOT NULL, time BIGINT NOT NULL, messages BIGINT NOT NULL,
        checksum BIGINT NOT NULL, PRIMARY KEY (repository, id))""",
    f"""CREATE TABLE usage (
        repository INTEGER NOT NULL, "user" {_TEXT}, messages BIGINT NOT NULL,
        size BIGINT NOT NULL, checksum BIGINT NOT NULL, PRIMARY KEY (repository, "user"))""",
    f"""CREATE TABLE agreed (
        repository INTEGER NOT NULL, peer {_TEXT}, log {_TEXT}, view BYTEA NOT NULL,
        root BYTEA NOT NULL, number BIGINT NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, peer, log, view, root))""",
    """CREATE TABLE retired (
        repository INTEGER NOT NULL, root BYTEA NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, root))""",
    f"""CREATE TABLE held_back (
        repository INTEGER NOT NULL, peer {_TEXT}, log {_TEXT}, key BYTEA NOT NULL,
        code TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (repository, peer, log, key))""",
    """CREATE TABLE lookup (
        repository INTEGER NOT NULL, oid BYTEA NOT NULL, time BIGINT NOT NULL,
        PRIMARY KEY (repository, oid))""",
    f"""CREATE TABLE looked_up (
        repository INTEGER NOT NULL, log {_TEXT}, root BYTEA NOT NULL,
        PRIMARY KEY (repository, log))""",
    *NOTING,
)
# messages.form: how data are kept, see `msglog.store.postgres_rows`. seen: in seconds since 1970.
# receipts.id, reflog.token, collecting.run: random numbers. messages.receipt: 0 for none.
# receipts.messages: how many messages have the receipt. refs.version: how often the ref was moved;
# the entry of the reflog with the same one is what the ref must be.


def channel(number: int) -> str:
    """Return the name under which changes of a repository are told, see `postgres_notice`."""
    return f"msglog_{number}"


def make_tables(link: Link) -> None:
    """Make the tables, in a transaction of the caller's."""
    link.all((statement, ()) for statement in STATEMENTS)


def check_format(link: Link, formats: Sequence[int]) -> None:
    """Raise StoreFormatError or ForeignStoreError unless the tables are ours; upgrade older ones.

    formats: what `store_format` has.
    """
    if len(formats) != 1 or formats[0] < 1:
        raise ForeignStoreError(f"{link.place} has no store of msglog's")
    if formats[0] > FORMAT:
        raise StoreFormatError(
            f"{link.place} was written by a newer msglog",
            why=f"it has format {formats[0]}, this version knows up to {FORMAT}",
            hint="Install a newer msglog.",
        )
    if formats[0] < FORMAT:
        from msglog.store.postgres_upgrade import upgrade  # noqa: PLC0415 - once

        upgrade(link)

"""The tables of a store in a SQLite file, and how those of an older format become these."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.store.store import (
    REPAIR_FOREIGN,
    ForeignStoreError,
    StoreBusyError,
    StoreError,
    StoreFormatError,
)

if TYPE_CHECKING:
    from msglog.store.sqlite_link import Link

APPLICATION_ID = 0x6D6C6F67
"""`mlog`, in the file's header, so that `file` and we can tell what it is."""

FORMAT = 3
"""The version of the tables below; a store of a newer one is refused, an older one is upgraded."""

PAGE_BYTES = 8192
"""A row of a table without row numbers moves to pages of its own when it is over a quarter of a
page: with SQLite's usual 4,096 a message of 1,200 bytes took 4.7 KB."""

_SECOND = """
CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE retired (root BLOB PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID"""

_THIRD = """
CREATE INDEX repository_values ON repository (identity, created);
CREATE INDEX reflog_values ON reflog (name, root, count, time, reason);
CREATE INDEX receipts_values ON receipts (user, key, log, time, messages);
CREATE INDEX held_back_values ON held_back (peer, log, key, code, why);
CREATE INDEX usage_values ON usage (user, messages, size)"""

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE repository (identity BLOB NOT NULL, created INTEGER NOT NULL);
CREATE TABLE messages (
    key BLOB PRIMARY KEY, receipt INTEGER NOT NULL, seen INTEGER NOT NULL,
    dictionary INTEGER NOT NULL DEFAULT 0, data BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE nodes (
    oid BLOB PRIMARY KEY NOT NULL, data BLOB NOT NULL, seen INTEGER NOT NULL
);
CREATE TABLE refs (
    name TEXT PRIMARY KEY, root BLOB NOT NULL, count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE reflog (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, root BLOB NOT NULL, count INTEGER NOT NULL,
    time INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, log TEXT NOT NULL,
    time INTEGER NOT NULL, messages INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE agreed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL, log TEXT NOT NULL,
    view BLOB NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL,
    UNIQUE (peer, log, view, root)
);
CREATE TABLE held_back (
    peer TEXT NOT NULL, log TEXT NOT NULL, key BLOB NOT NULL, code TEXT NOT NULL,
    why TEXT NOT NULL, PRIMARY KEY (peer, log, key)
) WITHOUT ROWID;
CREATE TABLE usage (
    user TEXT PRIMARY KEY, messages INTEGER NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE lookup (oid BLOB PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE looked_up (log TEXT PRIMARY KEY, root BLOB NOT NULL) WITHOUT ROWID;
{_SECOND};
{_THIRD};
PRAGMA user_version = {FORMAT};
"""
# messages: data come last, so that the rest of a row is read without the pages of a long message;
# in an upgraded store they do not. messages.dictionary: the row of `dictionaries` that data are
# compressed with; 0: plain, -1: plain, because compression does not pay. retired: roots that were
# given up, which are kept for a grace. receipts.messages: how many messages have the receipt.
# What no digest is of is kept twice, in its table and in an index over all its columns, which
# SQLite compares when `verify` has it look: so a changed bit in either is found.

_UPGRADES = {
    1: f"""
ALTER TABLE messages ADD COLUMN dictionary INTEGER NOT NULL DEFAULT 0;
{_SECOND};
PRAGMA user_version = 2;
""",
    2: f"""
ALTER TABLE receipts ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
INSERT OR REPLACE INTO receipts (id, user, key, log, time, messages)
    SELECT r.id, r.user, r.key, r.log, r.time, count(*)
    FROM messages m JOIN receipts r ON r.id = m.receipt GROUP BY m.receipt;
DROP INDEX reflog_by_root;
{_THIRD};
PRAGMA user_version = 3;
""",  # noqa: S608 - ours
}
"""What makes the tables of a format those of the next one."""


def prepare(link: Link) -> None:
    """Say how the file is to be kept, before there is any table."""
    link.connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    # Free pages can then be given back a few at a time, while others write.
    link.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")


def make_tables(link: Link) -> None:
    """Make the tables, in a transaction of the caller's."""
    _run(link, _SCHEMA)


def bring_up_to_date(link: Link) -> None:
    """Check the format, and upgrade an older one, whole or not at all; raises StoreFormatError."""
    version = _version(link)
    if version == FORMAT:
        return
    try:
        with link.transaction():
            # Others may have been here first: what the format is now is known only inside.
            while (version := _version(link)) < FORMAT:
                _run(link, _UPGRADES[version])
    except StoreBusyError:
        raise
    except StoreError as error:
        raise StoreFormatError(
            f"{link.path} is of an older format",
            why=f"it has format {version}, and cannot be upgraded to {FORMAT}: {error.why}",
            hint="Let somebody who may write it run `msglog status` there.",
        ) from error


def _version(link: Link) -> int:
    (application,) = link.select("PRAGMA application_id")[0]
    (version,) = link.select("PRAGMA user_version")[0]
    if application != APPLICATION_ID or version < 1:
        raise ForeignStoreError(f"{link.path} is not a msglog store", hint=REPAIR_FOREIGN)
    if version > FORMAT:
        raise StoreFormatError(
            f"{link.path} was written by a newer msglog",
            why=f"it has format {version}, this version knows up to {FORMAT}",
            hint="Install a newer msglog.",
        )
    return int(version)


def _run(link: Link, script: str) -> None:
    for statement in script.split(";\n"):
        link.connection.execute(statement)

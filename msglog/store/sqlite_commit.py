"""Writing one change into a store in a SQLite file, inside a transaction of the caller's."""

from __future__ import annotations

import os
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.key import FIRST_KEY, KEY_BYTES
from msglog.objectid import ObjectId
from msglog.store.store import (
    AGREED_LIMIT,
    VIEWS_LIMIT,
    Lost,
    OverQuotaError,
    Ref,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from msglog.key import Key
    from msglog.store.sqlite_link import Link
    from msglog.store.store import (
        Agreement,
        Commit,
        HeldBack,
        RefUpdate,
    )

NOTICE_SUFFIX = "-notice"
"""After the name of a store: an empty file that writers open and close, see `tell_who_waits`."""

_MICROSECONDS = 1_000_000
_MESSAGES_AT_ONCE = 1024
_FEW_MESSAGES = 16
_BYTES_AT_ONCE = 8 << 20

# Always plain: whoever writes does not wait for a compressor. That is for gc.
_OR_UPDATE = """
ON CONFLICT (key) DO UPDATE SET data = excluded.data, seen = excluded.seen, dictionary = 0
"""
_INSERT_MESSAGE = f"""
INSERT INTO messages (key, data, receipt, seen, dictionary) VALUES (?, ?, ?, ?, 0)
{_OR_UPDATE}
"""  # noqa: S608 - ours

# Binding each value of each row takes longer than inserting it. Many rows go in as three values:
# all their keys, all their data, and how long each of these is, in eight digits; SQLite cuts them.
_INSERT_MESSAGES = f"""
WITH RECURSIVE item (number, start, size) AS (
    SELECT 0, 1, CAST(substr(?3, 1, 8) AS INTEGER)
    UNION ALL
    SELECT number + 1, start + size, CAST(substr(?3, 8 * number + 9, 8) AS INTEGER)
    FROM item WHERE number + 1 < ?4
)
INSERT INTO messages (key, data, receipt, seen, dictionary)
SELECT substr(?1, {KEY_BYTES} * number + 1, {KEY_BYTES}), substr(?2, start, size), ?5, ?6, 0
FROM item WHERE true
{_OR_UPDATE}
"""  # noqa: S608 - a number of ours


def write(link: Link, commit: Commit) -> Lost | None:
    """Write all of a change, or return what it was lost to; raises OverQuotaError."""
    execute = link.connection.execute
    for update in commit.refs:
        row = execute("SELECT root, count FROM refs WHERE name = ?", (update.name,)).fetchone()
        if (None if row is None else row[0]) != update.old:
            actual = None if row is None else Ref(ObjectId(row[0]), row[1])
            return Lost(update.name, actual)
    new = _count(link, commit)
    seen = commit.time // _MICROSECONDS
    link.connection.executemany(
        "INSERT INTO nodes VALUES (?, ?, ?)"
        " ON CONFLICT (oid) DO UPDATE SET data = excluded.data, seen = excluded.seen",
        [(oid, data, seen) for oid, data in commit.nodes.items()],
    )
    receipt = 0
    if commit.receipt is not None and commit.messages:
        given = commit.receipt
        cursor = execute(
            "INSERT INTO receipts (user, key, log, time, messages) VALUES (?, ?, ?, ?, ?)",
            (given.user, given.key, given.log, given.time, new),
        )
        receipt = cursor.lastrowid or 0
    _insert_messages(link, commit.messages, receipt, seen)
    for update in commit.refs:
        _write_ref(link, update, commit)
    for agreement in commit.agreed:
        _write_agreement(link, agreement, commit.time)
    for change in commit.held_back:
        _write_held_back(link, change)
    return None


def tell_who_waits(path: str | PathLike[str]) -> None:
    """Let those know who wait for a change of refs, see `msglog.store.sqlite_notice`.

    Where nobody ever has waited, the file is not there. Nothing of it is ever changed, so that the
    next commit has no more to make durable.
    """
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        os.close(os.open(f"{os.fspath(path)}{NOTICE_SUFFIX}", flags))
    except OSError:
        pass  # who waits finds out a little later by asking


def usage(link: Link, user: str) -> Usage:
    """Return what a user was the first to deliver."""
    rows = link.select("SELECT messages, size FROM usage WHERE user = ?", (user,))
    return next((Usage(*row) for row in link.checked(rows, (int, int))), Usage())


def _insert_messages(link: Link, messages: Mapping[Key, bytes], receipt: int, seen: int) -> None:
    items = iter(messages.items())
    while part := dict(islice(items, _MESSAGES_AT_ONCE)):
        sizes = tuple(map(len, part.values()))
        if len(part) < _FEW_MESSAGES or sum(sizes) > _BYTES_AT_ONCE:
            rows = [(key, data, receipt, seen) for key, data in part.items()]
            link.connection.executemany(_INSERT_MESSAGE, rows)
            continue
        digits = b"%08d" * len(sizes) % sizes
        joined = (b"".join(part), b"".join(part.values()), digits)
        link.connection.execute(_INSERT_MESSAGES, (*joined, len(part), receipt, seen))


def _count(link: Link, commit: Commit) -> int:
    """Count what a user is the first to deliver, and return how many; raises OverQuotaError."""
    if commit.receipt is None or not commit.messages:
        return 0
    user, messages = commit.counted_user, commit.messages
    new = list(messages.values())
    if known := _known(link, messages):
        new = [data for key, data in messages.items() if key not in known]
    used = usage(link, user).plus(len(new), sum(map(len, new)))
    if new and commit.quota is not None and not commit.quota.allows(used):
        raise OverQuotaError(commit.receipt.user)
    link.connection.execute(
        "INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", (user, used.messages, used.size)
    )
    return len(new)


def _known(link: Link, messages: Mapping[Key, bytes]) -> set[bytes]:
    """Return which keys the store has already, of these and maybe of others."""
    # Where the store has less between the first and the last key than there are keys, reading
    # that is faster than looking for each.
    most = len(messages)
    rows = link.select(
        "SELECT key FROM messages WHERE key BETWEEN ? AND ? LIMIT ?",
        (min(messages), max(messages), most),
    )
    if len(rows) == most:
        rows = [*link.select_in("SELECT key FROM messages WHERE key IN", list(messages))]
    return {key for (key,) in rows}


def _write_ref(link: Link, update: RefUpdate, commit: Commit) -> None:
    execute = link.connection.execute
    if update.new is None:
        # Whoever reads the log just now is not to lose it under their hands.
        execute(
            "INSERT OR REPLACE INTO retired SELECT root, ? FROM reflog WHERE name = ?"
            " UNION SELECT root, ? FROM refs WHERE name = ?",
            (commit.time, update.name) * 2,
        )
        execute("DELETE FROM refs WHERE name = ?", (update.name,))
        execute("DELETE FROM reflog WHERE name = ?", (update.name,))
        return
    root, count = update.new.root, update.new.count
    execute(
        "INSERT INTO refs VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET root = excluded.root, count = excluded.count",
        (update.name, root, count),
    )
    execute(
        "INSERT INTO reflog (name, root, count, time, reason) VALUES (?, ?, ?, ?, ?)",
        (update.name, root, count, commit.time, commit.reason),
    )


def _write_agreement(link: Link, agreement: Agreement, time: int) -> None:
    execute = link.connection.execute
    where = (agreement.peer, agreement.log, agreement.view)
    execute(
        "INSERT OR REPLACE INTO agreed (peer, log, view, root, time) VALUES (?, ?, ?, ?, ?)",
        (*where, agreement.root, time),
    )
    old = execute(
        "SELECT id, root FROM agreed WHERE peer = ? AND log = ? AND view = ?"
        " ORDER BY id DESC LIMIT -1 OFFSET ?",
        (*where, AGREED_LIMIT),
    ).fetchall()
    if agreement.view != FIRST_KEY:  # of which there may be as many as there are times
        old += execute(
            "SELECT id, root FROM agreed WHERE peer = ?1 AND log = ?2 AND view IN ("
            "SELECT view FROM agreed WHERE peer = ?1 AND log = ?2 AND view <> ?3"
            " GROUP BY view ORDER BY max(id) DESC LIMIT -1 OFFSET ?4)",
            (agreement.peer, agreement.log, FIRST_KEY, VIEWS_LIMIT),
        ).fetchall()
    for number, root in old:
        execute("INSERT OR REPLACE INTO retired VALUES (?, ?)", (root, time))
        execute("DELETE FROM agreed WHERE id = ?", (number,))


def _write_held_back(link: Link, change: HeldBack) -> None:
    where = (change.peer, change.log)
    link.connection.executemany(
        "DELETE FROM held_back WHERE peer = ? AND log = ? AND key = ?",
        [(*where, key) for key in change.accepted],
    )
    link.connection.executemany(
        "INSERT OR REPLACE INTO held_back VALUES (?, ?, ?, ?, ?)",
        [(*where, refusal.key, refusal.code, refusal.why) for refusal in change.refused],
    )

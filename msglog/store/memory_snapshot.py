"""Writing what a store in memory holds into a file of SQLite."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import SECOND, key_object_id, key_time
from msglog.sqlite_file import connect
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_link import Link
from msglog.store.store import Commit

if TYPE_CHECKING:
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.store.store import Receipt, Ref, ReflogEntry, Refusal, Usage


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a store in memory has, as it keeps it; see `msglog.store.memory`."""

    identity: bytes
    nodes: dict[ObjectId, bytes]
    messages: dict[Key, bytes]
    receipts: dict[Key, Receipt]
    usage: dict[str, Usage]
    refs: dict[str, Ref]
    reflog: dict[str, list[ReflogEntry]]
    agreed: dict[tuple[str, str, Key], dict[ObjectId, int]]
    retired: dict[ObjectId, int]
    seen: dict[bytes, int]
    held_back: dict[tuple[str, str], dict[Key, Refusal]]
    indexed: dict[str, ObjectId]
    index: set[Key]


def write(path: str, contents: Contents) -> None:
    """Make a store at path that has all of contents; raises StoreError."""
    first = Commit(0, "copied")
    SqliteStore.create(path, identity=contents.identity, first=first).close()
    link = Link(connect(path), path)
    try:
        with link.transaction():
            _insert(link, contents)
    finally:
        link.connection.close()


def _insert(link: Link, contents: Contents) -> None:
    insert = link.connection.executemany
    numbers = {receipt: at for at, receipt in enumerate(set(contents.receipts.values()), 1)}
    counts = dict.fromkeys(numbers, 0)
    for receipt in contents.receipts.values():
        counts[receipt] += 1
    insert(
        "INSERT INTO receipts (id, user, key, log, time, messages) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, one.user, one.key, one.log, one.time, counts[one])
            for one, number in numbers.items()
        ],
    )
    seen = {name: time // SECOND for name, time in contents.seen.items()}
    receipts = {key: numbers[receipt] for key, receipt in contents.receipts.items()}
    insert(
        "INSERT INTO messages (key, data, receipt, seen) VALUES (?, ?, ?, ?)",
        [(key, data, receipts.get(key, 0), seen[key]) for key, data in contents.messages.items()],
    )
    insert(
        "INSERT INTO nodes VALUES (?, ?, ?)",
        [(oid, data, seen[oid]) for oid, data in contents.nodes.items()],
    )
    insert(
        "INSERT INTO usage VALUES (?, ?, ?)",
        [(user, one.messages, one.size) for user, one in contents.usage.items()],
    )
    insert(
        "INSERT INTO refs VALUES (?, ?, ?)",
        [(name, ref.root, ref.count) for name, ref in contents.refs.items()],
    )
    insert(
        "INSERT INTO reflog (name, root, count, time, reason) VALUES (?, ?, ?, ?, ?)",
        [
            (name, entry.root, entry.count, entry.time, entry.reason)
            for name, entries in contents.reflog.items()
            for entry in reversed(entries)
        ],
    )
    insert(
        "INSERT INTO agreed (peer, log, view, root, time) VALUES (?, ?, ?, ?, ?)",
        [
            (*place, root, time)
            for place, roots in contents.agreed.items()
            for root, time in roots.items()
        ],
    )
    insert("INSERT INTO retired VALUES (?, ?)", list(contents.retired.items()))
    insert(
        "INSERT INTO held_back VALUES (?, ?, ?, ?, ?)",
        [
            (*place, refusal.key, refusal.code, refusal.why)
            for place, held in contents.held_back.items()
            for refusal in held.values()
        ],
    )
    insert("INSERT INTO looked_up VALUES (?, ?)", list(contents.indexed.items()))
    insert(
        "INSERT INTO lookup VALUES (?, ?)",
        [(key_object_id(key), key_time(key)) for key in contents.index],
    )

"""What is damaged in a store's file and no object's id tells: refs, receipts, look-ups, pages."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import difference
from msglog.key import key_object_id, key_time
from msglog.objectid import ObjectId
from msglog.sqlite_file import faults as file_faults
from msglog.sqlite_file import make_in_memory, shape
from msglog.sqlite_progress import attended
from msglog.store.checking import checked_nodes
from msglog.store.sqlite_link import PARAMETERS, Link
from msglog.store.sqlite_schema import make_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.store.collection import Beat

_SHOWN = 100

_REFS = """
SELECT name FROM refs WHERE NOT EXISTS (
    SELECT 1 FROM reflog WHERE id = (SELECT max(id) FROM reflog WHERE name = refs.name)
    AND root = refs.root AND count = refs.count)"""
_LOST_REFS = "SELECT DISTINCT name FROM reflog WHERE name NOT IN (SELECT name FROM refs)"
_RECEIPTS = """
SELECT r.id FROM receipts r LEFT JOIN temp.counted c ON c.receipt = r.id
 WHERE r.messages != ifnull(c.number, 0)
 UNION ALL SELECT receipt FROM temp.counted WHERE receipt NOT IN (SELECT id FROM receipts)"""


def faults(link: Link, beat: Beat | None = None) -> Iterator[str]:
    """Yield in words what is damaged; raises DamagedStoreError where nothing can be looked at.

    beat: called now and then.
    """
    with attended(link.connection, beat):
        yield from _faults(link)


def _faults(link: Link) -> Iterator[str]:
    with link.translated():
        yield from file_faults(link.connection)
    yield from _shape_faults(link)
    for (name,) in link.select(_REFS):
        yield f"ref {_shown(name)}: it is not what was last written to it"
    for (name,) in link.select(_LOST_REFS):
        yield f"ref {_shown(name)}: it is missing, and was not deleted"
    for look in (_receipt_faults, _look_up_faults):
        with _moment(link):
            found = list(look(link))
        yield from found


@contextmanager
def _moment(link: Link) -> Iterator[None]:
    """Show all as it is at one moment, whoever writes meanwhile."""
    link.select("BEGIN")
    try:
        yield
    finally:
        if link.connection.in_transaction:
            link.select("ROLLBACK")


def _shape_faults(link: Link) -> Iterator[str]:
    """Yield which tables, indexes and columns are there and should not be, or the other way."""
    sample = Link(make_in_memory(), link.path)
    try:
        make_tables(sample)
        expected = shape(sample.connection)
    finally:
        sample.connection.close()
    with link.translated():
        found = shape(link.connection)
    for kind, name in sorted({one[:2] for one in expected ^ found}):
        yield f"{_shown(kind)} {_shown(name)}: it is not as msglog makes it"


def _receipt_faults(link: Link) -> Iterator[str]:
    """Yield the receipts that more or fewer messages have than were given them."""
    link.select("DROP TABLE IF EXISTS temp.counted")
    link.select(
        "CREATE TEMP TABLE counted AS SELECT receipt, count(*) AS number FROM messages"
        " WHERE receipt != 0 GROUP BY receipt"
    )
    try:
        for (number,) in link.select(_RECEIPTS):
            yield f"receipt {_shown(number)}: not as many messages have it as were delivered by it"
    finally:
        link.select("DROP TABLE temp.counted")


def _look_up_faults(link: Link) -> Iterator[str]:
    """Yield which logs the look-up by id does not know as far as it says.

    It has no digests, but for each message an id and a time, which are the message's key.
    """

    def read(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        rows = link.select_in("SELECT oid, data FROM nodes WHERE oid IN", ids)
        found = {ObjectId(oid): data if isinstance(data, bytes) else b"" for oid, data in rows}
        return checked_nodes(ids, found)

    known = EMPTY_ROOT
    for log, root in link.select("SELECT log, root FROM looked_up ORDER BY log"):
        try:
            keys = difference(read, known, root)
            while part := list(islice(keys, PARAMETERS)):
                rows = link.select_in(
                    "SELECT oid, time FROM lookup WHERE oid IN", list(map(key_object_id, part))
                )
                there = {(oid, time) for oid, time in rows}
                if not there.issuperset((key_object_id(key), key_time(key)) for key in part):
                    yield f"the look-up by id: it lacks messages of {_shown(log)}"
                    break
        except IntegrityError as error:
            yield f"the look-up by id: what it knows of {_shown(log)} is damaged ({error.what})"
            continue
        known = root


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text[:_SHOWN]

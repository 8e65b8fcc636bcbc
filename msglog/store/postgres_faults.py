"""What is damaged in a store's tables and no object's id tells: refs, receipts, look-ups."""

from __future__ import annotations

from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import difference
from msglog.key import key_object_id, key_time
from msglog.objectid import ObjectId
from msglog.postgres_link import MOMENT, Blobs
from msglog.store.checking import checked_nodes
from msglog.store.postgres_rows import FRAME, PLAIN, checksum
from msglog.store.postgres_schema import GATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.postgres_link import Attempt, Link, Row

_SHOWN = 100
_AT_ONCE = 2000

_REFS = """
SELECT name FROM refs WHERE repository = $1 AND NOT EXISTS (
    SELECT 1 FROM reflog WHERE reflog.repository = $1 AND reflog.name = refs.name
    AND reflog.version = refs.version AND reflog.root = refs.root AND reflog.count = refs.count)
ORDER BY name"""
_LOST_REFS = """
SELECT DISTINCT name FROM reflog WHERE repository = $1
AND name NOT IN (SELECT name FROM refs WHERE repository = $1)"""
_REFLOG = """
SELECT name, version, root, count, time, reason, token, checksum FROM reflog
WHERE repository = {0}"""
_REFLOG_TYPES = "text int8 bytea int8 int8 text int8 int8"
_RECEIPTS = """
SELECT id, "user", key, log, time, messages, checksum FROM receipts WHERE repository = {0}"""
_RECEIPTS_TYPES = "int8 text text text int8 int8 int8"
_COUNTED = """
SELECT receipts.id FROM receipts LEFT JOIN (
    SELECT receipt, count(*) AS number FROM messages
    WHERE repository = {0} AND receipt <> 0 GROUP BY receipt
) AS counted ON counted.receipt = receipts.id
WHERE receipts.repository = {0} AND receipts.messages <> coalesce(counted.number, 0)
UNION SELECT receipt FROM messages WHERE repository = {0} AND receipt <> 0 AND NOT EXISTS (
    SELECT 1 FROM receipts WHERE receipts.repository = {0} AND receipts.id = messages.receipt)"""
_USAGE = 'SELECT "user", messages, size, checksum FROM usage WHERE repository = $1'
_FORMS = f"SELECT count(*) FROM messages WHERE repository = $1 AND form NOT IN ({PLAIN}, {FRAME})"  # noqa: S608 - numbers of ours


def faults(link: Link, number: int) -> list[str]:
    """Return in words what is damaged; raises DamagedDatabaseError where that cannot be seen.

    All is looked at as it is at one moment, and for as long as it takes.
    """

    def look(_: Attempt) -> list[str]:
        link.take_time()
        return [*_faults(link, number), *_look_up_faults(link, number)]

    return link.run(look, begin=MOMENT)


def _faults(link: Link, number: int) -> Iterator[str]:
    sql = "SELECT name, identity, created, checksum FROM repositories WHERE number = $1"
    for *values, kept in link.select(sql, number):
        if checksum(*values) != kept:
            yield "the repository's name, identity or age: it is not as it was written"
    sql = "SELECT number FROM gates WHERE repository = $1"
    if {gate for (gate,) in link.select(sql, number)} != set(range(GATES)):
        yield "the gates: they are not all there, and gc may remove what others need"
    for (name,) in link.select(_REFS, number):
        yield f"ref {_shown(name)}: it is not what was last written to it"
    for (name,) in link.select(_LOST_REFS, number):
        yield f"ref {_shown(name)}: it is missing, and was not deleted"
    for name, *values, token, kept in _rows(link, _REFLOG, number, _REFLOG_TYPES):
        if checksum(name, *values, token) != kept:
            yield f"ref {_shown(name)}: a past value is not as it was written"
    for *values, messages, kept in _rows(link, _RECEIPTS, number, _RECEIPTS_TYPES):
        if checksum(*values) + messages != kept:
            yield f"receipt {values[0]}: it is not as it was written"
    for (receipt,) in _rows(link, _COUNTED, number, "int8"):
        yield f"receipt {receipt}: not as many messages have it as were delivered by it"
    for user, messages, size, kept in link.select(_USAGE, number):
        if checksum(user) + messages + size != kept:
            yield f"what {_shown(user)} has delivered: it is not as it was written"
    ((strange,),) = link.select(_FORMS, number)
    if strange:
        yield f"messages: {strange} are kept in no form that there is"


def _rows(link: Link, sql: str, number: int, types: str) -> Iterator[Row]:
    """Yield rows of which there may be as many as there were pushes, without keeping them."""
    copy = f"COPY ({sql.format(number)}) TO STDOUT (FORMAT BINARY)"
    return link.copy_out(copy, types.split())


def _look_up_faults(link: Link, number: int) -> Iterator[str]:
    """Yield which logs the look-up by id does not know as far as it says."""

    def read(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        sql = "SELECT oid, data FROM nodes WHERE repository = $1 AND oid = ANY($2::bytea[])"
        rows = link.select(sql, number, Blobs(ids))
        return checked_nodes(ids, {ObjectId(oid): data for oid, data in rows})

    known = EMPTY_ROOT
    sql = "SELECT log, root FROM looked_up WHERE repository = $1"
    for log, root in sorted(link.select(sql, number)):
        try:
            keys = difference(read, known, root)
            while part := list(islice(keys, _AT_ONCE)):
                rows = link.select(
                    "SELECT oid, time FROM lookup WHERE repository = $1 AND oid = ANY($2::bytea[])",
                    number,
                    Blobs(map(key_object_id, part)),
                )
                if not set(rows).issuperset((key_object_id(key), key_time(key)) for key in part):
                    yield f"the look-up by id: it lacks messages of {_shown(log)}"
                    break
        except IntegrityError as error:
            yield f"the look-up by id: what it knows of {_shown(log)} is damaged ({error.what})"
            continue
        known = root


def _shown(value: str) -> str:
    text = value if value.isprintable() else repr(value)
    return text[:_SHOWN]

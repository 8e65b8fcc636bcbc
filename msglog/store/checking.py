"""What every store does before it hands out bytes: the digest must be the one asked for."""

from __future__ import annotations

from hashlib import sha256

from msglog.annotation import TYPE_CHECKING
from msglog.key import TIME_BYTES, key_object_id
from msglog.objectid import DamagedObjectError, object_id
from msglog.store.store import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from msglog.key import Key
    from msglog.objectid import ObjectId

_OTHERS = 32
"""How many rows of other logs a scan meets, beyond those that it is for, before it gives up."""


def checked_nodes(ids: Sequence[ObjectId], found: dict[ObjectId, bytes]) -> dict[ObjectId, bytes]:
    """Return found if it has all of ids and each has its digest; raises otherwise."""
    for oid in ids:
        data = found.get(oid)
        if data is None:
            raise MissingObjectError(oid.hex())
        if object_id(data) != oid:
            raise DamagedObjectError(oid, where="in the store")
    return found


def checked_messages(keys: Sequence[Key], found: dict[Key, bytes]) -> dict[Key, bytes]:
    """Return found if it has all of keys and each has its digest; raises otherwise."""
    for key in keys:
        data = found.get(key)
        if data is None:
            raise MissingObjectError(key_object_id(key).hex())
        if object_id(data) != key_object_id(key):
            raise DamagedObjectError(key_object_id(key), where="in the store")
    return found


def checked_beginning(
    keys: Sequence[Key],
    rows: Iterable[tuple[Key, bytes]],
    byte_limit: int,
    begun: Iterable[bytes] = (),
) -> list[bytes]:
    """Return begun and after it the data of rows, up to a number of bytes in all.

    begun: what was read already of the first of keys. rows: the others, in the order of keys; each
    must be there and have its digest; they are left as soon as there is no more room.
    """
    beginning = list(begun)
    size = sum(map(len, beginning))
    following = iter(rows)
    for key in keys[len(beginning) :]:
        found, data = next(following, (None, b""))
        if found != key:
            raise MissingObjectError(key_object_id(key).hex())
        size += len(data)
        if beginning and size > byte_limit:
            break
        if object_id(data) != key_object_id(key):
            raise DamagedObjectError(key_object_id(key), where="in the store")
        beginning.append(data)
    return beginning


def checked_scan(
    keys: Sequence[Key], rows: Iterable[tuple[Any, Any]], byte_limit: int
) -> tuple[list[bytes], bool]:
    """Return the data of the first of keys from rows, and whether that is all there is room for.

    rows: in the order of keys, as read and with any others between them; they are left where the
    others are the most, before keys are complete. Raises DamagedObjectError.
    """
    beginning: list[bytes] = []
    others = 0
    room = byte_limit
    wanted = iter(keys)
    key = next(wanted, None)
    try:
        for found, data in rows:
            if found != key:
                others += 1
                if others > len(beginning) + _OTHERS:
                    break
                continue
            room -= len(data)
            if room < 0 and beginning:
                return beginning, True
            if sha256(data).digest() != found[TIME_BYTES:]:
                raise DamagedObjectError(key_object_id(found), where="in the store")
            beginning.append(data)
            key = next(wanted, None)
            if key is None:
                break
    except TypeError:  # damage made data of another type, which is no object's digest
        pass
    return beginning, key is None

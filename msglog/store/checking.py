"""What every store does before it hands out bytes: the digest must be the one asked for."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.key import key_object_id
from msglog.objectid import DamagedObjectError, object_id
from msglog.store.store import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId


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
    keys: Sequence[Key], rows: Iterable[tuple[Key, bytes]], byte_limit: int
) -> list[bytes]:
    """Return the data of rows, which come in the order of keys, up to a number of bytes.

    Each must be there and have its digest; rows is left as soon as there is no more room.
    """
    beginning: list[bytes] = []
    size = 0
    following = iter(rows)
    for key in keys:
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

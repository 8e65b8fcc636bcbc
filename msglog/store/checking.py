"""What every store does before it hands out bytes: the digest must be the one asked for."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.digest import sha256_for
from msglog.key import TIME_BYTES, key_object_id
from msglog.objectid import DamagedObjectError, object_id
from msglog.store.store import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from msglog.key import Key
    from msglog.objectid import ObjectId

_OTHERS_BYTES = 8192
"""How much is passed over before anything was found."""


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
    rows: Iterable[tuple[object, object, object]],
    byte_limit: int,
    expanded: Callable[[object, object], bytes],
) -> list[bytes]:
    """Return the data of rows, which come in the order of keys, up to a number of bytes.

    rows: key, data, and by what they are compressed, for expanded; 0 if by nothing. Each must be
    there and have its digest; rows is left as soon as there is no more room.
    """
    return beginning_among(keys, rows, byte_limit, expanded) or []


def beginning_among(
    keys: Sequence[Key],
    rows: Iterable[tuple[object, object, object]],
    byte_limit: int,
    expanded: Callable[[object, object], bytes],
) -> list[bytes] | None:
    """Return what `checked_beginning` does, though other rows lie between those of keys.

    None once the others have more bytes than what was found: then it is better not to meet them.
    """
    beginning: list[bytes] = []
    size = others = number = 0
    descending = keys[0] > keys[-1]
    sha256 = sha256_for(len(keys))
    key = keys[0]
    for found, data, form in rows:
        if not isinstance(data, bytes):  # damage can make it another type
            data = b""  # noqa: PLW2901 - which has no key's digest
        if found == key:
            if form:
                data = expanded(data, form)  # noqa: PLW2901 - as it was staged
            size += len(data)
            if size > byte_limit and number:
                return beginning
            if sha256(data).digest() != key[TIME_BYTES:]:
                raise DamagedObjectError(key_object_id(key), where="in the store")
            beginning.append(data)
            number += 1
            if number == len(keys):
                return beginning
            key = keys[number]
        elif not isinstance(found, bytes) or (found < key if descending else found > key):
            break
        else:
            others += len(data)
            if others > size + _OTHERS_BYTES:
                return None
    raise MissingObjectError(key_object_id(key).hex())

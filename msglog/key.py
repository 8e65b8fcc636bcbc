"""Keys: the 40 bytes by which a log is ordered, time first."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.objectid import DIGEST_BYTES, ObjectId

if TYPE_CHECKING:
    from typing import NewType

    Key = NewType("Key", bytes)
else:
    Key = bytes
"""time + 2^63 as 8 bytes, big-endian (so that times before 1970 sort first), then the oid."""

SECOND = 1_000_000
"""Times are in microseconds since 1970 UTC."""

TIME_BYTES = 8
KEY_BYTES = TIME_BYTES + DIGEST_BYTES
KEY_NIBBLES = 2 * KEY_BYTES
TIME_MINIMUM = -(1 << 63)
TIME_MAXIMUM = (1 << 63) - 1

TIME_BIAS = 1 << 63
"""What is added to a time, so that the key's first bytes sort as it does."""

FIRST_KEY = Key(bytes(KEY_BYTES))
"""The smallest key there can be."""

LAST_KEY = Key(b"\xff" * KEY_BYTES)
"""The largest key there can be."""


def make_key(time: int, oid: ObjectId) -> Key:
    """Return the key of the object oid at time (microseconds since 1970 UTC, an int64)."""
    return Key((time + TIME_BIAS).to_bytes(TIME_BYTES, "big") + oid)


def first_key_at(time: int) -> Key:
    """Return the smallest key whose time is at least time; times past int64 are clamped."""
    clamped = min(max(time, TIME_MINIMUM), TIME_MAXIMUM)
    return Key((clamped + TIME_BIAS).to_bytes(TIME_BYTES, "big") + bytes(DIGEST_BYTES))


def key_time(key: Key) -> int:
    """Return the time of a key in microseconds since 1970 UTC."""
    return int.from_bytes(key[:TIME_BYTES], "big") - TIME_BIAS


def key_object_id(key: Key) -> ObjectId:
    """Return the id of the object that a key names."""
    return ObjectId(key[TIME_BYTES:])

"""Object ids: the SHA-256 of exactly an object's bytes."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.digest import digest
from msglog.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from typing import NewType

    ObjectId = NewType("ObjectId", bytes)
else:
    ObjectId = bytes
"""32 bytes: the digest that names an object. Computed, never supplied."""

DIGEST_BYTES = 32
SHORTEST_ABBREVIATION = 7
"""How many hex digits an abbreviated id has at least, as in git."""

_SHORTEST_ACCEPTED = 4
_HEX_DIGITS = "0123456789abcdef"


class ObjectIdError(UsageError):
    """A text that should be an object id, or the beginning of one, is not."""


class DamagedObjectError(IntegrityError):
    """The bytes kept or sent under an id have another digest."""

    def __init__(self, oid: ObjectId, *, where: str) -> None:
        super().__init__(
            f"object {oid.hex()} is damaged",
            why=f"its bytes {where} have another SHA-256",
            hint="Run `msglog verify` to see what else is damaged.",
        )
        self.oid = oid


def object_id(data: bytes) -> ObjectId:
    """Return the id of an object."""
    return ObjectId(digest(data))


def parse_object_id(text: str) -> ObjectId:
    """Return the id that 64 lower-case hex digits spell; raises ObjectIdError for anything else."""
    if len(text) != 2 * DIGEST_BYTES or text.strip(_HEX_DIGITS):
        raise ObjectIdError(f"{text[:80]!r} is not an object id", why="64 hex digits are wanted")
    return ObjectId(bytes.fromhex(text))


def parse_abbreviation(text: str) -> str:
    """Return an abbreviated id in lower case; raises ObjectIdError unless 4 to 64 hex digits."""
    folded = text.lower()
    if not _SHORTEST_ACCEPTED <= len(text) <= 2 * DIGEST_BYTES or folded.strip(_HEX_DIGITS):
        raise ObjectIdError(
            f"{text[:80]!r} is not an object id", why="4 to 64 hex digits are wanted"
        )
    return folded

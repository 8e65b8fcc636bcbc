"""Choosing messages by the beginning of their ids."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, NegativeAnswer, UsageError
from msglog.key import key_object_id
from msglog.message import Message, decode_object
from msglog.objectid import DIGEST_BYTES

if TYPE_CHECKING:
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository

_CANDIDATES = 5


class UnknownMessageError(NegativeAnswer):
    """No message has this id."""


class AmbiguousIdError(UsageError):
    """Several messages have ids that begin so."""


def find_message(repository: Repository, text: str) -> Key:
    """Return the key of the one message whose id begins with text.

    Raises UnknownMessageError, AmbiguousIdError, or ObjectIdError for what cannot be an id.
    """
    found = repository.find(text, limit=_CANDIDATES + 1)
    ids = sorted({key_object_id(key) for key in found})
    if not ids:
        raise UnknownMessageError(f"there is no message {text[: 2 * DIGEST_BYTES]}")
    if len(ids) > 1:
        length = repository.abbreviation_length() + 2
        shown = ", ".join(oid.hex()[:length] for oid in ids[:_CANDIDATES])
        more = " and others" if len(ids) > _CANDIDATES else ""
        raise AmbiguousIdError(f"{text} is the beginning of several ids", why=f"{shown}{more}")
    return found[0]


def find_answered(repository: Repository, oid: ObjectId) -> Message | None:
    """Return the message that another one answers, if it is here and can be read."""
    try:
        for key in repository.find(oid.hex(), limit=1):
            answered = decode_object(repository.store.read_messages([key])[key])
            return answered if isinstance(answered, Message) else None
    except IntegrityError:
        pass  # what is damaged is no reason not to show, or to write, an answer to it
    return None

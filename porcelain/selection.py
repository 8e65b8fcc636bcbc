"""Messages by their ids: what `msglog.selection` finds, and what a message answers."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError
from msglog.message import Message, decode_object
from msglog.selection import AmbiguousIdError, UnknownMessageError, find_message

if TYPE_CHECKING:
    from msglog.objectid import ObjectId
    from msglog.repository import Repository

__all__ = ["AmbiguousIdError", "UnknownMessageError", "find_answered", "find_message"]


def find_answered(repository: Repository, oid: ObjectId) -> Message | None:
    """Return the message that another one answers, if it is here and can be read."""
    try:
        for key in repository.find(oid.hex(), limit=1):
            answered = decode_object(repository.store.read_messages([key])[key])
            return answered if isinstance(answered, Message) else None
    except IntegrityError:
        pass  # what is damaged is no reason not to show, or to write, an answer to it
    return None

"""What a client is told of an error: a code and a text, and nothing of this machine's insides."""

from __future__ import annotations

from msglog.errors import IntegrityError, LocalError, MsglogError, NotAuthorisedError, RemoteError
from msglog.objectid import DamagedObjectError
from msglog.store.store import MissingObjectError, ReadOnlyStoreError
from msglog.wire import batch
from msglog.wire.events import PeerError


class NoSuchLogError(MsglogError):
    """A request names a log that is not there, or that the user may not know of."""


class ForgedTransferError(IntegrityError):
    """What the client sent does not come to what it said."""


class TooMuchAskedError(MsglogError):
    """A client asked for more in one session than a server keeps in memory for one."""


def peer_error(error: MsglogError) -> PeerError:
    """Return what a client is told of an error: nothing of this machine's paths or insides."""
    match error:
        case NotAuthorisedError():
            return PeerError("not-authorised", error.what)
        case NoSuchLogError():
            return PeerError("no-such-log", error.what)
        case batch.ForgedMessageError() | ForgedTransferError() | batch.BatchError():
            return PeerError("forged", str(error))
        case DamagedObjectError() | MissingObjectError():
            return PeerError("damaged", f"the server's store is damaged: {error.what}")
        case IntegrityError():
            return PeerError("damaged", "the server's store is damaged")
        case TooMuchAskedError():
            return PeerError("too-much", error.what)
        case LocalError(temporary=True):
            return PeerError("busy", "the server is busy")
        case ReadOnlyStoreError():
            return PeerError("storage", "the repository can only be read")
        case LocalError():
            return PeerError("storage", "the server cannot write or read its store")
        case RemoteError():
            return PeerError("protocol", error.why or error.what)
        case _:
            return PeerError("internal", "the server failed")

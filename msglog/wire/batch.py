"""The content of a batch: items of (kind, key, payload), compressed as one frame where it pays."""

from __future__ import annotations

from struct import Struct

from msglog import compression
from msglog.annotation import TYPE_CHECKING, cast
from msglog.dataclass import dataclass
from msglog.digest import sha256_for
from msglog.errors import IntegrityError
from msglog.key import KEY_BYTES, TIME_BIAS, Key, key_object_id, key_time
from msglog.message import OBJECT_BYTES_LIMIT, decode_object
from msglog.message_scan import scan
from msglog.objectid import DIGEST_BYTES, object_id
from msglog.wire.events import BATCH_BYTES_LIMIT, BATCH_MESSAGES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.message import Foreign, Message

OBJECT = 0
"""The kind of an item that is a message; 1 is reserved for redacted ones."""

HEAD_BYTES = 1 + KEY_BYTES + 4
"""An item's kind, key, and the length of its payload as 4 bytes, big-endian."""

_KEYED_HEAD = Struct(f">B{KEY_BYTES}sI")
_HEAD = Struct(f">BQ{DIGEST_BYTES}sI")

COMPRESS_FROM_BYTES = 4096
"""Smaller batches go as they are: loading a compressor costs more than it saves."""

LEVEL = 3
WINDOW_LOG = 22
_FRAME_OVERHEAD = 1024


class BatchError(IntegrityError):
    """The peer sent a batch that is not what it says."""

    def __init__(self, why: str) -> None:
        super().__init__("the peer sent a damaged batch", why=why)


class ForgedMessageError(IntegrityError):
    """The peer sent a message that does not belong to its key."""

    def __init__(self, key: Key, why: str) -> None:
        oid = key_object_id(key)
        super().__init__(f"message {oid.hex()} from the peer is refused", why=why)
        self.key = key


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a batch, checked: its bytes have the key's id, and it is of the key's time."""

    key: Key
    data: bytes

    @property
    def content(self) -> Message | Foreign:
        """What it says, read anew each time."""
        return decode_object(self.data)


def pack_item(key: Key, data: bytes) -> bytes:
    """Return the bytes of one item."""
    return _KEYED_HEAD.pack(OBJECT, key, len(data)) + data


def pack_items(keys: Sequence[Key], objects: Sequence[bytes]) -> bytes:
    """Return the bytes of the items of as many keys and objects."""
    pack = _KEYED_HEAD.pack
    heads = [pack(OBJECT, key, len(data)) for key, data in zip(keys, objects, strict=True)]
    return b"".join([part for item in zip(heads, objects, strict=True) for part in item])


def unpack(content: bytes, messages: int) -> dict[Key, bytes]:
    """Return the messages of a batch by key, each checked against its key, which must ascend.

    Raises BatchError, and ForgedMessageError which names the message. What follows the number of
    messages that was said is not looked at.
    """
    found: dict[bytes, bytes] = {}
    sha256 = sha256_for(messages)
    position, size, last = 0, len(content), b""
    while position < size:
        start = position + HEAD_BYTES
        if start > size:
            raise BatchError("its last item is cut short")
        kind, biased_time, digest, length = _HEAD.unpack_from(content, position)
        if kind != OBJECT:
            raise BatchError(f"an item is of the unknown kind {kind}")
        position = start + length
        if position > size:
            raise BatchError("its last item is cut short")
        key = content[start - KEY_BYTES - 4 : start - 4]
        if key <= last:
            raise BatchError("its keys are not in ascending order")
        last = key
        if len(found) == messages:
            raise BatchError(f"it has more than the {messages} messages that it said")
        data = content[start:position]
        plain = scan(data)
        # What fails here is looked at again by `check_item`, which says what is wrong or takes it.
        if plain is None or sha256(data).digest() != digest or plain[1] != biased_time - TIME_BIAS:
            check_item(Key(key), data)
        found[key] = data
    if len(found) != messages:
        raise BatchError(f"it has {len(found)} messages and said {messages}")
    return cast("dict[Key, bytes]", found)


def check_item(key: Key, data: bytes) -> None:
    """Raise ForgedMessageError unless data are the message of a key."""
    if object_id(data) != key_object_id(key):
        raise ForgedMessageError(key, "its bytes have another SHA-256")
    try:
        content = decode_object(data)
    except IntegrityError as error:
        raise ForgedMessageError(key, error.why) from error
    if content.time != key_time(key):
        raise ForgedMessageError(key, "its time is not its key's")


def check_head(messages: int, size: int) -> None:
    """Raise BatchError if a batch declares more than a batch may have."""
    if not 1 <= messages <= BATCH_MESSAGES_LIMIT:
        raise BatchError(f"it declares {messages} messages")
    largest = BATCH_BYTES_LIMIT if messages > 1 else HEAD_BYTES + OBJECT_BYTES_LIMIT
    if not HEAD_BYTES < size <= largest:
        raise BatchError(f"it declares {size} bytes")


def stored_limit(size: int) -> int:
    """Return how many bytes a batch of this size may take in the stream."""
    return size + _FRAME_OVERHEAD


def compress(content: bytes) -> tuple[str, bytes]:
    """Return the form (`none` or `zstd`) and the bytes in which a batch is sent."""
    if len(content) < COMPRESS_FROM_BYTES:
        return "none", content
    return "zstd", compression.compress(content, LEVEL)


def expand(form: str, data: bytes, size: int) -> bytes:
    """Return the content of a batch; raises BatchError unless it has exactly the size declared."""
    if form == "none":
        content = data
    elif form == "zstd":
        try:
            content = compression.expand(data, size=size, window_limit=1 << WINDOW_LOG + 3)
        except compression.CompressionError as error:
            raise BatchError(error.what) from error
    else:
        raise BatchError(f"it is in the unknown form {form[:20]!r}")
    if len(content) != size:
        raise BatchError(f"it has {len(content)} bytes and said {size}")
    return content

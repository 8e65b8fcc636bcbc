"""Cutting what one log has and another lacks into batches, each with its checkpoint."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.index.change import Index, splice
from msglog.index.walk import count, difference
from msglog.key import LAST_KEY, Key
from msglog.repository import overlay
from msglog.wire import batch
from msglog.wire.events import BATCH_BYTES_LIMIT, BATCH_MESSAGES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.objectid import ObjectId
    from msglog.repository import Repository


@dataclass(frozen=True, slots=True)
class OutgoingBatch:
    """A batch to be sent: its keys, its content, and the index that it completes."""

    keys: list[Key]
    content: bytes
    index: Index


def cut_batches(
    repository: Repository,
    base: ObjectId,
    target: ObjectId,
    *,
    overlaid: dict[ObjectId, bytes],
    source: ObjectId | None = None,
) -> Iterator[OutgoingBatch]:
    """Yield in key order the messages that target has and base has not, cut into batches.

    target must have all that base has. overlaid: nodes that are not stored yet. source: where to
    read the difference from, if not from target itself. The checkpoint of each batch is target up
    to its last key and base from there on, which takes a few nodes to make.
    """
    read = overlay(repository.store.read_nodes, overlaid)
    keys: list[Key] = []
    parts: list[bytes] = []
    size = 0
    for some, objects in repository.parts(difference(read, base, source or target)):
        total = batch.HEAD_BYTES * len(some) + sum(map(len, objects))
        if len(keys) + len(some) <= BATCH_MESSAGES_LIMIT and size + total <= BATCH_BYTES_LIMIT:
            keys += some
            parts.append(batch.pack_items(some, objects))
            size += total
            continue
        for key, data in zip(some, objects, strict=True):
            length = batch.HEAD_BYTES + len(data)
            if keys and (len(keys) >= BATCH_MESSAGES_LIMIT or size + length > BATCH_BYTES_LIMIT):
                index = splice(read, target, base, _after(keys[-1]))
                yield OutgoingBatch(keys, b"".join(parts), index)
                keys, parts, size = [], [], 0
            keys.append(key)
            parts.append(batch.pack_item(key, data))
            size += length
    if keys:
        yield OutgoingBatch(keys, b"".join(parts), Index(target, count(read, target), {}))


def _after(key: Key) -> Key:
    """Return the next key there could be."""
    if key == LAST_KEY:
        return key
    return Key((int.from_bytes(key, "big") + 1).to_bytes(len(key), "big"))

"""Events to packets: one form for each, as docs/protocol.md has it."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.key import FIRST_KEY
from msglog.refname import LOG_PREFIX
from msglog.wire import batch
from msglog.wire.events import (
    PROTOCOL_VERSION,
    SAID,
    TEXT_BYTES_LIMIT,
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Concluded,
    Done,
    End,
    Fetch,
    GetNodes,
    Gone,
    Greeting,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Printed,
    Push,
    Refused,
    Transfer,
    Watch,
)
from msglog.wire.pktline import (
    DELIMITER_PACKET,
    FLUSH_PACKET,
    PAYLOAD_BYTES_LIMIT,
    encode_packet,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.index.change import Path
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.wire.events import (
        Event,
    )

_DATA = b"\x01"
_DATA_BYTES = PAYLOAD_BYTES_LIMIT - len(_DATA)


def encode_event(event: Event) -> bytes:
    """Return the packets of an event."""
    return b"".join(_encode(event))


def _encode(event: Event) -> Iterator[bytes]:
    match event:
        case Greeting():
            yield _text(f"msglog {PROTOCOL_VERSION}")
            yield _text(f"agent={event.agent}")
            yield _text("object-format=sha256")
            yield _text(f"repository={event.repository.hex()}")
            yield _text(f"user={event.user}")
            yield _text(f"role={event.role}")
            if event.early is not None:
                yield _text(f"early={event.early}")
            if event.watch is not None:
                yield _text(f"watch={event.watch}")
            yield FLUSH_PACKET
        case PeerError():
            yield _text(f"error {event.code} {_cut(event.text)}")
        case KeepAlive():
            yield _text("keep-alive")
        case End():
            yield FLUSH_PACKET
        case ListRefs():
            yield _text("ls-refs")
            yield FLUSH_PACKET
        case AdvertisedRef():
            yield _text(f"ref {event.root.hex()} {event.count} {LOG_PREFIX}{event.log}")
        case Fetch() | Push():
            yield _text("fetch" if isinstance(event, Fetch) else "push")
            yield _text(f"log={event.log}")
            yield from _view(event.view)
            for root in event.have:
                yield _text(f"have={root.hex()}")
            if event.root is not None:
                yield _text(f"root={event.root.hex()}")
                name, paths = (
                    ("want", event.wants)
                    if isinstance(event, Fetch)
                    else ("without", event.without)
                )
                for path in paths:
                    yield _text(f"{name}={format_path(path)}")
            yield FLUSH_PACKET
        case Base():
            yield _text("no-base" if event.base is None else "base")
            yield _text(f"log={event.log}")
            if event.base is not None:
                yield _text(f"base={event.base.hex()}")
            yield from _state(event.root, event.count)
            yield FLUSH_PACKET
        case Transfer():
            yield _text("transfer")
            yield _text(f"log={event.log}")
            yield from _view(event.view)
            if event.base != SAID:
                yield _text(f"base={event.base.hex()}")
            yield from _state(event.root, event.count)
            yield DELIMITER_PACKET
        case Batch():
            form, data = batch.compress(event.content)
            size = len(event.content)
            yield _text(f"batch {event.number} {event.messages} {size} {form}{_unsaid(event.root)}")
            for start in range(0, len(data), _DATA_BYTES):
                yield encode_packet(_DATA + data[start : start + _DATA_BYTES])
            yield DELIMITER_PACKET
        case Refused():
            yield _text(f"refused {event.key.hex()} {event.code} {_cut(event.why)}")
        case Acknowledged():
            yield _text(f"ack {event.number}{_unsaid(event.root)}")
        case Done():
            yield _text("done")
            yield _text(f"log={event.log}")
            yield from _state(event.root, event.count)
            yield FLUSH_PACKET
        case GetNodes():
            yield _text("get-nodes")
            yield _text(f"log={event.log}")
            yield from _view(event.view)
            yield _text(f"root={event.root.hex()}")
            yield _text(f"width={event.width}")
            for path, known in event.nodes:
                yield _text(f"node={format_path(path)}:{known.hex()}")
            yield FLUSH_PACKET
        case NodeData():
            yield encode_packet(_DATA + event.data)
        case Administer():
            yield _text("admin")
            for word in event.words:
                yield _text(f"word={word}")
            for line in event.lines:
                yield _text(f"input={line}")
            yield FLUSH_PACKET
        case Printed():
            yield _text(f"{'note' if event.noted else 'out'} {event.text}")
        case Concluded():
            yield _text(f"status {event.status} {_cut(event.error)}")
        case Watch():
            yield _text("watch")
            for pattern in event.patterns:
                yield _text(f"pattern={pattern}")
            yield FLUSH_PACKET
        case Gone():
            yield _text(f"gone {LOG_PREFIX}{event.log}")


def _text(text: str) -> bytes:
    return encode_packet(text.encode())


def _cut(text: str) -> str:
    one_line = " ".join(text.split()) or "-"
    return one_line.encode("utf-8", "replace")[:TEXT_BYTES_LIMIT].decode("utf-8", "ignore")


def _unsaid(root: ObjectId) -> str:
    """Return the last field of a packet for a root, or nothing where it was said already."""
    return "" if root == SAID else f" {root.hex()}"


def _view(view: Key) -> Iterator[bytes]:
    if view != FIRST_KEY:
        yield _text(f"view={view.hex()}")


def _state(root: ObjectId | None, count: int | None) -> Iterator[bytes]:
    if root is not None:
        yield _text(f"root={root.hex()}")
    if count is not None:
        yield _text(f"count={count}")


def format_path(path: Path) -> str:
    """Return the nibbles of a path as hex digits."""
    depth, prefix = path
    return prefix.hex()[:depth]

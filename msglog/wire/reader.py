"""Packets to events: groups them, holds at most one that is incomplete, and keeps the limits."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import RemoteError
from msglog.index.node import NODE_BYTES_LIMIT
from msglog.wire import batch
from msglog.wire.events import (
    PATH_LIMIT,
    PROTOCOL_VERSION,
    End,
    KeepAlive,
    NodeData,
)
from msglog.wire.grammar import (
    GROUPS,
    SINGLES,
    Arguments,
    ProtocolError,
    batch_sizes,
    parse_batch,
    parse_error,
)
from msglog.wire.pktline import (
    Mark,
    PacketReader,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msglog.wire.events import (
        Event,
    )

GROUP_BYTES_LIMIT = 4 << 20
"""How long the packets of one request or answer may be together."""

ARGUMENTS_LIMIT = PATH_LIMIT + 16
"""How many packets a request or an answer may have: short ones cost more than their bytes."""

_DATA = b"\x01"


class VersionError(RemoteError):
    """The peer speaks another version of the protocol."""


class EventReader:
    """Turns a stream of bytes into events; holds at most one incomplete event."""

    __slots__ = ("_arguments", "_content", "_content_limit", "_head", "_packets", "_size")

    def __init__(self) -> None:
        self._packets = PacketReader()
        self._head = ""
        self._arguments: list[str] = []
        self._content = bytearray()
        self._content_limit = 0
        self._size = 0

    @property
    def pending(self) -> bool:
        """Whether the stream stopped within an event."""
        return bool(self._head or self._packets.pending)

    @property
    def begun(self) -> bytes:
        """The bytes of a packet that is not complete yet."""
        return self._packets.pending

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the events that data complete; raises FramingError, ProtocolError and kin."""
        for packet in self._packets.receive(data):
            event = self._take(packet)
            if event is not None:
                yield event

    def _take(self, packet: bytes | Mark) -> Event | None:
        if isinstance(packet, Mark):
            return self._mark(packet)
        if packet[:1] == _DATA:
            return self._data(packet)
        try:
            text = packet.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError("a packet is not UTF-8") from error
        word, _, rest = text.partition(" ")
        if text == "keep-alive":
            return KeepAlive()
        if self._head:
            if self._head.startswith("batch"):
                raise ProtocolError("a batch is interrupted")
            if word == "error" and self._head.startswith("msglog"):
                self._head = ""
                return parse_error(rest)
            self._size += len(packet)
            if self._size > GROUP_BYTES_LIMIT or len(self._arguments) >= ARGUMENTS_LIMIT:
                raise ProtocolError("a request or an answer is too long")
            self._arguments.append(text)
            return None
        single = SINGLES.get(word)
        if single is not None:
            return single(rest)
        if word not in GROUPS or (text != word and word not in ("msglog", "batch")):
            raise ProtocolError(f"{text[:40]!r} was not expected")
        self._head, self._arguments, self._size = text, [], 0
        self._content = bytearray()
        if word == "batch":
            messages, size = batch_sizes(rest)
            batch.check_head(messages, size)
            self._content_limit = batch.stored_limit(size)
        elif word == "msglog" and rest != str(PROTOCOL_VERSION):
            raise VersionError(
                f"the server speaks version {rest[:20]!r} of the protocol",
                why=f"this msglog speaks version {PROTOCOL_VERSION}",
                hint="Install the same generation of msglog on both sides.",
            )
        return None

    def _data(self, packet: bytes) -> NodeData | None:
        if not self._head:
            if len(packet) > NODE_BYTES_LIMIT:
                raise ProtocolError("a node is too long")
            return NodeData(packet[1:])
        if not self._head.startswith("batch"):
            raise ProtocolError("data where text belongs")
        self._content += memoryview(packet)[1:]
        if len(self._content) > self._content_limit:
            raise ProtocolError("a batch is longer than it said")
        return None

    def _mark(self, mark: Mark) -> Event:
        head, self._head = self._head, ""
        if not head:
            if mark is Mark.DELIMITER:
                raise ProtocolError("a delimiter was not expected")
            return End()
        word, _, rest = head.partition(" ")
        closing, parse = GROUPS[word]
        if mark is not closing:
            raise ProtocolError(f"{word} ends with the wrong packet")
        if word == "batch":
            content, self._content = bytes(self._content), bytearray()
            return parse_batch(rest, content)
        return parse(Arguments(self._arguments))

"""pkt-line framing: four hex digits of length, then the payload; as git has it.

Source: git's Documentation/gitprotocol-common.txt. Stricter than git in one point: the digits are
lower case, so that every stream has one form.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.enumeration import Enum
from msglog.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES = 4
PACKET_BYTES_LIMIT = 65520
PAYLOAD_BYTES_LIMIT = PACKET_BYTES_LIMIT - HEADER_BYTES

FLUSH_PACKET = b"0000"
DELIMITER_PACKET = b"0001"

_DIGITS = b"0123456789abcdef"
_SHOWN_BYTES = 40


class Mark(Enum):
    """The packets that have no payload."""

    FLUSH = 0
    DELIMITER = 1


class FramingError(RemoteError):
    """The peer's bytes are not pkt-lines: it does not speak msglog, or the stream is damaged."""

    def __init__(self, why: str, data: bytes = b"") -> None:
        super().__init__("the peer does not speak the msglog protocol", why=why)
        self.data = data


def encode_packet(payload: bytes) -> bytes:
    """Return one packet; the payload must have 1 to PAYLOAD_BYTES_LIMIT bytes."""
    if not 0 < len(payload) <= PAYLOAD_BYTES_LIMIT:
        raise ValueError(len(payload))
    return b"%04x%b" % (len(payload) + HEADER_BYTES, payload)


class PacketReader:
    """Cuts a stream of bytes into packets; holds at most one incomplete packet."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> bytes:
        """The bytes of a packet that is not complete yet."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> Iterator[bytes | Mark]:
        """Yield the packets that data complete; raises FramingError at the first wrong byte."""
        buffer = self._buffer
        buffer += data
        position = 0
        try:
            while len(buffer) - position >= HEADER_BYTES:
                header = bytes(buffer[position : position + HEADER_BYTES])
                if header.strip(_DIGITS):
                    shown = bytes(buffer[position : position + _SHOWN_BYTES])
                    raise FramingError(f"it sent {shown!r}", shown)
                size = int(header, 16)
                if size <= 1:
                    position += HEADER_BYTES
                    yield Mark(size)
                    continue
                if not HEADER_BYTES < size <= PACKET_BYTES_LIMIT:
                    raise FramingError(f"it sent a packet of length {header.decode()}", header)
                if len(buffer) - position < size:
                    return
                payload = bytes(buffer[position + HEADER_BYTES : position + size])
                position += size
                yield payload
        finally:
            del buffer[:position]

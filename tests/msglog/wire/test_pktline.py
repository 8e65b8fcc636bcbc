"""pkt-line framing: every cut of a stream gives the same packets, every bad header is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.wire.pktline import (
    DELIMITER_PACKET,
    FLUSH_PACKET,
    PACKET_BYTES_LIMIT,
    PAYLOAD_BYTES_LIMIT,
    FramingError,
    Mark,
    PacketReader,
    encode_packet,
)

STREAM = encode_packet(b"a") + FLUSH_PACKET + encode_packet(b"hello") + DELIMITER_PACKET
PACKETS = [b"a", Mark.FLUSH, b"hello", Mark.DELIMITER]


def read(*parts: bytes) -> list[bytes | Mark]:
    reader = PacketReader()
    return [packet for part in parts for packet in reader.receive(part)]


def test_a_stream_is_read_whole() -> None:
    assert STREAM == b"0005a00000009hello0001"
    assert read(STREAM) == PACKETS


def test_a_stream_is_read_byte_by_byte() -> None:
    assert read(*[STREAM[at : at + 1] for at in range(len(STREAM))]) == PACKETS


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_stream_is_read_in_two_parts(at: int) -> None:
    assert read(STREAM[:at], STREAM[at:]) == PACKETS


@pytest.mark.parametrize(
    "trailing", [b"0", b"00", b"000", b"0009", b"0009hell", b"fff0" + b"x" * 9]
)
def test_what_follows_waits_and_is_not_lost(trailing: bytes) -> None:
    reader = PacketReader()
    assert list(reader.receive(STREAM + trailing)) == PACKETS
    assert reader.pending == trailing


@pytest.mark.parametrize(
    "header",
    [
        b"-001",
        b"+005",
        b" 005",
        b"005 ",
        b"0x05",
        b"1_00",
        b"1_0a",
        b"0002",
        b"0003",
        b"0004",
        b"000A",
        b"00FF",
        b"fff1",
        b"ffff",
        b"\n000",
        b"000\n",
        b"\0\0\0\5",
        "\u0660\u0660".encode(),
        "\uff10".encode() + b"0",
        b"HTTP",
        b"SSH-",
        b"Welc",
    ],
)
def test_a_bad_header_is_refused_as_soon_as_it_is_complete(header: bytes) -> None:
    reader = PacketReader()
    for at in range(3):
        assert list(reader.receive(header[at : at + 1])) == []
    with pytest.raises(FramingError) as caught:
        list(reader.receive(header[3:4]))
    assert caught.value.exit_status == 4
    assert "\n" not in str(caught.value)


def test_what_came_before_a_bad_header_is_still_read() -> None:
    packets = PacketReader().receive(FLUSH_PACKET + b"zzzz")
    assert next(packets) is Mark.FLUSH
    with pytest.raises(FramingError):
        next(packets)


def test_the_longest_packet_is_the_one_of_git() -> None:
    assert PACKET_BYTES_LIMIT == 65520
    longest = encode_packet(b"x" * PAYLOAD_BYTES_LIMIT)
    assert longest[:4] == b"fff0"
    assert read(longest) == [b"x" * PAYLOAD_BYTES_LIMIT]


@pytest.mark.parametrize("size", [0, PAYLOAD_BYTES_LIMIT + 1])
def test_no_other_packet_can_be_made(size: int) -> None:
    with pytest.raises(ValueError, match=str(size)):
        encode_packet(b"x" * size)


@given(st.lists(st.binary(min_size=1, max_size=50) | st.sampled_from(list(Mark))), st.data())
def test_any_packets_survive_any_cuts(packets: list[bytes | Mark], data: st.DataObject) -> None:
    stream = b"".join(
        b"000%d" % packet.value if isinstance(packet, Mark) else encode_packet(packet)
        for packet in packets
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parts = [stream[low:high] for low, high in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*parts) == packets


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_noise_is_cut_or_refused_and_never_held_beyond_a_packet(parts: list[bytes]) -> None:
    reader = PacketReader()
    try:
        for part in parts:
            list(reader.receive(part))
            assert len(reader.pending) < PACKET_BYTES_LIMIT
    except FramingError:
        pass

"""Batches: what they hold is proved item by item, and nothing expands beyond what was said."""

import struct

import cbor2
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from msglog.errors import IntegrityError
from msglog.key import Key, make_key
from msglog.message import OBJECT_BYTES_LIMIT, object_key
from msglog.objectid import object_id
from msglog.wire.batch import (
    COMPRESS_FROM_BYTES,
    HEAD_BYTES,
    BatchError,
    ForgedMessageError,
    check_head,
    compress,
    expand,
    pack_item,
    stored_limit,
    unpack,
)
from msglog.wire.events import BATCH_BYTES_LIMIT, BATCH_MESSAGES_LIMIT
from tests.msglog.wire.samples import an_object, content_of

ONE, TWO = an_object(1), an_object(2)
SIZE = 100_000
CONTENT = bytes(range(256)) * (SIZE // 256) + bytes(SIZE % 256)


def items(content: bytes, messages: int) -> list[tuple[Key, bytes]]:
    return list(unpack(content, messages).items())


def test_a_batch_is_what_was_packed() -> None:
    content = content_of(ONE, TWO)
    assert items(content, 2) == sorted((object_key(data), data) for data in (ONE, TWO))
    assert len(pack_item(object_key(ONE), ONE)) == HEAD_BYTES + len(ONE)


def test_what_msglog_does_not_understand_is_carried() -> None:
    strange = cbor2.dumps(
        {"type": "poll", "uuid": bytes(16), "time": 5, "x": [1, 2]}, canonical=True
    )
    assert items(content_of(strange), 1) == [(object_key(strange), strange)]


@pytest.mark.parametrize("said", [1, 3, 4096])
def test_a_count_that_lies_is_refused_both_ways(said: int) -> None:
    with pytest.raises(BatchError, match="messages"):
        items(content_of(ONE, TWO), said)


def test_more_messages_than_were_said_are_not_looked_at() -> None:
    forged = pack_item(make_key(1 << 40, object_id(ONE)), ONE)  # what follows would be refused
    with pytest.raises(BatchError, match="more than the 1 messages"):
        items(content_of(TWO) + forged, 1)
    with pytest.raises(ForgedMessageError):
        items(content_of(TWO) + forged, 2)


@pytest.mark.parametrize("cut", range(1, len(content_of(ONE, TWO))))
def test_a_batch_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(BatchError):
        items(content_of(ONE, TWO)[:cut], 2)


def test_keys_ascend_and_none_comes_twice() -> None:
    first, second = (pack_item(object_key(data), data) for data in (ONE, TWO))
    for content in (second + first, first + first):
        with pytest.raises(BatchError, match="ascending"):
            items(content, 2)


@pytest.mark.parametrize("kind", [1, 2, 255])
def test_kinds_that_are_reserved_are_refused(kind: int) -> None:
    with pytest.raises(BatchError, match=f"unknown kind {kind}"):
        items(bytes([kind]) + content_of(ONE)[1:], 1)


@pytest.mark.parametrize("bit", range(8 * HEAD_BYTES, 8 * (HEAD_BYTES + len(ONE))))
def test_a_message_changed_by_one_bit_is_refused_and_named(bit: int) -> None:
    content = bytearray(content_of(ONE))
    content[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ForgedMessageError) as caught:
        items(bytes(content), 1)
    assert caught.value.key == object_key(ONE)
    assert object_id(ONE).hex() in str(caught.value)
    assert caught.value.exit_status == 5


def test_a_key_of_another_time_is_refused() -> None:
    with pytest.raises(ForgedMessageError, match="time"):
        items(pack_item(make_key(2, object_id(ONE)), ONE), 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xa0",
        b"\x80",
        b"hello",
        ONE + b"\0",
        b"\x81" * 100_000 + b"\x80",
        b"\x9b" + b"\x7f" + b"\xff" * 7,
        cbor2.dumps({"type": "message", "uuid": bytes(16), "time": 0}, canonical=True),
        cbor2.dumps({"type": "message", "uuid": b"", "time": 0}, canonical=True),
        cbor2.dumps([0, 0, b"", b""]),
        cbor2.dumps(cbor2.CBORTag(35, "a")),
    ],
)
def test_what_is_no_object_is_refused_though_its_digest_is_right(data: bytes) -> None:
    with pytest.raises(ForgedMessageError):
        items(pack_item(make_key(0, object_id(data)), data), 1)


@pytest.mark.parametrize(
    ("messages", "size"),
    [
        (1, HEAD_BYTES + OBJECT_BYTES_LIMIT + 1),
        (1, HEAD_BYTES),
        (2, BATCH_BYTES_LIMIT + 1),
        (BATCH_MESSAGES_LIMIT + 1, BATCH_BYTES_LIMIT),
        (0, 100),
        (10**17, 100),
        (1, 10**17),
    ],
)
def test_a_head_is_checked_before_anything_is_held(messages: int, size: int) -> None:
    check_head(1, HEAD_BYTES + 1)
    check_head(1, HEAD_BYTES + OBJECT_BYTES_LIMIT)
    check_head(2, BATCH_BYTES_LIMIT)
    check_head(BATCH_MESSAGES_LIMIT, BATCH_BYTES_LIMIT)
    with pytest.raises(BatchError):
        check_head(messages, size)


@given(st.binary(max_size=2000), st.integers(1, 40))
def test_what_is_compressed_comes_back_in_no_more_than_the_limit(data: bytes, times: int) -> None:
    content = data * times
    form, sent = compress(content)
    assert form == ("none" if len(content) < COMPRESS_FROM_BYTES else "zstd")
    assert len(sent) <= stored_limit(len(content))
    assert expand(form, sent, len(content)) == content


def frame(content: bytes = CONTENT, *, size: bool = True, window: int = 20) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(
        window_log=window, write_content_size=size, compression_level=1
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(content)


SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"skip"
BOMB = frame(bytes(1 << 30))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"(",
        frame()[:-1],
        frame()[:9],
        frame() + b"x",
        frame() + frame(b""),
        frame() + SKIPPABLE,
        SKIPPABLE,
        SKIPPABLE + frame(),
        frame(CONTENT + b"x"),
        frame(CONTENT[:-1]),
        frame(size=False),
        frame()[:4] + b"\xff" + frame()[5:],
        BOMB,
        zstandard.ZstdCompressor(
            dict_data=zstandard.ZstdCompressionDict(CONTENT[:4096], dict_type=0)
        ).compress(CONTENT)[:20],
        CONTENT,
    ],
)
def test_a_frame_that_is_not_exactly_what_was_said_is_refused(data: bytes) -> None:
    with pytest.raises(BatchError):
        expand("zstd", data, SIZE)


def test_a_bomb_is_small_and_is_not_expanded() -> None:
    assert len(BOMB) < 1 << 20
    size = HEAD_BYTES + OBJECT_BYTES_LIMIT
    declared = bytearray(BOMB)
    at = declared.index((1 << 30).to_bytes(4, "little"))
    declared[at : at + 4] = size.to_bytes(4, "little")
    for data in (BOMB, bytes(declared)):
        with pytest.raises(BatchError):
            expand("zstd", data, size)


def test_a_frame_that_needs_a_dictionary_is_refused() -> None:
    samples: list[bytes | bytearray | memoryview] = [
        an_object(number, f"sample number {number} " * 20) for number in range(2000)
    ]
    dictionary = zstandard.train_dictionary(4096, samples)
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(CONTENT)
    assert zstandard.get_frame_parameters(data).dict_id != 0
    with pytest.raises(BatchError):
        expand("zstd", data, SIZE)


def test_a_window_that_takes_too_much_memory_is_refused() -> None:
    large = 40 << 20
    data = bytearray(frame(b"x" * large, window=26))
    assert zstandard.get_frame_parameters(bytes(data)).window_size > 1 << 25
    with pytest.raises(BatchError, match="window"):
        expand("zstd", bytes(data), large)


@pytest.mark.parametrize("form", ["", "gzip", "ZSTD", "none ", "x" * 60_000])
def test_other_forms_are_refused(form: str) -> None:
    with pytest.raises(BatchError, match="unknown form") as caught:
        expand(form, CONTENT, SIZE)
    assert len(str(caught.value)) < 100


@given(st.binary(max_size=400), st.integers(0, 500))
def test_noise_is_refused_in_our_own_words(data: bytes, size: int) -> None:
    for form in ("zstd", "none"):
        try:
            content = expand(form, data, size)
        except BatchError:
            continue
        assert len(content) == size
    with pytest.raises(IntegrityError):
        items(data, 1)

"""The short way to read a message takes nothing else, and nothing differently, than the long one."""

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msglog.dataclass import replace
from msglog.encoding import EncodingError
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM
from msglog.message import (
    AUTHOR_BYTES_LIMIT,
    BODY_BYTES_LIMIT,
    OFFSET_MINUTES_LIMIT,
    TAG_BYTES_LIMIT,
    TAG_LIMIT,
    Message,
    decode_object,
)
from msglog.message_scan import SMALLEST_TIME, Plain, scan
from msglog.objectid import ObjectId

VECTORS = Path(__file__).parents[1] / "vectors"
PLAIN = Message(uuid=bytes(16), time=SMALLEST_TIME, offset=0, author="ann", body="hello")
FULL = replace(PLAIN, tags=("a", "b" * 30), reply_to=ObjectId(bytes(32)), offset=-840)

lengths = st.sampled_from([0, 1, 22, 23, 24, 25, 255, 256, 257, 300])
words = st.text(min_size=1, max_size=12) | st.builds(lambda size: "x" * size, lengths)
ordinary = st.builds(
    Message,
    uuid=st.binary(min_size=16, max_size=16),
    time=st.integers(SMALLEST_TIME, TIME_MAXIMUM) | st.just(SMALLEST_TIME),
    offset=st.integers(-OFFSET_MINUTES_LIMIT, OFFSET_MINUTES_LIMIT),
    author=words.filter(lambda text: 0 < len(text.encode()) <= AUTHOR_BYTES_LIMIT),
    body=st.text(max_size=40) | words | st.builds(lambda size: "\u00e9" * size, lengths),
    tags=st.sets(words.filter(lambda text: 0 < len(text.encode()) <= TAG_BYTES_LIMIT)).map(
        lambda tags: tuple(sorted(tags))
    ),
    reply_to=st.none() | st.binary(min_size=32, max_size=32).map(ObjectId),
)
unusual = st.one_of(
    ordinary.flatmap(
        lambda message: st.builds(
            replace,
            st.just(message),
            meta=st.dictionaries(st.just("a"), st.integers(0, 9), min_size=1),
        )
    ),
    ordinary.map(lambda message: replace(message, extra={"sig": "x"})),
    ordinary.map(lambda message: replace(message, extra={"longer_than_all": [1]})),
    st.builds(replace, ordinary, time=st.integers(TIME_MINIMUM, SMALLEST_TIME - 1)),
)


def plain(message: Message) -> Plain:
    return (
        message.uuid,
        message.time,
        message.offset,
        message.author,
        message.body,
        message.tags,
        message.reply_to,
    )


def agrees(data: bytes) -> None:
    """What is read the short way is what the long one says; what that refuses is not read."""
    said = scan(data)
    try:
        full = decode_object(data)
    except EncodingError:
        assert said is None
        return
    if said is not None:
        assert isinstance(full, Message)
        assert (full.meta, full.extra) == ({}, {})
        assert said == plain(full)


@given(ordinary)
@example(replace(PLAIN, body="x" * 0xFFFF))
@example(replace(PLAIN, body="x" * 0x10000))
@example(replace(PLAIN, body="x" * BODY_BYTES_LIMIT))
@example(replace(PLAIN, author="x" * AUTHOR_BYTES_LIMIT))
@example(replace(PLAIN, tags=("x" * TAG_BYTES_LIMIT,)))
@example(replace(PLAIN, tags=tuple(f"{number:02}" for number in range(TAG_LIMIT))))
def test_every_ordinary_message_is_read(message: Message) -> None:
    assert scan(message.encode()) == plain(message)


@given(unusual)
def test_what_is_not_ordinary_is_left_to_the_long_way(message: Message) -> None:
    assert scan(message.encode()) is None


@given(ordinary, st.data())
def test_changed_bytes_are_judged_alike(message: Message, draw: st.DataObject) -> None:
    data = bytearray(message.encode())
    for _ in range(draw.draw(st.integers(1, 3))):
        position = draw.draw(st.integers(0, len(data) - 1))
        data[position] = draw.draw(st.integers(0, 255))
    agrees(bytes(data))


@given(ordinary, st.data())
def test_pieces_taken_out_doubled_or_put_in_are_judged_alike(
    message: Message, draw: st.DataObject
) -> None:
    data = message.encode()
    low = draw.draw(st.integers(0, len(data)))
    high = draw.draw(st.integers(low, min(len(data), low + 60)))
    agrees(data[:low] + data[high:])
    agrees(data[:high] + data[low:])
    agrees(data[:low] + draw.draw(st.binary(max_size=4)) + data[low:])


@pytest.mark.parametrize("whole", [PLAIN.encode(), FULL.encode()])
def test_every_changed_bit_and_every_cut_is_judged_alike(whole: bytes) -> None:
    for cut in range(len(whole)):
        assert scan(whole[:cut]) is None
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        agrees(bytes(data))


BASE: dict[str, Any] = cbor2.loads(FULL.encode())


@given(
    st.dictionaries(
        st.sampled_from([*BASE, "meta", "must", "later"]),
        st.one_of(
            st.text(max_size=3),
            st.binary(max_size=33),
            st.integers(-(1 << 64), 1 << 65),
            st.integers(-900, 900),
            st.lists(st.text(max_size=2), max_size=3),
            st.sampled_from([None, True, 1.5, "x" * 129, "x" * 257, ["b", "a"], ["a", "a"], []]),
            st.just(bytes(16)),
        ),
        max_size=3,
    ),
    st.sets(st.sampled_from(sorted(BASE)), max_size=2),
)
@example({"offset": OFFSET_MINUTES_LIMIT + 1}, set())
@example({"offset": -OFFSET_MINUTES_LIMIT - 1}, set())
@example({"time": 1 << 63}, set())
@example({"author": ""}, set())
@example({"author": "\u00e9" * (AUTHOR_BYTES_LIMIT // 2 + 1)}, set())
@example({"body": "x" * (BODY_BYTES_LIMIT + 1)}, set())
@example({"tags": [""]}, set())
@example({"tags": [f"{number:02}" for number in range(TAG_LIMIT + 1)]}, set())
@example({"tags": ["x" * (TAG_BYTES_LIMIT + 1)]}, set())
def test_fields_of_other_values_are_judged_alike(changes: dict[str, Any], gone: set[str]) -> None:
    fields = {name: value for name, value in {**BASE, **changes}.items() if name not in gone}
    agrees(cbor2.dumps(fields, canonical=True))


def head(size: int, width: int, major: int = 0x60) -> bytes:
    """A head of a given width, be it longer than need be; or of the first after it that has room."""
    if not width and size < 24:
        return bytes([major | size])
    width = next(room for room in (1, 2, 4, 8) if room >= width and size < 1 << 8 * room)
    return bytes([major | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + size.to_bytes(width, "big")


WIDTHS = (0, 1, 2, 4, 8)
SIZES = (0, 1, 22, 23, 24, 25, 63, 64, 65, 127, 128, 129, 254, 255, 256, 257, 0xFFFF, 0x10000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", WIDTHS)
def test_heads_of_other_widths_are_judged_alike(width: int, size: int) -> None:
    odd = head(size, width)
    one = b"\xa6dbodyahdtime\x1b" + SMALLEST_TIME.to_bytes(8, "big") + b"dtypegmessageduuidP"
    assert scan(one + bytes(16) + b"fauthorcannfoffset\0") is not None
    agrees(one.replace(b"ah", odd + b"x" * size) + bytes(16) + b"fauthorcannfoffset\0")
    agrees(one + bytes(16) + b"fauthor" + odd + b"x" * size + b"foffset\0")
    for sign in (0, 0x20):
        for offset in (size, OFFSET_MINUTES_LIMIT + size - 24):
            number = head(max(offset, 0), width, sign)
            agrees(one + bytes(16) + b"fauthorcannfoffset" + number)
    tagged = one.replace(b"\xa6", b"\xa7") + bytes(16) + b"fauthorcannfoffset\0"
    agrees(tagged.replace(b"dtime", b"dtags\x81" + odd + b"x" * size + b"dtime"))
    tags = b"".join([cbor2.dumps(f"{tag:05}") for tag in range(size)])
    agrees(tagged.replace(b"dtime", b"dtags" + head(size, width, 0x80) + tags + b"dtime"))


@pytest.mark.parametrize("time", [0, SMALLEST_TIME - 1, SMALLEST_TIME, TIME_MAXIMUM, 1 << 63])
@pytest.mark.parametrize("major", [0, 0x20])
def test_times_at_their_edges_are_judged_alike(time: int, major: int) -> None:
    data = PLAIN.encode()
    agrees(
        data.replace(b"dtime\x1b" + bytes(3) + b"\1" + bytes(4), b"dtime" + head(time, 8, major))
    )


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"]
)
@pytest.mark.parametrize("field", ["author", "body", "tags"])
def test_text_that_is_not_utf_8_is_not_read(field: str, bad: bytes) -> None:
    mark = "@" * len(bad)
    message = replace(FULL, **{field: (mark,) if field == "tags" else mark})  # type: ignore[arg-type]
    data = message.encode()
    assert data.count(mark.encode()) == 1
    assert scan(data) is not None
    assert scan(data.replace(mark.encode(), bad)) is None


@given(st.binary(max_size=200))
def test_noise_is_not_read(data: bytes) -> None:
    assert scan(data) is None


@pytest.mark.parametrize("name", ["objects.json", "refused_objects.json"])
def test_the_vectors_are_judged_alike(name: str) -> None:
    for case in json.loads((VECTORS / name).read_text())["cases"]:
        agrees(bytes.fromhex(case["hex"]))

"""Deterministic CBOR: exactly one form of each value, and nothing else reaches a decoder."""

import random
import struct
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msglog.encoding import DEPTH_LIMIT, EncodingError, Value, check_structure, decode, encode

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
scalars = st.one_of(
    INT64,
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.binary(max_size=300),
    st.text(max_size=40),
)


def _nested(depth: int) -> st.SearchStrategy[Any]:
    if depth == 0:
        return scalars
    inner = _nested(depth - 1)
    return st.one_of(
        scalars,
        st.lists(inner, max_size=5),
        st.dictionaries(st.text(max_size=30), inner, max_size=5),
    )


values = _nested(DEPTH_LIMIT)


def same(a: Any, b: Any) -> bool:
    """Equality that tells 1, 1.0 and True apart, and 0.0 from -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return struct.pack(">d", a) == struct.pack(">d", b)
    return bool(a == b)


def refused(data: bytes) -> str:
    with pytest.raises(EncodingError) as caught:
        decode(data)
    assert caught.value.exit_status == 5
    assert str(caught.value).isprintable()
    return caught.value.why


@given(values)
@example(-0.0)
@example(5.960464477539063e-08)
@example({"": {"": {"": {"": 0}}}})
@example(["x" * 0xFFFF, "x" * 0x10000, b"x" * 0x10000, list(range(300))])
@example([(1 << 32) - 1, 1 << 32, -(1 << 32), -(1 << 32) - 1])
@example({"\u00e9": 1, "zz": 2, "zzz": 3, "": 4})
def test_any_value_round_trips_exactly(value: Value) -> None:
    data = encode(value)
    assert same(decode(data), value)
    assert data == cbor2.dumps(value, canonical=True)


@given(values, st.data())
def test_any_mutation_is_refused_or_is_another_value_in_its_one_form(
    value: Value, draw: st.DataObject
) -> None:
    data = bytearray(encode(value))
    position = draw.draw(st.integers(0, len(data) - 1))
    how = draw.draw(st.sampled_from(["change", "insert", "delete", "repeat"]))
    if how == "change":
        data[position] ^= draw.draw(st.integers(1, 255))
    elif how == "insert":
        data.insert(position, draw.draw(st.integers(0, 255)))
    elif how == "delete":
        del data[position]
    else:
        data[position:position] = data[position : position + 9]
    check(bytes(data))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_are_a_value_in_its_one_form(data: bytes) -> None:
    check(data)


def check(data: bytes) -> None:
    try:
        value = decode(data)
    except EncodingError:
        return
    assert encode(value) == data
    # What passed the scanner means the same to a decoder that knows nothing of ours.
    assert same(cbor2.loads(data), value)


@given(values)
def test_the_scanner_and_cbor2_agree_on_where_an_item_ends(value: Value) -> None:
    data = encode(value)
    check_structure(data)
    for cut in range(len(data)):
        with pytest.raises(EncodingError, match=r"cut short|more items"):
            check_structure(data[:cut])
    with pytest.raises(EncodingError, match="bytes follow"):
        check_structure(data + b"\0")


def test_the_empty_input_is_cut_short() -> None:
    assert "cut short" in refused(b"")


REFUSED = {
    "18 17": "longer than need be",
    "19 00ff": "longer than need be",
    "1a 0000ffff": "longer than need be",
    "1b 00000000ffffffff": "longer than need be",
    "3b 00000000ffffffff": "longer than need be",
    "58 01 00": "longer than need be",
    "78 00": "longer than need be",
    "98 01 00": "longer than need be",
    "b8 01 61 61 00": "longer than need be",
    "1b 8000000000000000": "int64",
    "3b 8000000000000000": "int64",
    "1b ffffffffffffffff": "int64",
    "1c": "reserved",
    "1d": "reserved",
    "1e": "reserved",
    "1f": "indefinite",
    "5f 41 00 ff": "indefinite",
    "7f 61 61 ff": "indefinite",
    "9f 00 ff": "indefinite",
    "bf 61 61 00 ff": "indefinite",
    "ff": "simple value",
    "f6": "simple value",  # null
    "f7": "simple value",  # undefined
    "e0": "simple value",
    "f8 ff": "simple value",
    "f8 14": "simple value",  # false, the long way
    "f9 7e00": "not finite",  # NaN
    "f9 7e01": "not finite",  # NaN with a payload
    "f9 fe00": "not finite",
    "f9 7c00": "not finite",  # infinity
    "fa ff800000": "not finite",
    "fb 7ff0000000000000": "not finite",
    "fb fff8000000000000": "not finite",
    "fa 3fc00000": "float is longer",  # 1.5 in four bytes
    "fb 3ff8000000000000": "float is longer",
    "fa 00000000": "float is longer",
    "fa 80000000": "float is longer",
    "fb 0000000000000000": "float is longer",
    "fb 8000000000000000": "float is longer",
    "fa 33800000": "float is longer",  # the smallest that two bytes have
    "fb 36a0000000000000": "float is longer",  # the smallest that four bytes have
    "fb 3fb99999a0000000": "float is longer",  # fits four bytes
    "a1 00 00": "key is not text",
    "a1 41 61 00": "key is not text",
    "a1 80 00": "key is not text",
    "a1 f5 00": "key is not text",
    "a2 61 61 00 61 61 00": "not in order",  # the same key twice
    "a2 61 62 00 61 61 00": "not in order",  # keys in the wrong order
    "a1 61 61 a2 61 62 00 61 61 00": "not in order",
    "a2 61 61 a1 61 7a 00 61 61 00": "not in order",  # a map between does not forget the key
    "a2 62 61 61 00 61 62 00": "not in order",  # a longer key before a shorter one
    "61 ff": "not UTF-8",
    "62 c3 28": "not UTF-8",
    "63 ed a0 80": "not UTF-8",  # a lone surrogate
    "62 c0 80": "not UTF-8",  # an overlong NUL
    "64 f4 90 80 80": "not UTF-8",  # past U+10FFFF
    "c0 60": "tag",
    "c1 00": "tag",
    "c2 41 01": "tag",
    "d8 1c 80": "tag",  # 28: shareable
    "d8 1d 00": "tag",  # 29: reference
    "81 d8 1d 00": "tag",
    "d8 23 61 28": "tag",  # 35: a regular expression
    "d8 24 60": "tag",  # 36: a mail
    "d9 d9 f7 00": "tag",  # 55799: self-described
    "d9 01 00 60": "tag",  # 256: string references
    "d9 01 02 80": "tag",  # 258: a set
    "db ffff ffff ffff ffff 00": "tag",
    "9b 7fff ffff ffff ffff": "more items",
    "9b 8000 0000 0000 0000": "more items",
    "9b ffff ffff ffff ffff": "more items",
    "bb 8000 0000 0000 0000": "more items",
    "bb 7fff ffff ffff ffff": "more items",
    "5b 7fff ffff ffff ffff": "cut short",
    "7b 8000 0000 0000 0000": "cut short",
    "5b ffff ffff ffff ffff 00": "cut short",
    "82 00": "more items",
    "a1 61 61": "cut short",
    "81 81 81 81 80": "nested",
    "a1 61 61 a1 61 61 a1 61 61 a1 61 61 a0": "nested",
    "00 00": "bytes follow",
    "80 80": "bytes follow",
}


@pytest.mark.parametrize("data", REFUSED)
def test_what_is_refused_and_why(data: str) -> None:
    assert REFUSED[data] in refused(bytes.fromhex(data))


ACCEPTED = {
    "00": 0,
    "17": 23,
    "18 18": 24,
    "1b 7fff ffff ffff ffff": (1 << 63) - 1,
    "3b 7fff ffff ffff ffff": -(1 << 63),
    "20": -1,
    "f4": False,
    "f5": True,
    "f9 3e00": 1.5,
    "f9 0001": 5.960464477539063e-08,
    "f9 8000": -0.0,
    "fa 7f7fffff": 3.4028234663852886e38,
    "fb 3ff199999999999a": 1.1,
    "fa 33000000": 2.9802322387695312e-08,  # half of the smallest that two bytes have
    "fb 3690000000000000": 7.006492321624085e-46,
    "fa 47800000": 65536.0,  # one past the largest that two bytes have
    "fb 47f0000000000000": 3.402823669209385e38,
    "40": b"",
    "60": "",
    "63 65 cc 81": "e\u0301",  # not normalised
    "64 f0 9f 99 82": "\U0001f642",
    "61 00": "\0",
    "80": [],
    "a0": {},
    "a2 61 62 00 62 61 61 01": {"b": 0, "aa": 1},
    "81 81 81 80": [[[[]]]],
}


@pytest.mark.parametrize("data", ACCEPTED)
def test_what_is_accepted(data: str) -> None:
    assert same(decode(bytes.fromhex(data)), ACCEPTED[data])
    assert encode(ACCEPTED[data]) == bytes.fromhex(data)  # type: ignore[arg-type]


BOMBS = {
    "arrays": b"\x81" * 100_000,
    "arrays that end": b"\x81" * 100_000 + b"\x00",
    "maps": b"\xa1\x61\x61" * 100_000,
    "indefinite arrays": b"\x9f" * 100_000,
    "tags": b"\xc1" * 100_000,
    "large counts": b"\x9a\x00\xff\xff\xff" * 1000,
    "shared values": b"\xd8\x1c\x82\xd8\x1d\x00" * 1000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_nothing(name: str) -> None:
    tracemalloc.start()
    try:
        refused(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_wide_object_is_no_bomb() -> None:
    value: Value = [[index] for index in range(50_000)]
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        1 << 63,
        -(1 << 63) - 1,
        float("nan"),
        float("inf"),
        -float("inf"),
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        {b"a": 1},
        {None: 1},
        {"a": None},
        [[[[[]]]]],
        object(),
        {1, 2},
        [object()],
        {"a": 1, 2: 3},
    ],
    ids=lambda value: repr(value).partition(" at ")[0],
)
def test_values_without_an_encoding(value: Any) -> None:
    with pytest.raises(EncodingError):
        encode(value)


def test_a_cycle_has_no_encoding() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(EncodingError):
        encode(cycle)


class Sloppy:
    """Writes CBOR without tags that is well formed, and deterministic only by chance."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def item(self, depth: int = 0) -> bytes:
        kind = self._random.randrange(7 if depth < 5 else 4)
        if kind == 0:
            return self._head(self._random.randrange(2), self._number())
        if kind == 1:
            return self._float()
        if kind == 2:
            return self._text()
        if kind == 3:
            return self._random.choice([b"\xf4", b"\xf5", b"\x40"])
        if kind < 6:
            items = [self.item(depth + 1) for _ in range(self._random.randrange(4))]
            return self._head(4, len(items)) + b"".join(items)
        names = [self._text() for _ in range(self._random.randrange(4))]
        if self._random.random() < 0.8:
            names = sorted(set(names))
        return self._head(5, len(names)) + b"".join(name + self.item(depth + 1) for name in names)

    def _head(self, major: int, number: int) -> bytes:
        short = number < 24
        width = 0 if short else next(w for w in range(4) if number < 1 << (8 << w)) + 1
        if self._random.random() < 0.02:
            width = min(width + 1, 4)
        if width == 0:
            return bytes([major << 5 | number])
        return bytes([major << 5 | 23 + width]) + number.to_bytes(1 << (width - 1), "big")

    def _number(self) -> int:
        some = self._random.getrandbits(self._random.randrange(1, 64))
        return self._random.choice([0, 23, 24, 255, 256, 65535, 65536, (1 << 63) - 1, some])

    def _float(self) -> bytes:
        initial, form = self._random.choice([(0xF9, ">e"), (0xFA, ">f"), (0xFB, ">d")])
        source = self._random.choice([">e", ">f", ">d"])
        width = struct.calcsize(source)
        (value,) = struct.unpack(source, self._random.randbytes(width))
        try:
            return bytes([initial]) + struct.pack(form, value)
        except OverflowError:
            return b"\xf9\x00\x00"

    def _text(self) -> bytes:
        data = self._random.choice(
            ["", "a", "b", "aa", "ab", "\u00e9", "z" * 23, "y" * 24]
        ).encode()
        return self._head(3, len(data)) + data


def test_a_form_is_accepted_exactly_when_encoding_gives_it_again() -> None:
    """The scanner alone must decide as the definition does: decode, encode, compare."""
    accepted = 0
    for seed in range(20_000):
        data = Sloppy(seed).item()
        try:
            value = cbor2.loads(data)
            expected = encode(value) == data
        except (EncodingError, cbor2.CBORError):
            expected = False
        try:
            found = same(decode(data), cbor2.loads(data))
        except EncodingError:
            found = False
        assert found == expected, data.hex()
        accepted += found
    assert 5_000 < accepted < 19_000

"""Index nodes to the byte: one form for each, and each rule that a forged one breaks."""

import hashlib
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.index.change import build
from msglog.index.node import (
    EMPTY_NODE,
    EMPTY_ROOT,
    LEAF_LIMIT,
    NODE_BYTES_LIMIT,
    Inner,
    Leaf,
    NodeError,
    common_nibbles,
    decode_node,
    encode_inner,
    encode_leaf,
    first_below,
    last_below,
    load_node,
    nibble,
    pack_prefix,
    shares_prefix,
    split,
)
from msglog.key import KEY_BYTES, KEY_NIBBLES, Key, make_key
from msglog.objectid import ObjectId, object_id

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).map(Key)
depths = st.integers(0, KEY_NIBBLES)


def key(text: str, fill: str = "0") -> Key:
    """The key whose first nibbles are text."""
    return Key(bytes.fromhex(text.ljust(KEY_NIBBLES, fill)))


def leaf(*names: str) -> list[Any]:
    found: list[Any] = cbor2.loads(encode_leaf(sorted(map(key, names))))
    return found


def children(*pairs: tuple[int, int]) -> list[list[Any]]:
    return [[position, bytes([position]) * 32, count] for position, count in pairs]


def refused(data: bytes) -> str:
    with pytest.raises(NodeError) as caught:
        decode_node(data)
    assert caught.value.exit_status == 5
    return caught.value.why


@given(keys, keys)
def test_common_nibbles_against_the_hex_text(one: Key, two: Key) -> None:
    pairs = zip(one.hex(), two.hex(), strict=True)
    expected = next((i for i, (a, b) in enumerate(pairs) if a != b), KEY_NIBBLES)
    assert common_nibbles(one, two) == expected


@given(keys, depths)
def test_prefixes_against_the_hex_text(one: Key, depth: int) -> None:
    digits = one.hex()[:depth]
    packed = pack_prefix(one, depth)
    assert packed.hex() == digits + "0" * (depth & 1)
    assert shares_prefix(one, packed, depth)
    assert first_below(packed, depth).hex() == digits.ljust(KEY_NIBBLES, "0")
    assert last_below(packed, depth).hex() == digits.ljust(KEY_NIBBLES, "f")
    if depth < KEY_NIBBLES:
        assert nibble(one, depth) == int(one.hex()[depth], 16)


@given(st.sets(keys, min_size=1, max_size=30))
def test_split_groups_by_the_next_nibble(some: set[Key]) -> None:
    ordered = sorted(some)
    groups = split(ordered, 0, len(ordered), 0)
    assert [low for _, low, _ in groups] == [0, *[high for _, _, high in groups[:-1]]]
    for position, low, high in groups:
        assert {one[0] >> 4 for one in ordered[low:high]} == {position}


@given(st.sets(keys, max_size=LEAF_LIMIT))
def test_a_leaf_comes_back(some: set[Key]) -> None:
    ordered = tuple(sorted(some))
    data = encode_leaf(ordered)
    assert decode_node(data) == load_node(data) == Leaf(ordered)


@given(st.sets(keys, min_size=2, max_size=LEAF_LIMIT), depths)
def test_a_leaf_with_a_long_prefix_comes_back(some: set[Key], depth: int) -> None:
    head = min(some).hex()[:depth]
    near = sorted({Key(bytes.fromhex(head + one.hex()[depth:])) for one in some})
    data = encode_leaf(near)
    assert decode_node(data) == Leaf(tuple(near))
    assert len(data) <= NODE_BYTES_LIMIT


@given(
    st.integers(0, KEY_NIBBLES - 1),
    keys,
    st.dictionaries(
        st.integers(0, 15),
        st.tuples(st.binary(min_size=32, max_size=32), st.integers(33, (1 << 63) - 1)),
        min_size=2,
    ),
)
def test_an_inner_node_comes_back(
    depth: int, one: Key, below: dict[int, tuple[bytes, int]]
) -> None:
    entries = tuple(
        (position, ObjectId(below[position][0]), below[position][1]) for position in sorted(below)
    )
    data = encode_inner(depth, pack_prefix(one, depth), entries)
    assert decode_node(data) == load_node(data) == Inner(depth, pack_prefix(one, depth), entries)
    assert len(data) <= 767


def with_shared(nibbles: int, fill: bytes, some: set[Key]) -> list[Key]:
    """Keys that share so many nibbles, or a few more."""
    shared = pack_prefix(fill, nibbles)
    low = [one[0] & 15 for one in some]
    if nibbles & 1:
        return sorted(
            {
                Key(shared[:-1] + bytes((shared[-1] | digit,)) + one[len(shared) :])
                for digit, one in zip(low, some, strict=True)
            }
        )
    return sorted({Key(shared + one[len(shared) :]) for one in some})


@given(st.sets(keys, min_size=1, max_size=LEAF_LIMIT), keys, depths)
def test_leaves_against_a_cbor_library(some: set[Key], fill: Key, nibbles: int) -> None:
    together = with_shared(nibbles, fill, some)
    depth = common_nibbles(together[0], together[-1])
    suffixes = b"".join(one[depth // 2 :] for one in together)
    data = cbor2.dumps([0, depth, pack_prefix(together[0], depth), suffixes])
    assert encode_leaf(together) == data
    assert load_node(data) == Leaf(tuple(together))


@given(
    depths,
    keys,
    st.dictionaries(
        st.integers(0, 15),
        st.tuples(
            st.binary(min_size=32, max_size=32).map(ObjectId),
            st.integers(1, (1 << 63) - 1)
            | st.sampled_from([23, 24, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32]),
        ),
        min_size=2,
    ),
)
def test_inner_nodes_against_a_cbor_library(
    depth: int, one: Key, below: dict[int, tuple[ObjectId, int]]
) -> None:
    entries = tuple((position, *below[position]) for position in sorted(below))
    data = cbor2.dumps([1, depth, pack_prefix(one, depth), entries])
    assert encode_inner(depth, pack_prefix(one, depth), entries) == data
    assert load_node(data) == Inner(depth, pack_prefix(one, depth), entries)


@given(st.sets(keys, min_size=1, max_size=8), st.data())
def test_a_changed_byte_is_refused_or_another_canonical_node(
    some: set[Key], draw: st.DataObject
) -> None:
    data = bytearray(encode_leaf(sorted(some)))
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        node = decode_node(bytes(data))
    except NodeError:
        return
    assert isinstance(node, Leaf)
    assert encode_leaf(node.keys) == bytes(data)


def test_the_empty_node_to_the_byte() -> None:
    assert EMPTY_NODE.hex() == "8400004040"
    assert hashlib.sha256(EMPTY_NODE).digest() == EMPTY_ROOT == build([]).root
    assert decode_node(EMPTY_NODE) == Leaf(())


FORGED: dict[str, tuple[bytes, str]] = {
    "a message": (cbor2.dumps({"type": "message"}), "content"),
    "not CBOR": (b"\xff", "simple"),
    "nothing": (b"", "cut short"),
    "trailing bytes": (EMPTY_NODE + b"\0", "bytes follow"),
    "a tag": (b"\xc0" + EMPTY_NODE, "tag"),
    "a long head": (bytes.fromhex("9804 00 00 40 40"), "longer"),
    "an indefinite array": (bytes.fromhex("9f 00 00 40 40 ff"), "indefinite"),
    "three items": (cbor2.dumps([0, 0, b""]), "content"),
    "five items": (cbor2.dumps([0, 0, b"", b"", 0]), "content"),
    "kind 2": (cbor2.dumps([2, 0, b"", b""]), "neither"),
    "kind false": (cbor2.dumps([False, 0, b"", b""]), "content"),
    "kind 0.0": (cbor2.dumps([0.0, 0, b"", b""], canonical=True), "content"),
    "depth true": (cbor2.dumps([0, True, b"\x10", b"\x10" * 40]), "content"),
    "depth negative": (cbor2.dumps([0, -1, b"", b""]), "content"),
    "depth 81": (cbor2.dumps([0, 81, bytes(41), b""]), "content"),
    "prefix text": (cbor2.dumps([0, 0, "", b""]), "content"),
    "prefix too long": (cbor2.dumps([0, 2, bytes(2), bytes(39)]), "prefix"),
    "prefix too short": (cbor2.dumps([0, 4, bytes(1), bytes(38)]), "prefix"),
    "prefix padded with ones": (cbor2.dumps([0, 1, b"\x1f", b"\x10" * 80]), "prefix"),
    "leaf with children": (cbor2.dumps([0, 0, b"", []]), "neither"),
    "inner with suffixes": (cbor2.dumps([1, 0, b"", b""]), "neither"),
    "empty leaf with a prefix": (cbor2.dumps([0, 2, b"\0", b""]), "canonical"),
    "one key not at depth 80": (cbor2.dumps([0, 0, b"", key("1")]), "canonical"),
    "one key with a suffix": (cbor2.dumps([0, 80, key("1"), b"\0"]), "canonical"),
    "uneven suffixes": (cbor2.dumps([0, 0, b"", bytes(40) + b"\xff" * 39]), "length"),
    "prefix not the longest": (
        cbor2.dumps([0, 0, b"", b"".join(sorted([key("12"), key("13")]))]),
        "canonical",
    ),
    "tails that do not share the nibble": (
        cbor2.dumps(
            [0, 3, bytes.fromhex("1230"), bytes.fromhex("31") + bytes(38) + b"\x42" + bytes(38)]
        ),
        "canonical",
    ),
    "keys in the wrong order": (cbor2.dumps([0, 0, b"", key("2") + key("1")]), "ascending"),
    "a key twice": (cbor2.dumps([0, 0, b"", key("1") + key("2") + key("2")]), "ascending"),
    "65 keys": (
        encode_leaf([Key(bytes([index]).ljust(40, b"\0")) for index in range(65)]),
        "more than 64",
    ),
    "over 4 KiB": (
        encode_leaf([Key(bytes([index]).ljust(40, b"\0")) for index in range(110)]),
        "over 4096",
    ),
    "one child": (cbor2.dumps([1, 0, b"", children((1, 99))]), "2 to 16"),
    "no child": (cbor2.dumps([1, 0, b"", []]), "2 to 16"),
    "17 children": (
        cbor2.dumps([1, 0, b"", [*children(*[(i, 9) for i in range(16)]), [15, bytes(32), 9]]]),
        "2 to 16",
    ),
    "inner at depth 80": (
        cbor2.dumps([1, 80, bytes(40), children((1, 40), (2, 40))]),
        "2 to 16",
    ),
    "64 keys as an inner node": (
        cbor2.dumps([1, 0, b"", children((1, 32), (2, 32))]),
        "so few keys",
    ),
    "a count of 0": (cbor2.dumps([1, 0, b"", children((1, 0), (2, 99))]), "child"),
    "a negative count": (cbor2.dumps([1, 0, b"", children((1, -1), (2, 99))]), "child"),
    "a count of true": (
        cbor2.dumps([1, 0, b"", [[1, bytes(32), True], [2, bytes(32), 99]]]),
        "child",
    ),
    "a float count": (
        cbor2.dumps([1, 0, b"", [[1, bytes(32), 1.0], [2, bytes(32), 99]]], canonical=True),
        "child",
    ),
    "a count past int64": (
        cbor2.dumps([1, 0, b"", [[1, bytes(32), 1 << 63], [2, bytes(32), 99]]]),
        "int64",
    ),
    "nibble 16": (cbor2.dumps([1, 0, b"", children((1, 50), (16, 50))]), "child"),
    "nibble -1": (cbor2.dumps([1, 0, b"", [[-1, bytes(32), 50], [2, bytes(32), 50]]]), "child"),
    "nibble true": (cbor2.dumps([1, 0, b"", [[True, bytes(32), 50], [2, bytes(32), 50]]]), "child"),
    "children in the wrong order": (
        cbor2.dumps([1, 0, b"", children((2, 50), (1, 50))]),
        "ascending",
    ),
    "a nibble twice": (cbor2.dumps([1, 0, b"", children((1, 50), (1, 50))]), "ascending"),
    "a short id": (cbor2.dumps([1, 0, b"", [[1, bytes(31), 50], [2, bytes(32), 50]]]), "child"),
    "an id as text": (cbor2.dumps([1, 0, b"", [[1, "0" * 32, 50], [2, bytes(32), 50]]]), "child"),
    "a child with four parts": (
        cbor2.dumps([1, 0, b"", [[1, bytes(32), 50, 0], [2, bytes(32), 50]]]),
        "child",
    ),
    "a child that is a map": (cbor2.dumps([1, 0, b"", [{}, [2, bytes(32), 50]]]), "child"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_node_is_refused(name: str) -> None:
    data, why = FORGED[name]
    assert why in refused(data)


def test_what_the_forgeries_differ_from_is_accepted() -> None:
    """So that the cases above are refused for what they say and not for something else."""
    assert decode_node(cbor2.dumps([1, 0, b"", children((1, 32), (2, 33))])).count == 65
    assert decode_node(cbor2.dumps(leaf("12", "13"))).count == 2
    assert decode_node(cbor2.dumps(leaf("1"))).count == 1
    odd = leaf("1231", "1232")
    assert odd[1] == 3
    assert decode_node(cbor2.dumps(odd)).count == 2
    full = encode_leaf([Key(bytes([4 * index]).ljust(40, b"\0")) for index in range(64)])
    assert decode_node(full).count == 64


@pytest.mark.parametrize("depth", range(80))
def test_two_keys_that_part_at_each_depth(depth: int) -> None:
    pair = sorted([key("a" * depth + "1"), key("a" * depth + "2")])
    node = cbor2.loads(encode_leaf(pair))
    assert node[1] == depth
    assert node[2].hex() == "a" * depth + "0" * (depth & 1)
    assert len(node[3]) == 2 * (40 - depth // 2)


@pytest.mark.parametrize("shared", [0, 16])
def test_100_000_keys_at_one_microsecond_with_ground_ids(shared: int) -> None:
    """Neither one instant nor ids that share 64 bits make a node large or an index deep."""
    time = 1_700_000_000_000_000
    some = sorted(
        make_key(time, ObjectId(bytes(shared // 2) + object_id(b"%d" % number)[shared // 2 :]))
        for number in range(100_000)
    )
    index = build(some)
    assert index.count == 100_000
    assert max(map(len, index.nodes.values())) <= 1400
    depth, level = 0, [index.root]
    while level:
        nodes = [load_node(index.nodes[oid]) for oid in level]
        level = [child[1] for node in nodes if isinstance(node, Inner) for child in node.children]
        depth += 1
    assert depth <= 4


def test_the_deepest_index_there_can_be_is_bounded_by_the_key() -> None:
    """Keys that part from all others at each nibble in turn: one level a nibble, no more."""
    some = sorted({key("a" * depth + digit, "5") for depth in range(80) for digit in "bcdef"})
    index = build(some)
    depth, oid = 1, index.root
    while isinstance(node := load_node(index.nodes[oid]), Inner):
        oid = max(node.children, key=lambda child: child[2])[1]
        depth += 1
    assert depth <= KEY_NIBBLES
    assert max(map(len, index.nodes.values())) <= NODE_BYTES_LIMIT


def test_the_largest_leaf_there_can_be() -> None:
    """One nibble in common costs a byte of prefix and saves none of the suffixes."""
    some = [Key(bytes([0x80 | number // 4]) + bytes([number]) + bytes(38)) for number in range(64)]
    assert len(encode_leaf(some)) == 2568

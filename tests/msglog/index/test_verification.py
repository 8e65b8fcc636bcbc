"""Verification of an index: each kind of damage is found and named, and nothing else."""

from collections.abc import Sequence

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.index.change import build
from msglog.index.node import (
    EMPTY_NODE,
    EMPTY_ROOT,
    Child,
    Inner,
    encode_inner,
    encode_leaf,
    load_node,
)
from msglog.index.verification import Fault, verify
from msglog.key import LAST_KEY, Key, key_object_id, key_time, make_key
from msglog.objectid import ObjectId, object_id

KEYS = sorted(
    make_key(1_700_000_000_000_000 + 997_000_000 * number, object_id(b"%d" % number))
    for number in range(3000)
)


class Damaged:
    """The nodes of an index, to be damaged."""

    def __init__(self) -> None:
        index = build(KEYS)
        self.nodes = index.nodes
        self.root = index.root

    def find(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        return {oid: self.nodes[oid] for oid in ids if oid in self.nodes}

    def put(self, data: bytes) -> ObjectId:
        oid = object_id(data)
        self.nodes[oid] = data
        return oid

    def inner(self, oid: ObjectId) -> Inner:
        node = load_node(self.nodes[oid])
        assert isinstance(node, Inner)
        return node

    def replace_child(self, number: int, child: Child) -> None:
        """Forge the root so that it has another child."""
        node = self.inner(self.root)
        children = [*node.children]
        children[number] = child
        self.root = self.put(encode_inner(node.depth, node.prefix, children))

    def faults(self) -> list[Fault]:
        return [item for item in verify(self.find, self.root) if isinstance(item, Fault)]

    def keys(self) -> list[Key]:
        sound = [item for item in verify(self.find, self.root) if not isinstance(item, Fault)]
        return sorted(key for keys in sound for key in keys)


@pytest.fixture
def index() -> Damaged:
    return Damaged()


def test_a_sound_index_has_no_fault_and_lists_every_key(index: Damaged) -> None:
    assert index.faults() == []
    assert index.keys() == KEYS
    assert list(verify(index.find, EMPTY_ROOT)) == []


@given(st.data())
def test_any_missing_node_is_named_and_the_rest_is_still_checked(draw: st.DataObject) -> None:
    index = Damaged()
    gone = draw.draw(st.sampled_from(sorted(index.nodes)))
    del index.nodes[gone]
    assert index.faults() == [Fault(gone, "it is missing")]
    if gone != index.root:
        assert 0 < len(index.keys()) < len(KEYS)


@given(st.data())
def test_any_changed_byte_is_found(draw: st.DataObject) -> None:
    index = Damaged()
    hit = draw.draw(st.sampled_from(sorted(index.nodes)))
    data = bytearray(index.nodes[hit])
    data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    index.nodes[hit] = bytes(data)
    assert index.faults() == [Fault(hit, "its bytes have another SHA-256")]


def test_a_count_that_lies_is_found(index: Damaged) -> None:
    position, oid, count = index.inner(index.root).children[1]
    for wrong in (count - 1, count + 1):
        forged = Damaged()
        forged.replace_child(1, (position, oid, wrong))
        (fault,) = forged.faults()
        assert fault == Fault(oid, f"it has {count} keys, and the node above counts {wrong}")


def test_a_subtree_in_another_place_is_found(index: Damaged) -> None:
    first, second = index.inner(index.root).children[:2]
    index.replace_child(0, (first[0], second[1], second[2]))
    assert index.faults() == [Fault(second[1], "it is not in its place")]


def test_a_leaf_in_another_place_is_found(index: Damaged) -> None:
    node = index.inner(index.root)
    stray = index.put(encode_leaf([key for key in KEYS if key > KEYS[-2]]))
    index.replace_child(0, (node.children[0][0], stray, 1))
    assert index.faults() == [Fault(stray, "it is not in its place")]


def test_a_node_that_contains_its_parents_place_is_found(index: Damaged) -> None:
    """An inner node under itself cannot be, but a copy of what is above it can."""
    position, _, _ = index.inner(index.root).children[0]
    top = index.root
    index.replace_child(0, (position, top, len(KEYS)))
    assert Fault(top, "it is not in its place") in index.faults()


@pytest.mark.parametrize("depth", range(1, 9))
def test_a_node_that_covers_more_than_its_place_is_found(index: Damaged, depth: int) -> None:
    """Where it stands, only keys with a longer prefix may be; odd and even depths."""
    wide = build([Key(bytes([4 * number]).ljust(40, b"\0")) for number in range(64)] + [LAST_KEY])
    index.nodes.update(wide.nodes)
    children: list[Child] = [(0, wide.root, 65), (1, wide.root, 65)]
    index.root = index.put(encode_inner(depth, bytes((depth + 1) // 2), children))
    assert set(index.faults()) == {Fault(wide.root, "it is not in its place")}


def test_a_leaf_of_which_a_part_is_in_another_place_is_found(index: Damaged) -> None:
    position = index.inner(index.root).children[0][0]
    stray = index.put(encode_leaf([KEYS[0], KEYS[-1]]))
    index.replace_child(0, (position, stray, 2))
    assert index.faults() == [Fault(stray, "it is not in its place")]


def test_the_same_child_everywhere_ends(index: Damaged) -> None:
    """A few nodes that would unfold to 16^n are visited once for each place that they could have."""
    data = encode_leaf([Key(bytes(39) + bytes([number])) for number in range(64)])
    oid, count = index.put(data), 64
    for depth in reversed(range(10)):
        children = [(position, oid, count) for position in range(16)]
        oid = index.put(encode_inner(depth, bytes((depth + 1) // 2), children))
        count *= 16
    index.root = oid
    assert len(index.faults()) == 10 * 15


@pytest.mark.parametrize("depth", range(6))
def test_an_empty_leaf_below_the_root_is_found(depth: int) -> None:
    index = Damaged()
    index.put(EMPTY_NODE)
    full = build([key for key in KEYS if key < KEYS[200]])
    top = load_node(full.nodes[full.root])
    assert isinstance(top, Inner)
    prefix = bytes.fromhex(top.prefix.hex()[:depth] + "0" * (depth & 1))
    inside = top.prefix.hex()[depth]
    index.nodes.update(full.nodes)
    children: list[Child] = sorted(
        [(int(inside, 16), full.root, 200), ((int(inside, 16) + 1) % 16, EMPTY_ROOT, 1)]
    )
    index.root = index.put(encode_inner(depth, prefix, children))
    assert EMPTY_ROOT in [fault.node for fault in index.faults()]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (cbor2.dumps({"type": "message"}), "content"),
        (encode_leaf([Key(bytes([n]).ljust(40, b"\0")) for n in range(65)]), "more than 64"),
        (cbor2.dumps([0, 0, b"", KEYS[1] + KEYS[0]]), "ascending"),
    ],
)
def test_a_node_that_is_not_canonical_is_found(index: Damaged, data: bytes, why: str) -> None:
    oid = index.put(data)
    index.root = oid
    (fault,) = index.faults()
    assert fault.node == oid
    assert why in fault.why


def test_an_index_that_omits_a_key_has_another_root(index: Damaged) -> None:
    """Soundness is judged by verify, completeness by the root alone."""
    missing_one = build(KEYS[:-1])
    assert missing_one.root != index.root
    key = make_key(key_time(KEYS[0]), key_object_id(KEYS[1]))
    assert build(sorted({*KEYS, key})).root != index.root

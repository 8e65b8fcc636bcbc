"""The index as a whole: one shape for one set, whichever way it came to be."""

from collections.abc import Sequence
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.index.change import Index, build, exclude, insert, merge, slice_from, splice
from msglog.index.node import EMPTY_ROOT, Inner, Leaf, load_node, pack_prefix
from msglog.index.verification import Fault, verify
from msglog.index.walk import count, difference, divide, iterate, iterate_below
from msglog.key import FIRST_KEY, KEY_BYTES, LAST_KEY, Key
from msglog.objectid import ObjectId


class Nodes(dict[ObjectId, bytes]):
    """A reader over everything made in a test, which counts its calls."""

    calls = 0

    def read(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        self.calls += 1
        return {oid: self[oid] for oid in ids}

    def find(self, ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        return {oid: self[oid] for oid in ids if oid in self}

    def keep(self, index: Index) -> ObjectId:
        self.update(index.nodes)
        return index.root


# Keys that differ in few places, so that prefixes of every length, odd and even, meet.
_clustered = st.builds(
    lambda head, middle, tail: Key(head + bytes(20) + middle + bytes(18 - len(head)) + tail),
    st.binary(min_size=0, max_size=3),
    st.sampled_from([b"\0", b"\x01", b"\x10", b"\xff"]),
    st.binary(min_size=1, max_size=1),
).map(lambda key: Key(key.ljust(KEY_BYTES, b"\0")))
_keys = st.one_of(_clustered, st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).map(Key))
_sets = st.sets(_keys, max_size=60)
_limits = st.integers(1, 5)


@given(st.lists(_sets, max_size=6), _limits)
def test_any_batching_and_order_gives_the_root_of_the_bulk_build(
    batches: list[set[Key]], limit: int
) -> None:
    nodes = Nodes()
    root = EMPTY_ROOT
    total: set[Key] = set()
    for batch in batches:
        total |= batch
        index = insert(nodes.read, root, sorted(batch), leaf_limit=limit)
        root = nodes.keep(index)
        assert index.count == len(total)
    assert root == build(sorted(total), leaf_limit=limit).root
    assert list(iterate(nodes.read, root)) == sorted(total)
    assert count(nodes.read, root) == len(total)
    listed = list(verify(nodes.find, root, leaf_limit=limit))
    assert not any(isinstance(item, Fault) for item in listed)
    assert sorted(key for keys in listed if not isinstance(keys, Fault) for key in keys) == sorted(
        total
    )


@given(_sets, _sets, _limits)
def test_difference_is_the_set_difference_in_order(a: set[Key], b: set[Key], limit: int) -> None:
    nodes = Nodes()
    first = nodes.keep(build(sorted(a), leaf_limit=limit))
    second = nodes.keep(build(sorted(b), leaf_limit=limit))
    assert list(difference(nodes.read, first, second)) == sorted(b - a)
    assert list(difference(nodes.read, second, first)) == sorted(a - b)
    beyond = list(difference(nodes.read, first, second, reverse=True))
    assert beyond == sorted(b - a, reverse=True)


@given(_sets, _sets, _limits)
def test_merge_is_the_union(a: set[Key], b: set[Key], limit: int) -> None:
    nodes = Nodes()
    first = nodes.keep(build(sorted(a), leaf_limit=limit))
    second = nodes.keep(build(sorted(b), leaf_limit=limit))
    merged = merge(nodes.read, first, second, leaf_limit=limit)
    nodes.keep(merged)
    assert merged.root == build(sorted(a | b), leaf_limit=limit).root
    assert merged.count == len(a | b)
    assert list(iterate(nodes.read, merged.root)) == sorted(a | b)


@given(_sets, _keys, _limits)
def test_slice_keeps_the_keys_from_one_on(keys: set[Key], start: Key, limit: int) -> None:
    nodes = Nodes()
    root = nodes.keep(build(sorted(keys), leaf_limit=limit))
    kept = sorted(key for key in keys if key >= start)
    cut = slice_from(nodes.read, root, start, leaf_limit=limit)
    nodes.keep(cut)
    assert (cut.root, cut.count) == (build(kept, leaf_limit=limit).root, len(kept))
    assert list(iterate(nodes.read, cut.root)) == kept
    assert slice_from(nodes.read, root, FIRST_KEY).root == root


@given(_sets, _sets, _keys, _limits)
def test_splice_takes_one_index_before_a_key_and_the_other_after(
    a: set[Key], b: set[Key], at: Key, limit: int
) -> None:
    nodes = Nodes()
    low = nodes.keep(build(sorted(a), leaf_limit=limit))
    high = nodes.keep(build(sorted(b), leaf_limit=limit))
    expected = sorted({key for key in a if key < at} | {key for key in b if key >= at})
    spliced = splice(nodes.read, low, high, at, leaf_limit=limit)
    nodes.keep(spliced)
    assert (spliced.root, spliced.count) == (build(expected, leaf_limit=limit).root, len(expected))
    assert list(iterate(nodes.read, spliced.root)) == expected


@given(_sets, st.data(), _limits)
def test_exclude_removes_what_lies_below_paths(
    keys: set[Key], data: st.DataObject, limit: int
) -> None:
    nodes = Nodes()
    root = nodes.keep(build(sorted(keys), leaf_limit=limit))
    pool = st.sampled_from(sorted(keys)) if keys else _keys
    paths = data.draw(
        st.lists(
            st.tuples(st.integers(0, 80), st.one_of(pool, _keys)).map(
                lambda pair: (pair[0], pack_prefix(pair[1], pair[0]))
            ),
            max_size=4,
        )
    )
    kept = sorted(
        key for key in keys if not any(pack_prefix(key, depth) == prefix for depth, prefix in paths)
    )
    left = exclude(nodes.read, root, paths, leaf_limit=limit)
    nodes.keep(left)
    assert (left.root, left.count) == (build(kept, leaf_limit=limit).root, len(kept))
    assert list(iterate(nodes.read, left.root)) == kept


@given(_sets, _keys, _keys, _limits)
def test_iterate_between_two_keys(keys: set[Key], one: Key, two: Key, limit: int) -> None:
    nodes = Nodes()
    root = nodes.keep(build(sorted(keys), leaf_limit=limit))
    first, last = min(one, two), max(one, two)
    inside = sorted(key for key in keys if first <= key <= last)
    assert list(iterate(nodes.read, root, first=first, last=last)) == inside
    backwards = iterate(nodes.read, root, first=first, last=last, reverse=True)
    assert list(backwards) == inside[::-1]


@given(_sets, st.sets(_keys, min_size=2, max_size=2), _limits, st.integers(1, 40))
def test_an_index_can_be_gone_through_in_pieces(
    keys: set[Key], ends: set[Key], limit: int, size: int
) -> None:
    nodes = Nodes()
    root = nodes.keep(build(sorted(keys), leaf_limit=limit))
    for first, last in (FIRST_KEY, LAST_KEY), sorted(ends):
        for reverse in (False, True):
            pieces = [
                list(iterate_below(nodes.read, piece, first=first, last=last, reverse=reverse))
                for piece in divide(
                    nodes.read, root, size=size, first=first, last=last, reverse=reverse
                )
            ]
            whole = iterate(nodes.read, root, first=first, last=last, reverse=reverse)
            assert list(chain.from_iterable(pieces)) == list(whole)
            assert all(len(piece) <= max(size, limit) for piece in pieces)
            if first == FIRST_KEY and last == LAST_KEY:  # none is smaller than need be
                assert all(len(one) + len(other) > size for one, other in pairwise(pieces))


def _many(number: int) -> list[Key]:
    return sorted(
        Key((1_700_000_000_000_000 + 7 * i + (1 << 63)).to_bytes(8, "big") + bytes([i % 251]) * 32)
        for i in range(number)
    )


@settings(max_examples=20)
@given(st.integers(0, 4999))
def test_one_new_key_makes_few_nodes_and_a_difference_visits_few(position: int) -> None:
    keys = _many(5000)
    nodes = Nodes()
    held = keys[:position] + keys[position + 1 :]
    before = nodes.keep(build(held))
    index = insert(nodes.read, before, [keys[position]])
    after = nodes.keep(index)
    assert len(index.nodes) <= 6
    nodes.calls = 0
    assert list(difference(nodes.read, before, after)) == [keys[position]]
    assert nodes.calls <= 12


def test_the_leaf_limit_is_exact() -> None:
    keys = _many(65)
    assert isinstance(load_node(build(keys[:64]).nodes[build(keys[:64]).root]), Leaf)
    assert isinstance(load_node(build(keys).nodes[build(keys).root]), Inner)


def test_keys_at_the_edges_of_the_range() -> None:
    nodes = Nodes()
    keys = [FIRST_KEY, LAST_KEY]
    for limit in (1, 64):
        index = build(keys, leaf_limit=limit)
        nodes.keep(index)
        assert list(iterate(nodes.read, index.root)) == keys


@pytest.mark.parametrize("size", [0, 1, 64, 65, 1000])
def test_reading_goes_by_frontiers(size: int) -> None:
    nodes = Nodes()
    root = nodes.keep(build(_many(size)))
    nodes.calls = 0
    assert len(list(iterate(nodes.read, root))) == size
    assert nodes.calls <= 3 + len(nodes) // 16

"""What the operations give back besides the root: new nodes, all of them, and nothing else."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from msglog.index.change import Index, build, exclude, insert, merge, slice_from, splice
from msglog.index.node import EMPTY_ROOT, Inner, load_node
from msglog.key import FIRST_KEY, Key
from msglog.objectid import ObjectId

_keys = st.builds(
    lambda head, tail: Key((head + bytes(39))[:39] + tail),
    st.binary(min_size=1, max_size=3),
    st.binary(min_size=1, max_size=1),
)
_sets = st.sets(_keys, max_size=40)


def _reachable(index: Index, stored: Mapping[ObjectId, bytes]) -> set[ObjectId]:
    found: set[ObjectId] = set()
    stack = [index.root]
    while stack:
        oid = stack.pop()
        if oid == EMPTY_ROOT or oid in found:
            continue
        found.add(oid)
        node = load_node(index.nodes.get(oid) or stored[oid])
        if isinstance(node, Inner):
            stack.extend([child[1] for child in node.children])
    return found


@given(_sets, _sets, _keys, st.integers(1, 4))
def test_made_nodes_are_reached_and_all_others_are_stored(
    a: set[Key], b: set[Key], at: Key, limit: int
) -> None:
    one = build(sorted(a), leaf_limit=limit)
    two = build(sorted(b), leaf_limit=limit)
    stored = {**one.nodes, **two.nodes}

    def read(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        return {oid: stored[oid] for oid in ids}

    for index in (
        insert(read, one.root, sorted(b), leaf_limit=limit),
        merge(read, one.root, two.root, leaf_limit=limit),
        exclude(read, one.root, [(80, key) for key in b], leaf_limit=limit),
        slice_from(read, one.root, at, leaf_limit=limit),
        splice(read, one.root, two.root, at, leaf_limit=limit),
    ):
        reached = _reachable(index, stored)
        assert set(index.nodes) <= reached
        assert reached <= set(index.nodes) | set(stored)


@given(_sets, st.data(), st.integers(1, 4))
def test_what_changes_nothing_makes_nothing(a: set[Key], data: st.DataObject, limit: int) -> None:
    index = build(sorted(a), leaf_limit=limit)

    def read(ids: Sequence[ObjectId]) -> dict[ObjectId, bytes]:
        return {oid: index.nodes[oid] for oid in ids}

    some = data.draw(st.sets(st.sampled_from(sorted(a)))) if a else set()
    for same in (
        insert(read, index.root, sorted(some), leaf_limit=limit),
        merge(read, index.root, index.root, leaf_limit=limit),
        merge(read, index.root, EMPTY_ROOT, leaf_limit=limit),
        exclude(read, index.root, [], leaf_limit=limit),
        slice_from(read, index.root, FIRST_KEY, leaf_limit=limit),
    ):
        assert (same.root, same.count, same.nodes) == (index.root, len(a), {})

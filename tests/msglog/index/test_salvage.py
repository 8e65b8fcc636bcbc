"""What is left of an index with holes: each key is either found, or below a gap."""

from collections.abc import Callable, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.index.salvage import is_below, salvage
from msglog.key import make_key
from msglog.objectid import ObjectId, object_id

KEYS = sorted(make_key(number // 3, object_id(b"%d" % number)) for number in range(3000))
INDEX = build(KEYS)
NODES = sorted(INDEX.nodes)


def finder(
    nodes: Mapping[ObjectId, bytes],
) -> Callable[[Sequence[ObjectId]], dict[ObjectId, bytes]]:
    return lambda ids: {oid: nodes[oid] for oid in ids if oid in nodes}


def test_of_a_sound_index_all_is_found() -> None:
    assert salvage(finder(INDEX.nodes), INDEX.root) == (set(KEYS), [])
    assert salvage(finder({}), EMPTY_ROOT) == (set(), [])


@given(
    gone=st.sets(st.integers(0, len(NODES) - 1), max_size=8),
    changed=st.sets(st.integers(0, len(NODES) - 1), max_size=8),
)
def test_a_key_is_found_or_lies_below_a_gap(gone: set[int], changed: set[int]) -> None:
    nodes = dict(INDEX.nodes)
    for number in changed:
        nodes[NODES[number]] = nodes[NODES[number]][:-1] + b"?"
    for number in gone:
        nodes.pop(NODES[number])
    keys, gaps = salvage(finder(nodes), INDEX.root)
    assert keys <= set(KEYS)
    assert {key for key in KEYS if is_below(key, gaps)} == set(KEYS) - keys
    assert bool(gaps) == bool(gone | {one for one in changed if INDEX.nodes[NODES[one]][-1] != 63})


def test_what_was_visited_is_passed_over() -> None:
    visited: set[ObjectId] = {INDEX.root}
    assert salvage(finder(INDEX.nodes), INDEX.root, visited) == (set(), [])
    more = build([*KEYS, make_key(1 << 50, object_id(b"new"))])
    nodes = {**INDEX.nodes, **more.nodes}
    visited = set()
    salvage(finder(nodes), INDEX.root, visited)
    found, _ = salvage(finder(nodes), more.root, visited)
    assert 0 < len(found) < 200

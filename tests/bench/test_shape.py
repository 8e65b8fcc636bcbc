"""The shape of an index."""

from msglog.index.change import build
from msglog.key import make_key
from msglog.objectid import object_id
from tests.bench.shape import Shape, shape


def test_every_node_is_counted_once() -> None:
    keys = sorted(make_key(1000 * number, object_id(b"%d" % number)) for number in range(5000))
    index = build(keys)
    found = shape(lambda ids: {oid: index.nodes[oid] for oid in ids}, index.root)
    sizes = [len(data) for data in index.nodes.values()]
    assert (found.nodes, found.size, found.largest) == (len(sizes), sum(sizes), max(sizes))
    assert found.depth > 2


def test_one_leaf_is_one_deep() -> None:
    index = build([make_key(1, object_id(b"1"))])
    size = len(index.nodes[index.root])
    assert shape(lambda _: index.nodes, index.root) == Shape(1, 1, size, size)

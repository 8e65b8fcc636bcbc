"""The golden vectors, checked against msglog and against an implementation of the text alone."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from msglog.encoding import EncodingError
from msglog.index.change import Index, build, exclude, insert, merge, slice_from, splice
from msglog.index.node import EMPTY_ROOT, Leaf, NodeError, decode_node, encode_inner, encode_leaf
from msglog.index.walk import difference
from msglog.key import Key
from msglog.message import Foreign, Message, decode_object, object_key
from msglog.objectid import ObjectId, object_id

FOLDER = Path(__file__).parent / "vectors"


def cases(name: str) -> dict[str, Any]:
    document = json.loads((FOLDER / f"{name}.json").read_text())
    found = {case["name"]: case for case in document["cases"]}
    assert len(found) == len(document["cases"]) > 0
    return found


OBJECTS = cases("objects")
REFUSED_OBJECTS = cases("refused_objects")
NODES = cases("nodes")
REFUSED_NODES = cases("refused_nodes")
ROOTS = cases("roots")
OPERATIONS = cases("operations")


# A second implementation, naive and from the documentation alone: nothing of msglog is used in it.


def head(major: int, number: int) -> bytes:
    """The shortest head of a CBOR item."""
    if number < 24:
        return bytes([major << 5 | number])
    width = next(width for width in range(4) if number < 1 << (8 << width))
    return bytes([major << 5 | 24 + width]) + number.to_bytes(1 << width, "big")


def cbor(value: Any) -> bytes:
    """Deterministic CBOR; a byte string is written {"bytes": HEX} in the vectors."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(1, -1 - value) if value < 0 else head(0, value)
    if isinstance(value, float):
        for initial, form in ((0xF9, ">e"), (0xFA, ">f")):
            try:
                packed = struct.pack(form, value)
            except OverflowError:
                continue
            if struct.unpack(form, packed)[0] == value:
                return bytes([initial]) + packed
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if list(value) == ["bytes"]:
        return cbor(bytes.fromhex(value["bytes"]))
    pairs = sorted((cbor(name), cbor(item)) for name, item in value.items())
    return head(5, len(pairs)) + b"".join(name + item for name, item in pairs)


def pack(nibbles: str) -> bytes:
    return bytes.fromhex(nibbles + "0" * (len(nibbles) % 2))


def naive_node(keys: list[str]) -> bytes:
    """The node over sorted keys, given in hex: 80 nibbles each."""
    if not keys:
        return cbor([0, 0, b"", b""])
    n = next((i for i in range(80) if keys[0][i] != keys[-1][i]), 80)
    prefix = pack(keys[0][:n])
    if len(keys) <= 64:
        return cbor([0, n, prefix, b"".join(bytes.fromhex(key)[n // 2 :] for key in keys)])
    children = []
    for digit in "0123456789abcdef":
        below = [key for key in keys if key[n] == digit]
        if below:
            child = hashlib.sha256(naive_node(below)).digest()
            children.append([int(digit, 16), child, len(below)])
    return cbor([1, n, prefix, children])


def naive_root(keys: list[str]) -> str:
    return hashlib.sha256(naive_node(sorted(keys))).hexdigest()


def described(about: Mapping[str, int]) -> list[str]:
    """The keys of a described set, in hex; the formula is in roots.json."""
    keys = []
    for i in range(about["count"]):
        time = about["first"] + about["step"] * i + 2**63
        digest = hashlib.sha256(str(i).encode()).hexdigest()[2 * about["zeros"] :]
        keys.append(f"{time:016x}{'00' * about['zeros']}{digest}")
    return sorted(keys)


# The checks.


@pytest.mark.parametrize("name", OBJECTS)
def test_objects(name: str) -> None:
    case = OBJECTS[name]
    data = bytes.fromhex(case["hex"])
    found = decode_object(data)
    assert isinstance(found, {"message": Message, "foreign": Foreign}[case["kind"]])
    if isinstance(found, Message):
        assert found.encode() == data
    assert object_id(data).hex() == case["id"]
    assert object_key(data).hex() == case["key"]


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_by_the_second_implementation(name: str) -> None:
    case = OBJECTS[name]
    data = cbor(case["fields"])
    assert data.hex() == case["hex"]
    assert hashlib.sha256(data).hexdigest() == case["id"]
    assert f"{case['fields']['time'] + 2**63:016x}{case['id']}" == case["key"]


@pytest.mark.parametrize("name", REFUSED_OBJECTS)
def test_refused_objects(name: str) -> None:
    case = REFUSED_OBJECTS[name]
    with pytest.raises(EncodingError) as caught:
        decode_object(bytes.fromhex(case["hex"]))
    assert caught.value.why == case["why"]


@pytest.mark.parametrize("name", NODES)
def test_nodes(name: str) -> None:
    case = NODES[name]
    data = bytes.fromhex(case["hex"])
    node = decode_node(data)
    assert object_id(data).hex() == case["id"]
    assert node.count == case["count"]
    if isinstance(node, Leaf):
        keys = [Key(bytes.fromhex(key)) for key in case["keys"]]
        assert list(node.keys) == keys
        assert encode_leaf(keys) == data
        assert naive_node(case["keys"]) == data
    else:
        prefix = bytes.fromhex(case["prefix"])
        children = [
            (position, ObjectId(bytes.fromhex(oid)), count)
            for position, oid, count in case["children"]
        ]
        assert (node.depth, node.prefix, list(node.children)) == (case["depth"], prefix, children)
        assert encode_inner(case["depth"], prefix, children) == data
        assert cbor([1, case["depth"], prefix, [list(child) for child in children]]) == data


@pytest.mark.parametrize("name", REFUSED_NODES)
def test_refused_nodes(name: str) -> None:
    case = REFUSED_NODES[name]
    with pytest.raises(NodeError) as caught:
        decode_node(bytes.fromhex(case["hex"]))
    assert caught.value.why == case["why"]


@pytest.mark.parametrize("name", ROOTS)
def test_roots(name: str) -> None:
    case = ROOTS[name]
    keys = [Key(bytes.fromhex(key)) for key in described(case["set"])]
    index = build(keys)
    assert index.root.hex() == case["root"]
    assert (len(index.nodes), sum(map(len, index.nodes.values()))) == (case["nodes"], case["bytes"])
    # The same by inserting every third key last.
    first = build([key for number, key in enumerate(keys) if number % 3])
    rest = insert(reader(first), first.root, keys[::3])
    assert rest.root == index.root


@pytest.mark.parametrize("name", ROOTS)
def test_roots_by_the_second_implementation(name: str) -> None:
    assert naive_root(described(ROOTS[name]["set"])) == ROOTS[name]["root"]


def reader(*indexes: Index) -> Any:
    nodes = {oid: data for index in indexes for oid, data in index.nodes.items()}
    return lambda ids: {oid: nodes[oid] for oid in ids}


def outcomes(case: dict[str, Any]) -> Iterator[tuple[Index, dict[str, Any], Sequence[str]]]:
    """What msglog computes, what the vectors say, and the keys by plain set operations."""
    a, b = described(case["a"]), described(case["b"])
    one, two = (build([Key(bytes.fromhex(key)) for key in keys]) for keys in (a, b))
    read = reader(one, two)
    yield one, {"root": case["a_root"], "count": len(a)}, a
    yield two, {"root": case["b_root"], "count": len(b)}, b
    yield merge(read, one.root, two.root), case["union"], sorted({*a, *b})
    only = list(difference(read, one.root, two.root))
    yield build(only), case["only_in_b"], sorted({*b} - {*a})
    lost = list(difference(read, two.root, one.root))
    yield build(lost), case["only_in_a"], sorted({*a} - {*b})
    for cut in case["slices_of_a"]:
        start = cut["from"]
        found = slice_from(read, one.root, Key(bytes.fromhex(start)))
        yield found, cut, [key for key in a if key >= start]
    for cut in case["splices"]:
        at = cut["at"]
        found = splice(read, one.root, two.root, Key(bytes.fromhex(at)))
        yield found, cut, [key for key in a if key < at] + [key for key in b if key >= at]
    for cut in case["exclusions_from_a"]:
        prefix = cut["prefix"]
        found = exclude(read, one.root, [(len(prefix), pack(prefix))])
        yield found, cut, [key for key in a if not key.startswith(prefix)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    for found, stated, keys in outcomes(OPERATIONS[name]):
        assert (found.root.hex(), found.count) == (stated["root"], stated["count"])
        assert (naive_root(list(keys)), len(keys)) == (stated["root"], stated["count"])


def test_the_empty_root_is_the_one_that_the_format_names() -> None:
    assert naive_root([]) == ROOTS["0 keys, one a second"]["root"] == EMPTY_ROOT.hex()

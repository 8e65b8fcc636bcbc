"""docs/format.md cannot drift: its examples and numbers are checked."""

import re
from pathlib import Path

import pytest

from msglog import encoding, key, message
from msglog.encoding import EncodingError
from msglog.index import node
from msglog.index.change import build
from msglog.index.node import NodeError, decode_node
from msglog.key import Key
from msglog.message import decode_object, object_key
from msglog.objectid import object_id

TEXT = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
BLOCKS = [
    (info, bytes.fromhex("".join(re.sub(r"#.*", "", content).split())))
    for info, content in re.findall(r"^```hex (.+)\n((?:[^`].*\n)+)```$", TEXT, re.MULTILINE)
]


def blocks(kind: str) -> dict[str, bytes]:
    return {info.removeprefix(kind + " "): data for info, data in BLOCKS if info.startswith(kind)}


def test_every_fenced_block_is_checked_here() -> None:
    assert TEXT.count("```") == 2 * len(BLOCKS)
    kinds = {info.rpartition(" ")[0] or info for info, _ in BLOCKS}
    assert kinds == {"object", "key", "node", "refused"}


@pytest.mark.parametrize("oid", blocks("object"))
def test_objects(oid: str) -> None:
    data = blocks("object")[oid]
    assert object_id(data).hex() == oid
    decode_object(data)


@pytest.mark.parametrize("oid", blocks("key"))
def test_keys(oid: str) -> None:
    assert object_key(blocks("object")[oid]) == blocks("key")[oid]


@pytest.mark.parametrize("oid", blocks("node"))
def test_nodes(oid: str) -> None:
    data = blocks("node")[oid]
    assert object_id(data).hex() == oid
    decode_node(data)


def test_the_described_sets_have_the_roots_shown() -> None:
    found = [*blocks("node")]
    first = Key(next(iter(blocks("key").values())))
    pair = [Key(bytes.fromhex(head).ljust(40, b"\0")) for head in ("8005af34", "8005af35")]
    many = [Key(bytes([0x80, number]) + bytes(38)) for number in range(65)]
    assert [build(keys).root.hex() for keys in ([], [first], pair, many, many[64:])] == found


@pytest.mark.parametrize("data", [data for info, data in BLOCKS if info == "refused object"])
def test_refused_objects(data: bytes) -> None:
    with pytest.raises(EncodingError, match=r"longer than need be|tag"):
        decode_object(data)


@pytest.mark.parametrize("data", [data for info, data in BLOCKS if info == "refused node"])
def test_refused_nodes(data: bytes) -> None:
    with pytest.raises(NodeError, match=r"canonical form|so few keys"):
        decode_node(data)


@pytest.mark.parametrize(
    "sentence",
    [
        f"`type` | text of 1 to {message.TYPE_BYTES_LIMIT} bytes",
        f"byte string of {message.UUID_BYTES} bytes, chosen at random",
        f"integer from -{message.OFFSET_MINUTES_LIMIT} to {message.OFFSET_MINUTES_LIMIT}: minutes",
        f"`author` | text of 1 to {message.AUTHOR_BYTES_LIMIT} bytes",
        f"`body` | text of 0 to {message.BODY_BYTES_LIMIT} bytes",
        f"array of 1 to {message.TAG_LIMIT} texts of 1 to {message.TAG_BYTES_LIMIT} bytes",
        f"map of 1 to {message.META_LIMIT} entries; keys of 1 to {message.META_KEY_BYTES_LIMIT} bytes",
        f"text of 0 to {message.META_TEXT_BYTES_LIMIT} bytes, integers",
        f"A log object is at most {message.OBJECT_BYTES_LIMIT} bytes",
        f"nested at most {encoding.DEPTH_LIMIT} deep",
        f"is {key.KEY_BYTES} bytes: `time`",
        f"A key has {key.KEY_NIBBLES} **nibbles**",
        f"A set of at most {node.LEAF_LIMIT} keys is a leaf",
        f"at most {node.NODE_BYTES_LIMIT} bytes long",
    ],
)
def test_numbers_are_those_of_the_code(sentence: str) -> None:
    assert sentence in " ".join(TEXT.split())

"""The descent: it finds exactly what differs, in a bounded number of rounds, and no lie gets far."""

import random
from collections.abc import Callable, Mapping, Sequence

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.errors import IntegrityError
from msglog.index.change import Index, Path, build, exclude
from msglog.index.node import EMPTY_NODE, EMPTY_ROOT, encode_inner, encode_leaf, shares_prefix
from msglog.index.walk import iterate
from msglog.key import KEY_BYTES, KEY_NIBBLES, Key
from msglog.objectid import ObjectId, object_id
from msglog.wire import descent
from msglog.wire.abbreviated import DescentError, decode_abbreviated
from msglog.wire.descent import FULL_WIDTH, SHORT_WIDTH, Descent, below, coarsen, describe

Answer = Callable[[Path, bytes, int], list[bytes]]


def reader(index: Index) -> Callable[[Sequence[ObjectId]], Mapping[ObjectId, bytes]]:
    nodes = {**index.nodes, EMPTY_ROOT: EMPTY_NODE}
    return lambda ids: {oid: nodes[oid] for oid in ids}


def descend(
    mine: set[Key], theirs: set[Key], width: int = SHORT_WIDTH, answer: Answer | None = None
) -> Descent:
    ours, other = build(sorted(mine)), build(sorted(theirs))
    read = reader(other)
    walk = Descent(reader(ours), ours.root, width)
    while requests := walk.requests():
        walk.receive(
            node
            for path, known in requests
            for node in (
                describe(read, other.root, path, known, width)
                if answer is None
                else answer(path, known, width)
            )
        )
        assert walk.rounds <= KEY_NIBBLES + 1
    return walk


def covered(keys: set[Key], paths: list[Path]) -> set[Key]:
    return {
        key for key in keys if any(shares_prefix(key, prefix, depth) for depth, prefix in paths)
    }


def check(mine: set[Key], theirs: set[Key], width: int = SHORT_WIDTH) -> Descent:
    walk = descend(mine, theirs, width)
    assert covered(mine | theirs, walk.surplus) & mine == mine - theirs
    assert covered(theirs, walk.wants) == theirs - mine
    ours = build(sorted(mine))
    common = exclude(reader(ours), ours.root, walk.surplus)
    assert common.root == build(sorted(mine & theirs)).root
    return walk


def honest(numbers: Sequence[int]) -> set[Key]:
    """Keys a millisecond apart, with digests for ids, as real logs have."""
    return {
        Key(
            (1 << 63 | 1_750_000_000_000_000 + 1000 * number).to_bytes(8, "big")
            + object_id(b"%d" % number)
        )
        for number in numbers
    }


heads = st.sampled_from([b"\x80", b"\x80\x01", b"\x7f" * 7, b"\x80" * 24, b"\x11" * 39])
clustered = st.builds(
    lambda head, tail: Key((head + tail).ljust(KEY_BYTES, b"\0")[:KEY_BYTES]),
    heads,
    st.binary(max_size=3),
)
ground = st.builds(
    lambda tail: Key(b"\x80" * 8 + b"\xaa" * 16 + tail.rjust(16, b"\0")), st.binary(max_size=2)
)
keysets = st.sets(clustered, max_size=150) | st.sets(ground, max_size=150)


@settings(max_examples=150, deadline=None)
@given(keysets, keysets, keysets, st.sampled_from([SHORT_WIDTH, FULL_WIDTH]))
def test_it_finds_exactly_the_difference(
    both: set[Key], mine: set[Key], theirs: set[Key], width: int
) -> None:
    try:
        walk = descend(both | mine, both | theirs, width)
    except DescentError:
        walk = None
    if walk is not None and agrees(both | mine, both | theirs, walk):
        return
    # Ids that share 16 bytes may mislead short digests, which the base then shows; never whole ones.
    assert width == SHORT_WIDTH
    assert len({key[:24] for key in both | mine | theirs}) < len(both | mine | theirs)
    check(both | mine, both | theirs, FULL_WIDTH)


def agrees(mine: set[Key], theirs: set[Key], walk: Descent) -> bool:
    return (
        covered(mine, walk.surplus) == mine - theirs
        and covered(theirs, walk.wants) == theirs - mine
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 60), st.integers(0, 60), st.integers(0, 2**32))
def test_large_honest_logs_take_few_rounds(size: int, lacks: int, has: int, seed: int) -> None:
    numbers = random.Random(seed)
    mine = honest(range(size))
    theirs = (mine - set(numbers.sample(sorted(mine), min(lacks, size)))) | honest(
        [numbers.randrange(10**7) for _ in range(has)]
    )
    assert check(mine, theirs).rounds <= 5
    assert check(mine, theirs, FULL_WIDTH).rounds <= 12


def test_nothing_and_everything() -> None:
    some = honest(range(1000))
    assert check(set(), some).wants == [(0, b"")] or check(set(), some).rounds <= 2
    check(some, set())
    check(some, some)
    check(set(), set())
    check(some, honest(range(2000, 2100)))
    check(honest([1]), honest([2]))
    check(honest(range(64)), honest(range(65)))


def test_a_hundred_thousand_at_one_instant_are_as_good_as_any() -> None:
    numbers = random.Random(5)
    mine = {Key(b"\x80" * 8 + numbers.randbytes(32)) for _ in range(20_000)}
    theirs = set(numbers.sample(sorted(mine), 19_990)) | {Key(b"\x80" * 8 + numbers.randbytes(32))}
    assert check(mine, theirs).rounds <= 4


def test_a_chain_as_deep_as_keys_go_takes_no_more_rounds_than_it_is_deep() -> None:
    """Keys that part one nibble later each time: what somebody who chooses all keys could make."""

    def chain(last: int) -> set[Key]:
        keys = set()
        for depth in range(KEY_NIBBLES - 2):
            for position in range(1, 16):
                digits = "0" * depth + f"{position:x}" + f"{last:x}"
                keys.add(Key(bytes.fromhex(digits.ljust(80, "0"))))
        return keys

    mine, theirs = chain(0), chain(0) | {Key(b"\0" * 39 + b"\x07")}
    walk = check(mine, theirs)
    assert walk.rounds <= KEY_NIBBLES // 2 + 1
    assert check(mine, theirs, FULL_WIDTH).rounds <= KEY_NIBBLES + 1


def test_a_digest_that_begins_with_zeros_is_not_taken_for_one_that_we_have() -> None:
    """Four zero bytes say that the client has no such child; ids can be ground to begin so."""
    rare = ObjectId(bytes(4) + b"\x01" * 28)
    inner = encode_inner(0, b"", [(0, rare, 40), (1, ObjectId(b"\x02" * 32), 40)])
    root = object_id(inner)
    leaf = encode_leaf([Key(bytes([0, number]) + bytes(38)) for number in range(40)])
    nodes = {root: inner, rare: leaf, ObjectId(b"\x02" * 32): leaf}
    for known in (bytes(64), b""):
        (said, *_) = describe(
            lambda ids: {oid: nodes[oid] for oid in ids}, root, (0, b""), known, 16
        )
        assert [child[0] for child in decode_abbreviated(said).children] == [0, 1]


def tampered(change: Callable[[list[object]], object]) -> Answer:
    """Answers of an honest peer whose first inner node was changed."""
    theirs = build(sorted(honest(range(500))))
    read = reader(theirs)

    def answer(path: Path, known: bytes, width: int) -> list[bytes]:
        nodes = list(describe(read, theirs.root, path, known, width))
        if path[0] == 0:
            nodes[0] = cbor2.dumps(change(cbor2.loads(nodes[0])))
        return nodes

    return answer


@pytest.mark.parametrize("width", [SHORT_WIDTH, FULL_WIDTH])
@pytest.mark.parametrize(
    "change",
    [
        lambda node: [2, *node[1:]],
        lambda node: [True, *node[1:]],
        lambda node: [False, *node[1:]],
        lambda node: node[:4],
        lambda node: [*node, 0],
        lambda node: {"type": node[0]},
        lambda node: [node[0], -1, *node[2:]],
        lambda node: [node[0], 80, node[2], *node[3:]],
        lambda node: [node[0], node[1] + 1, *node[2:]],
        lambda node: [node[0], True, *node[2:]],
        lambda node: [*node[:3], 0, []],
        lambda node: [*node[:3], 1 << 16, node[4]],
        lambda node: [*node[:3], 0, node[4]],
        lambda node: [*node[:3], node[3], node[4][::-1]],
        lambda node: [*node[:3], node[3], [*node[4], node[4][-1]]],
        lambda node: [*node[:3], node[3], [[16, *node[4][0][1:]]]],
        lambda node: [*node[:3], node[3], [[node[4][0][0], b"", 1]]],
        lambda node: [*node[:3], node[3], [[node[4][0][0], bytes(33), 1]]],
        lambda node: [*node[:3], node[3], [[*node[4][0][:2], 0]]],
        lambda node: [*node[:3], node[3], [[*node[4][0][:2], True]]],
        lambda node: [*node[:3], node[3], [[*node[4][0][:2], -5]]],
        lambda node: [*node[:3], node[3], [node[4][0][:2]]],
    ],
)
def test_a_node_of_another_form_is_refused(
    change: Callable[[list[object]], object], width: int
) -> None:
    with pytest.raises(DescentError) as caught:
        descend(set(), set(), width, tampered(change))
    assert caught.value.exit_status == 5


def test_a_node_that_leaves_out_what_we_lack_is_refused() -> None:
    mine = {key for key in honest(range(500)) if key < sorted(honest(range(500)))[100]}
    with pytest.raises(DescentError, match="leaves out"):
        descend(mine, set(), SHORT_WIDTH, tampered(lambda node: [*node[:4], []]))


def test_nodes_that_nobody_asked_for_are_refused() -> None:
    mine = honest(range(300))
    elsewhere = build(sorted(honest(range(10**8, 10**8 + 300))))
    far = list(describe(reader(elsewhere), elsewhere.root, (0, b""), b"", 16))

    def twice(path: Path, known: bytes, width: int) -> list[bytes]:
        theirs = build(sorted(honest(range(500))))
        return 2 * list(describe(reader(theirs), theirs.root, path, known, width))

    def other(path: Path, _known: bytes, _width: int) -> list[bytes]:
        return far if path[0] else list(describe(reader(elsewhere), elsewhere.root, path, b"", 16))

    with pytest.raises(DescentError, match="not asked for"):
        descend(mine, set(), SHORT_WIDTH, twice)
    walk = Descent(reader(build(sorted(mine))), build(sorted(mine)).root, 16)
    walk._pending = [((1, b"\x10"), ())]
    walk.requests()
    with pytest.raises(DescentError, match="not asked for"):
        walk.receive(far)
    descend(mine, set(), SHORT_WIDTH, other)  # another index than was announced: a wrong base


def test_a_cycle_ends() -> None:
    """A peer whose every node says that its children differ, for ever: depth ends it."""
    mine = honest(range(200))
    rounds = 0

    def answer(path: Path, _known: bytes, width: int) -> list[bytes]:
        nonlocal rounds
        rounds += 1
        depth, prefix = path
        if depth >= KEY_NIBBLES:
            return []
        children = [[position, b"\xee" * width, 9] for position in range(16)]
        return [cbor2.dumps([1, depth, prefix, 0xFFFF, children])]

    walk = descend(mine, set(), SHORT_WIDTH, answer)
    assert walk.rounds <= KEY_NIBBLES + 1
    assert rounds <= 200 * KEY_NIBBLES


def test_what_a_lying_peer_makes_us_want_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "PATH_LIMIT", 50)
    monkeypatch.setattr(descent, "_WANTS_LIMIT", 200)
    mine = {Key(bytes([first]) + bytes(39)) for first in range(100)}
    most = 0

    def answer(path: Path, _known: bytes, width: int) -> list[bytes]:
        nonlocal most
        depth, prefix = path
        most = max(most, len(walk.wants))
        children = [[position, b"\xee" * width, 9] for position in range(16)]
        return [cbor2.dumps([1, depth, prefix, 0xFFFF, children])] if depth < 80 else []

    ours = build(sorted(mine))
    walk = Descent(reader(ours), ours.root, FULL_WIDTH)
    while requests := walk.requests():
        assert len(requests) <= 50
        walk.receive(node for path, known in requests for node in answer(path, known, 32))
    assert 100 < most <= 200 + 16
    assert covered({Key(bytes(38) + b"\x01\x00")}, walk.wants)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_to_an_answer_is_refused_or_leads_to_a_base_that_the_transfer_refuses(
    data: st.DataObject,
) -> None:
    mine = honest(range(300))
    theirs = honest(range(100, 420))
    other = build(sorted(theirs))
    read = reader(other)

    def answer(path: Path, known: bytes, width: int) -> list[bytes]:
        nodes: list[bytes] = list(describe(read, other.root, path, known, width))
        damaged = data.draw(st.booleans())
        if nodes and damaged:
            at = data.draw(st.integers(0, len(nodes) - 1))
            what = data.draw(st.sampled_from(["flip", "drop", "repeat", "swap"]))
            if what == "flip":
                node = bytearray(nodes[at])
                node[data.draw(st.integers(0, len(node) - 1))] ^= 1 << data.draw(st.integers(0, 7))
                nodes[at] = bytes(node)
            elif what == "drop":
                del nodes[at]
            elif what == "repeat":
                nodes.insert(at, nodes[at])
            else:
                nodes[0], nodes[at] = nodes[at], nodes[0]
        return nodes

    ours = build(sorted(mine))
    try:
        walk = descend(mine, theirs, data.draw(st.sampled_from([16, 32])), answer)
    except IntegrityError:
        return
    common = exclude(reader(ours), ours.root, walk.surplus)
    held = set(iterate(reader(Index(common.root, 0, {**ours.nodes, **common.nodes})), common.root))
    # Whatever was said, what we take for common is ours, and a base is proved by its root.
    assert held <= mine


@given(st.sets(clustered, min_size=1, max_size=80), st.integers(1, 20))
def test_coarse_paths_cover_all_and_are_few_and_apart(keys: set[Key], limit: int) -> None:
    paths = [(KEY_NIBBLES, key) for key in keys]
    coarse = coarsen(paths, limit)
    assert len(coarse) <= limit
    assert covered(keys, coarse) == keys
    assert coarse == sorted(coarse, key=lambda path: path[1])
    for one in coarse:
        assert (
            sum(shares_prefix(one[1], path[1], path[0]) for path in coarse if path[0] <= one[0])
            == 1
        )
    if len(keys) <= limit:
        assert set(coarse) == set(paths)


def test_many_paths_are_made_coarse_in_a_few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = 0
    cover = descent._cover

    def counted(paths: Sequence[Path], longest: int) -> list[Path]:
        nonlocal passes
        passes += 1
        return cover(paths, longest)

    monkeypatch.setattr(descent, "_cover", counted)
    assert 10 < len(coarsen([(KEY_NIBBLES, key) for key in honest(range(3000))], 100)) <= 100
    assert passes <= 9


@given(keysets, st.tuples(st.integers(0, 80), clustered))
def test_below_is_the_part_of_an_index_below_a_path(keys: set[Key], path: tuple[int, Key]) -> None:
    index = build(sorted(keys))
    depth = path[0]
    prefix = bytes.fromhex((path[1].hex()[:depth] + "0")[: depth + (depth & 1)])
    part = below(reader(index), index.root, (depth, prefix))
    found = set(part) if isinstance(part, tuple) else set(iterate(reader(index), part))
    assert found == {key for key in keys if shares_prefix(key, prefix, depth)}

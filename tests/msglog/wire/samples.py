"""Events of every kind, for the tests of the codec and of the state machine."""

from hypothesis import strategies as st

from msglog.key import FIRST_KEY, Key
from msglog.message import Message, object_key
from msglog.objectid import ObjectId
from msglog.refname import is_log_name
from msglog.wire.batch import pack_item
from msglog.wire.events import (
    HAVE_LIMIT,
    SAID,
    Acknowledged,
    Administer,
    AdvertisedRef,
    Base,
    Batch,
    Concluded,
    Done,
    End,
    Event,
    Fetch,
    GetNodes,
    Gone,
    Greeting,
    KeepAlive,
    ListRefs,
    NodeData,
    PeerError,
    Printed,
    Push,
    Refused,
    Transfer,
    Watch,
)

ROOT = ObjectId(bytes(range(32)))
OTHER = ObjectId(bytes(range(32, 64)))
KEY = Key(b"\x80" + bytes(39))


def an_object(number: int, body: str = "hello") -> bytes:
    return Message(
        uuid=number.to_bytes(16, "big"), time=number, offset=0, author="ann", body=body
    ).encode()


def content_of(*objects: bytes) -> bytes:
    return b"".join(
        pack_item(key, data) for key, data in sorted((object_key(x), x) for x in objects)
    )


SAMPLES: list[Event] = [
    Greeting("msglog/1", bytes(16), "ann", "write"),
    Greeting("msglog/1", bytes(16), "ann", "write", 2),
    Greeting("msglog/1", bytes(16), "ann", "write", 2, 30),
    Watch(),
    Watch(("main", "beamline/*", "*")),
    Gone("beamline/one"),
    PeerError("busy", "try again"),
    KeepAlive(),
    End(),
    ListRefs(),
    AdvertisedRef("main", ROOT, 3),
    Fetch("main"),
    Fetch("main", (ROOT, OTHER), KEY),
    Fetch("main", (), KEY, ROOT, ((0, b""), (3, b"\x80\x10"), (80, KEY))),
    Push("lab/x", (ROOT,)),
    Push("main", (), FIRST_KEY, ROOT, ((1, b"\x70"),)),
    Push("main", (), KEY, ROOT, ()),
    Base("main", ROOT),
    Base("main", ROOT, OTHER, 12),
    Base("main", None),
    Base("main", None, OTHER, 0),
    Transfer("main", ROOT, OTHER),
    Transfer("main", ROOT, OTHER, 17, KEY),
    Transfer("main", SAID, OTHER),
    Batch(1, 1, ROOT, content_of(an_object(1))),
    Batch(1, 1, SAID, content_of(an_object(1))),
    Batch(2, 2, ROOT, content_of(an_object(1), an_object(2, "x" * 9000))),
    Refused(KEY, "quota", "too many"),
    Acknowledged(1, ROOT),
    Acknowledged(1, SAID),
    Done("main"),
    Done("main", ROOT, 3),
    GetNodes("main", ROOT, 16, (((0, b""), b""), ((3, b"\x80\x10"), bytes(range(64))))),
    GetNodes("main", ROOT, 32, (((80, KEY), b""),), KEY),
    NodeData(b"\x85\x00"),
    Administer(("user", "add", "ann")),
    Administer(("key", "add", "ann", "-"), ("ssh-ed25519 AAAA= ann@laptop", "")),
    Printed("Added ann (none)"),
    Printed("", noted=True),
    Concluded(0),
    Concluded(2, "there is no user 'ann'."),
]

roots = st.binary(min_size=32, max_size=32).map(ObjectId)
keys = st.binary(min_size=40, max_size=40).map(Key)
logs = st.from_regex(
    r"[a-z0-9][a-z0-9._-]{0,63}(?:/[a-z0-9][a-z0-9._-]{0,63}){0,3}", fullmatch=True
).filter(is_log_name)
numbers = st.integers(0, 10**18 - 1)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128)
codes = st.from_regex(r"[a-z][a-z-]{0,31}", fullmatch=True)
lines = st.text(min_size=1, max_size=120).filter(lambda text: " ".join(text.split()) == text != "")
paths = st.binary(min_size=40, max_size=40).flatmap(
    lambda key: st.integers(0, 80).map(
        lambda depth: (depth, bytes.fromhex((key.hex()[:depth] + "0")[: depth + (depth & 1)]))
    )
)
haves = st.lists(roots, max_size=HAVE_LIMIT).map(tuple)
some_paths = st.lists(paths, min_size=1, max_size=5).map(tuple)
views = st.just(FIRST_KEY) | keys
counts = st.none() | numbers
batches = st.builds(
    lambda number, root, objects: Batch(number, len(objects), root, content_of(*objects)),
    numbers,
    roots,
    st.dictionaries(st.integers(0, 10**6), st.text(max_size=2000), min_size=1, max_size=4).map(
        lambda bodies: [an_object(number, body) for number, body in bodies.items()]
    ),
)
texts = st.lists(st.text(max_size=50), max_size=5).map(tuple)
events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([KeepAlive(), End(), ListRefs()]),
    st.builds(Greeting, words, st.binary(min_size=16, max_size=16), words, words, counts, counts),
    st.builds(PeerError, codes, lines),
    st.builds(AdvertisedRef, logs, roots, numbers),
    st.builds(Fetch, logs, haves, views),
    st.builds(Fetch, logs, st.just(()), views, roots, some_paths),
    st.builds(Push, logs, haves, views),
    st.builds(Push, logs, st.just(()), views, roots, st.just(()) | some_paths),
    st.builds(Base, logs, st.none() | roots, st.none() | roots, counts),
    st.builds(Transfer, logs, roots, roots, counts, views),
    batches,
    st.builds(Refused, keys, codes, lines),
    st.builds(Acknowledged, numbers, roots),
    st.builds(Done, logs, st.none() | roots, counts),
    st.builds(
        GetNodes,
        logs,
        roots,
        st.sampled_from([16, 32]),
        st.lists(
            st.tuples(paths, st.just(b"") | st.binary(min_size=64, max_size=64)),
            min_size=1,
            max_size=5,
        ).map(tuple),
        views,
    ),
    st.builds(NodeData, st.binary(max_size=300)),
    st.builds(Administer, texts.filter(bool), texts),
    st.builds(Printed, st.text(max_size=200), noted=st.booleans()),
    st.builds(Watch, st.lists(logs | logs.map("{}*".format), max_size=4).map(tuple)),
    st.builds(Gone, logs),
    st.builds(Concluded, st.integers(0, 999), st.just("") | lines.filter("-".__ne__)),
)

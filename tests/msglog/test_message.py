"""Messages and foreign objects: limits at their edges, and what is carried rather than refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.dataclass import replace
from msglog.encoding import EncodingError
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, make_key
from msglog.message import (
    AUTHOR_BYTES_LIMIT,
    BODY_BYTES_LIMIT,
    META_KEY_BYTES_LIMIT,
    META_LIMIT,
    META_TEXT_BYTES_LIMIT,
    OBJECT_BYTES_LIMIT,
    OFFSET_MINUTES_LIMIT,
    TAG_BYTES_LIMIT,
    TAG_LIMIT,
    TYPE_BYTES_LIMIT,
    Foreign,
    Message,
    MessageError,
    decode_object,
    object_key,
)
from msglog.objectid import ObjectId, object_id

PLAIN = Message(uuid=bytes(16), time=0, offset=0, author="ann", body="hello")
FIELDS: dict[str, Any] = {
    "type": "message",
    "uuid": bytes(16),
    "time": 0,
    "offset": 0,
    "author": "ann",
    "body": "hello",
}

INT64 = st.integers(TIME_MINIMUM, TIME_MAXIMUM)
text = st.text(max_size=30)
meta_values = st.one_of(
    text, INT64, st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)
messages = st.builds(
    Message,
    uuid=st.binary(min_size=16, max_size=16),
    time=INT64,
    offset=st.integers(-OFFSET_MINUTES_LIMIT, OFFSET_MINUTES_LIMIT),
    author=st.text(min_size=1, max_size=40),
    body=text,
    tags=st.sets(st.text(min_size=1, max_size=10), max_size=5).map(
        lambda tags: tuple(sorted(tags))
    ),
    meta=st.dictionaries(st.text(min_size=1, max_size=10), meta_values, max_size=4),
    reply_to=st.none() | st.binary(min_size=32, max_size=32).map(ObjectId),
    extra=st.dictionaries(
        st.sampled_from(["sig", "attach", "later"]), text | st.lists(INT64), max_size=2
    ),
)


def pack(**changes: Any) -> bytes:
    """The plain message with some fields changed, or left out where the value is None."""
    fields = {**FIELDS, **changes}
    return cbor2.dumps({k: v for k, v in fields.items() if v is not None}, canonical=True)


@given(messages)
def test_every_message_comes_back_and_has_one_form(message: Message) -> None:
    data = message.encode()
    again = decode_object(data)
    assert again == message
    assert isinstance(again, Message)
    assert again.encode() == data
    assert object_key(data) == make_key(message.time, object_id(data))


@given(messages, st.data())
def test_a_changed_byte_is_refused_or_another_object(message: Message, draw: st.DataObject) -> None:
    data = bytearray(message.encode())
    position = draw.draw(st.integers(0, len(data) - 1))
    data[position] ^= draw.draw(st.integers(1, 255))
    try:
        changed = decode_object(bytes(data))
    except EncodingError as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right
        return
    if isinstance(changed, Message):
        assert changed.encode() == bytes(data)
    assert object_id(bytes(data)) != object_id(message.encode())


def test_messages_are_made_and_kept_without_a_cbor_library(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from msglog.message import Message
from msglog.key import make_key
from msglog.objectid import object_id
from msglog.repository import Repository
repository = Repository.create(Path({str(tmp_path)!r}), identity=bytes(16), time=0)
for number in range(100):
    data = Message(bytes(16), number, 0, "ann", "x", ("a",), {{"b": 1.5}}).encode()
    repository.add("main", {{make_key(number, object_id(data)): data}}, time=0)
print("cbor2" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ran.stdout == b"False\n"


def test_a_number_that_is_too_large_is_called_that() -> None:
    with pytest.raises(MessageError, match="meta is outside int64"):
        replace(PLAIN, meta={"a": 1 << 63}).encode()


def test_empty_optional_fields_are_left_out() -> None:
    assert set(cbor2.loads(PLAIN.encode())) == set(FIELDS)
    assert PLAIN.encode() == pack()


@pytest.mark.parametrize("time", [TIME_MINIMUM, -1, 0, 253_402_300_799_999_999, TIME_MAXIMUM])
@pytest.mark.parametrize("offset", [-840, 0, 840])
def test_times_and_offsets_at_their_edges(time: int, offset: int) -> None:
    message = replace(PLAIN, time=time, offset=offset)
    assert decode_object(message.encode()) == message


@pytest.mark.parametrize(
    "change",
    [
        {"time": TIME_MAXIMUM + 1},
        {"time": TIME_MINIMUM - 1},
        {"time": True},
        {"time": 0.0},
        {"offset": 841},
        {"offset": -841},
        {"offset": False},
        {"uuid": bytes(15)},
        {"uuid": bytes(17)},
        {"author": ""},
        {"author": "a" * (AUTHOR_BYTES_LIMIT + 1)},
        {"author": "\u00e9" * (AUTHOR_BYTES_LIMIT // 2 + 1)},
        {"author": "\ud800"},
        {"body": "\udcff"},
        {"body": b"bytes"},
        {"body": "a" * (BODY_BYTES_LIMIT + 1)},
        {"tags": ("b", "a")},
        {"tags": ("a", "a")},
        {"tags": ("",)},
        {"tags": ("a" * (TAG_BYTES_LIMIT + 1),)},
        {"tags": tuple(f"{index:03}" for index in range(TAG_LIMIT + 1))},
        {"tags": (1,)},
        {"meta": {"": 1}},
        {"meta": {"a" * (META_KEY_BYTES_LIMIT + 1): 1}},
        {"meta": {"a": "b" * (META_TEXT_BYTES_LIMIT + 1)}},
        {"meta": {str(index): 1 for index in range(META_LIMIT + 1)}},
        {"meta": {"a": 1 << 63}},
        {"meta": {"a": float("nan")}},
        {"meta": {"a": float("inf")}},
        {"meta": {"a": None}},
        {"meta": {"a": [1]}},
        {"meta": {"a": b"b"}},
        {"meta": {"a": "\ud800"}},
        {"reply_to": bytes(31)},
        {"reply_to": bytes(33)},
        {"extra": {"later": None}},
        {"extra": {"later": [[[[0]]]]}},
        {"extra": {"body": "another"}},
        {"extra": {"tags": ["a"]}},
        {"extra": {"blob": b"x" * OBJECT_BYTES_LIMIT}},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_a_message_that_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(EncodingError) as caught:
        replace(PLAIN, **change).encode()
    assert caught.value.exit_status == 5
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "change",
    [
        {"author": "a" * AUTHOR_BYTES_LIMIT},
        {"author": "\u00e9" * (AUTHOR_BYTES_LIMIT // 2)},
        {"body": ""},
        {"body": "e\u0301 \0 \x1b[31m \u202e [red]"},
        {"tags": ("a" * TAG_BYTES_LIMIT,)},
        {"tags": tuple(f"{index:03}" for index in range(TAG_LIMIT))},
        {"meta": {"a" * META_KEY_BYTES_LIMIT: "b" * META_TEXT_BYTES_LIMIT}},
        {"meta": {str(index): index for index in range(META_LIMIT)}},
        {"meta": {"a": "", "b": -0.5, "c": True, "d": TIME_MINIMUM}},
        {"extra": {"sig": b"signature", "attach": [{"oid": bytes(32), "size": 1}]}},
        {"extra": {"must": []}},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_a_message_exactly_at_a_limit(change: dict[str, Any]) -> None:
    message = replace(PLAIN, **change)
    assert decode_object(message.encode()) == message


def test_the_largest_body_and_the_largest_object() -> None:
    largest = replace(PLAIN, body="a" * BODY_BYTES_LIMIT)
    assert decode_object(largest.encode()) == largest
    room = OBJECT_BYTES_LIMIT - len(largest.encode()) - len(b"\x65extra\x5a\0\0\0\0")
    full = replace(largest, extra={"extra": b"x" * room})
    assert len(full.encode()) == OBJECT_BYTES_LIMIT
    assert decode_object(full.encode()) == full
    over = cbor2.dumps({**FIELDS, "body": largest.body, "extra": b"x" * (room + 1)}, canonical=True)
    with pytest.raises(MessageError, match="over"):
        decode_object(over)
    with pytest.raises(MessageError, match="over"):
        replace(largest, extra={"extra": b"x" * (room + 1)}).encode()


REFUSED: dict[str, bytes] = {
    "an array": cbor2.dumps([0, 0, b"", b""]),
    "a number": b"\0",
    "a text": b"\x61a",
    "an empty map": b"\xa0",
    **{f"no {name}": pack(**{name: None}) for name in FIELDS},
    "type bytes": pack(type=b"message"),
    "type empty": pack(type=""),
    "type long": pack(type="t" * (TYPE_BYTES_LIMIT + 1)),
    "uuid text": pack(uuid="0" * 16),
    "uuid short": pack(uuid=bytes(15)),
    "time float": pack(time=0.5),
    "time whole float": pack(time=1.0),
    "time bool": pack(time=True),
    "time text": pack(time="0"),
    "offset float": pack(offset=0.5),
    "offset bool": pack(offset=True),
    "offset far": pack(offset=841),
    "author empty": pack(author=""),
    "author bytes": pack(author=b"ann"),
    "author long": pack(author="a" * 257),
    "body bytes": pack(body=b"hello"),
    "body list": pack(body=["hello"]),
    "tags empty": pack(tags=[]),
    "tags text": pack(tags="a"),
    "tags unsorted": pack(tags=["b", "a"]),
    "tags twice": pack(tags=["a", "a"]),
    "tags number": pack(tags=[1]),
    "tags empty text": pack(tags=[""]),
    "tags too many": pack(tags=[f"{index:03}" for index in range(65)]),
    "meta empty": pack(meta={}),
    "meta list": pack(meta=[]),
    "meta nested": pack(meta={"a": {}}),
    "meta bytes": pack(meta={"a": b""}),
    "meta empty key": pack(meta={"": 0}),
    "meta too many": pack(meta={str(index): 0 for index in range(65)}),
    "reply_to text": pack(reply_to="0" * 64),
    "reply_to short": pack(reply_to=bytes(31)),
    "must text": pack(must="seal"),
    "must numbers": pack(must=[1]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_log_may_hold(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_object(REFUSED[name])
    assert str(caught.value).isprintable()
    with pytest.raises(MessageError):
        object_key(REFUSED[name])


def test_the_longest_tag_is_measured_in_bytes() -> None:
    with pytest.raises(MessageError):
        decode_object(pack(tags=["\u00e9" * 65]))
    assert isinstance(decode_object(pack(tags=["\u00e9" * 64])), Message)


FOREIGN: dict[str, bytes] = {
    "another type": cbor2.dumps(
        {"type": "redaction", "uuid": bytes(16), "time": 5, "of": bytes(32)}, canonical=True
    ),
    "nothing but the envelope": cbor2.dumps(
        {"type": "x", "uuid": bytes(16), "time": 5}, canonical=True
    ),
    "the longest type": pack(type="t" * TYPE_BYTES_LIMIT),
    "an unknown need": pack(must=["seal"]),
    "an unknown need and a body of another kind": pack(must=["seal"], body=b"\0\1", offset=None),
    "a type with fields of ours that mean something else": pack(type="y", tags=7, must=7, meta=[]),
    "a message of a later version": pack(type="message2", body={"a": {"b": [0]}}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_understood_is_carried(name: str) -> None:
    found = decode_object(FOREIGN[name])
    assert isinstance(found, Foreign)
    assert found.uuid == bytes(16)
    assert found.needs
    assert object_key(FOREIGN[name]) == make_key(found.time, object_id(FOREIGN[name]))
    assert cbor2.dumps(dict(found.fields), canonical=True) == FOREIGN[name]


def test_a_foreign_object_says_what_it_needs() -> None:
    seal = decode_object(FOREIGN["an unknown need"])
    assert isinstance(seal, Foreign)
    assert seal.needs == "'seal'"
    redaction = decode_object(FOREIGN["another type"])
    assert isinstance(redaction, Foreign)
    assert (redaction.type, redaction.needs) == ("redaction", "objects of type 'redaction'")


def test_unknown_fields_of_a_message_survive() -> None:
    data = pack(sig=b"s", attach=[{"oid": bytes(32), "size": 3, "name": "a", "type": "b"}])
    message = decode_object(data)
    assert isinstance(message, Message)
    assert message.encode() == data


def test_equal_bodies_at_one_instant_stay_two_messages() -> None:
    other = replace(PLAIN, uuid=bytes(15) + b"\1")
    assert object_id(PLAIN.encode()) != object_id(other.encode())


def test_text_is_kept_without_normalisation() -> None:
    composed, decomposed = replace(PLAIN, body="\u00e9"), replace(PLAIN, body="e\u0301")
    assert object_id(composed.encode()) != object_id(decomposed.encode())
    assert decode_object(decomposed.encode()) == decomposed

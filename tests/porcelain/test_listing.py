"""Messages that are shown straight from their bytes look as they do when they are decoded."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.dataclass import replace
from msglog.encoding import encode
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, Key, key_object_id, make_key
from msglog.message import Message, decode_object
from msglog.message_json import message_fields, to_json
from msglog.message_scan import SMALLEST_TIME
from msglog.objectid import ObjectId, object_id
from plumbing.context import Context
from porcelain.console import StyledPrinter
from porcelain.listing import format_text, full_text, line_text
from porcelain.message_json import json_text
from porcelain.printing import PlainPrinter, Printer
from porcelain.rendering import Format, full, line

EVERYTHING = "%h|%H|%an|%ad|%aI|%at|%s|%B|%n|%%|%(tags)|%(uuid)|%(reply_to)|%(meta:k)|%x41"
FOREIGN = encode({"type": "vote\x1b", "uuid": bytes(16), "time": 5, "choice": "yes"})

# Line ends, what acts on a terminal, and letters of several lengths in UTF-8 come often.
texts = (
    st.text(st.sampled_from('ab \n\t\r\x1b\x7f\x9b"\\üß“\u202e日\u3164🙂\U000e0041')) | st.text()
)
names = texts.filter(lambda text: 0 < len(text.encode()) <= 128)
messages = st.builds(
    Message,
    uuid=st.binary(min_size=16, max_size=16),
    time=st.integers(SMALLEST_TIME, TIME_MAXIMUM) | st.integers(TIME_MINIMUM, TIME_MAXIMUM),
    offset=st.integers(-840, 840),
    author=names,
    body=texts | st.text("ab ü", min_size=110, max_size=130),
    tags=st.sets(names, max_size=3).map(lambda tags: tuple(sorted(tags))),
    meta=st.just({}) | st.dictionaries(st.just("k") | names, texts | st.integers(0, 9), max_size=2),
    reply_to=st.none() | st.binary(min_size=32, max_size=32).map(ObjectId),
)


def printers() -> list[Printer]:
    context = Context(str(Path("/")), str(Path("/")), BytesIO(), BytesIO(), BytesIO())
    return [PlainPrinter(context), StyledPrinter(context)]


def looks_the_same(key: Key, data: bytes) -> None:
    decoded = decode_object(data)
    for printer in printers():
        assert full_text(printer)(key, data) == printer.text(*full(key, decoded))
        assert line_text(printer, 9)(key, data) == printer.text(*line(key, decoded, 9))
    form = Format(EVERYTHING)
    assert format_text(form, 9)(key, data) == f"{form.apply(key, decoded, 9)}\n"
    assert json_text(key, data) == to_json(message_fields(key_object_id(key), decoded))


@given(messages)
def test_every_message_looks_as_it_does_decoded(message: Message) -> None:
    data = message.encode()
    looks_the_same(make_key(message.time, object_id(data)), data)


@pytest.mark.parametrize(
    "data",
    [
        FOREIGN,
        Message(bytes(16), 5, 0, "ann", "early").encode(),
        replace(Message(bytes(16), SMALLEST_TIME, 0, "ann", "later"), extra={"sig": "x"}).encode(),
    ],
)
def test_what_is_not_ordinary_looks_as_it_does_decoded(data: bytes) -> None:
    looks_the_same(make_key(decode_object(data).time, object_id(data)), data)

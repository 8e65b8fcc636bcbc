import json

from hypothesis import given
from hypothesis import strategies as st

from msglog.key import TIME_MAXIMUM, TIME_MINIMUM
from msglog.message import Message
from msglog.objectid import ObjectId, object_id
from porcelain.message_json import FIELDS, message_fields, parse_message, to_json

TEXT = st.text(min_size=1, max_size=20)
VALUES = (
    TEXT
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    return Message(
        uuid=draw(st.binary(min_size=16, max_size=16)),
        time=draw(st.integers(TIME_MINIMUM, TIME_MAXIMUM)),
        offset=draw(st.integers(-14 * 60, 14 * 60)),
        author=draw(TEXT),
        body=draw(st.text()),
        tags=tuple(sorted(draw(st.sets(TEXT)))),
        meta=draw(st.dictionaries(TEXT, VALUES)),
        reply_to=draw(st.none() | st.binary(min_size=32, max_size=32).map(ObjectId)),
    )


@given(messages())
def test_every_message_comes_back_from_its_line_with_its_id(message: Message) -> None:
    data = message.encode()
    line = to_json(message_fields(object_id(data), message))
    assert tuple(json.loads(line)) == FIELDS
    assert len(line.splitlines()) == 1
    parsed = parse_message(line, author="", uuid=b"", now=0, local_offset=lambda _: 0)
    assert parsed.encode() == data

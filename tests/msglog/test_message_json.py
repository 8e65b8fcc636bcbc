"""Messages as JSON: exact for programs, harmless on a terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.key import TIME_MAXIMUM, TIME_MINIMUM
from msglog.message import Foreign, Message
from msglog.message_json import message_fields, rfc3339, to_json
from msglog.objectid import ObjectId

OID = ObjectId(bytes(range(32)))


@pytest.mark.parametrize(
    ("moment", "offset", "text"),
    [
        (0, 0, "1970-01-01T00:00:00.000000+00:00"),
        (-1, 0, "1969-12-31T23:59:59.999999+00:00"),
        (1, 840, "1970-01-01T14:00:00.000001+14:00"),
        (0, -840, "1969-12-31T10:00:00.000000-14:00"),
        (0, -90, "1969-12-31T22:30:00.000000-01:30"),
        (253_402_300_799_999_999, 0, "9999-12-31T23:59:59.999999+00:00"),
        (253_402_300_800_000_000, 0, "+010000-01-01T00:00:00.000000+00:00"),
        (TIME_MAXIMUM, 0, "+294247-01-10T04:00:54.775807+00:00"),
        (TIME_MINIMUM, 0, "-290308-12-21T19:59:05.224192+00:00"),
        (-62_167_219_200_000_000, 0, "0000-01-01T00:00:00.000000+00:00"),
        (-62_167_219_200_000_001, 0, "-000001-12-31T23:59:59.999999+00:00"),
    ],
)
def test_times_over_the_whole_range(moment: int, offset: int, text: str) -> None:
    assert rfc3339(moment, offset) == text


def test_the_fields_and_their_order() -> None:
    message = Message(
        uuid=bytes(16),
        time=0,
        offset=60,
        author="ann",
        body="hello",
        tags=("a", "b"),
        meta={"k": 1.0, "t": True},
        reply_to=OID,
    )
    assert to_json(message_fields(OID, message)) == (
        f'{{"id": "{OID.hex()}", "uuid": "{"0" * 32}", "time": "1970-01-01T01:00:00.000000+01:00",'
        ' "author": "ann", "body": "hello", "tags": ["a", "b"], "meta": {"k": 1.0, "t": true},'
        f' "reply_to": "{OID.hex()}"}}\n'
    )


def test_a_foreign_object_tells_what_can_be_told() -> None:
    fields = message_fields(OID, Foreign("seal", bytes(16), 0, "objects of type 'seal'", {}))
    assert (fields["type"], fields["needs"]) == ("seal", "objects of type 'seal'")
    assert "body" not in fields


@given(st.text())
def test_any_text_comes_back_from_one_printable_line(text: str) -> None:
    line = to_json({"body": text})
    assert line.endswith("}\n")
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"body": text}
    assert not set(line[:-1]) & set("\x1b\x9b\x07\r\n\x7f\u202e\u2066\u200b\ufeff\U000e0041")


def test_ordinary_text_is_not_escaped() -> None:
    assert to_json({"body": "naïve 漢字 🙂"}) == '{"body": "naïve 漢字 🙂"}\n'

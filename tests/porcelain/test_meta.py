import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porcelain.meta import MetaError, parse_meta, parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-5", -5), ("0", 0), ("007", "007"), ("1.5", 1.5), ("1e3", 1000.0),
        ("true", True), ("false", False), ("True", "True"), ("", ""), ("a b", "a b"),
        ('"5"', "5"), ('"a\\nb"', "a\nb"), ('"', '"'), ('"a', '"a'), ('"a" b"', '"a" b"'),
        ("٣", "٣"), ("nan", "nan"), ("inf", "inf"), ("1_0", "1_0"), ("5\n", "5\n"),
        (str(2**63), str(2**63)), (str(-(2**63)), -(2**63)), ("1e999", "1e999"), ("null", "null"),
    ],
)  # fmt: skip
def test_values(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_what_is_no_entry() -> None:
    assert parse_meta(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for arguments in (["a"], ["=a"], [""], ["a=1", "a=1"]):
        with pytest.raises(MetaError):
            parse_meta(arguments)


@given(st.text())
def test_any_text_is_a_value_that_a_message_can_have(text: str) -> None:
    value = parse_value(text)
    assert not isinstance(value, float) or math.isfinite(value)
    assert isinstance(value, bool | str | float) or -(2**63) <= value < 2**63

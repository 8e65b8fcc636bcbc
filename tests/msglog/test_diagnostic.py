"""Diagnostic notation: readable, unambiguous, harmless on a terminal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.diagnostic import diagnose


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "-1"),
        (True, "true"),
        (False, "false"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (b"", "h''"),
        (b"\x00\xff", "h'00ff'"),
        ("", '""'),
        (
            'a"\\\n\x1b\x7f\x9b\u202e\u00e9\U0001f642',
            '"a\\"\\\\\\n\\u001b\\u007f\\u009b\\u202e\\u00e9\\ud83d\\ude42"',
        ),
        ([], "[]"),
        ({}, "{}"),
        ([1, "a", b"a"], "[1, \"a\", h'61']"),
        ({"a": 1}, '{"a": 1}'),
        ([[1], []], "[\n  [1],\n  []\n]"),
        ({"a": {"b": [1]}}, '{\n  "a": {\n    "b": [1]\n  }\n}'),
    ],
)
def test_each_kind_of_value(value: Any, text: str) -> None:
    assert diagnose(value) == text


@given(
    st.recursive(
        st.text() | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_it_is_printable_ascii(value: Any) -> None:
    shown = diagnose(value).replace("\n", "")
    assert shown.isascii()
    assert shown == "" or shown.isprintable()

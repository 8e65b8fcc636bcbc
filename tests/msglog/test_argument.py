"""Arguments of programs: what is taken as it is, and how the rest is refused."""

import sys
from pathlib import Path

import pytest

from msglog import argument
from msglog.argument import ArgumentError, ArgumentTypeError


def test_what_is_right_is_returned() -> None:
    assert argument.text("x", "a log") == "x"
    assert argument.texts({"x": 1}, "the tags") == ("x",)
    assert argument.texts((one for one in "xy"), "the tags") == ("x", "y")
    assert argument.whole_number(0, "a limit") == 0
    assert argument.number(0.5, "a timeout") == 0.5
    assert argument.folder(Path("notes")) == argument.folder("notes") == "notes"


def test_one_text_is_not_several() -> None:
    with pytest.raises(ArgumentTypeError) as raised:
        argument.texts("daq", "the tags")
    assert str(raised.value) == (
        "the tags cannot be 'daq' (a list of texts is wanted). Write ['daq'] if it is one of them."
    )


def test_bytes_are_not_several_texts() -> None:
    with pytest.raises(ArgumentTypeError, match="b'daq'"):
        argument.texts(b"daq", "the tags")


def test_numbers_that_are_none() -> None:
    for wrong in (True, "1", None):
        with pytest.raises(ArgumentTypeError):
            argument.whole_number(wrong, "a limit")
        with pytest.raises(ArgumentTypeError):
            argument.number(wrong, "a timeout")
    with pytest.raises(ArgumentError, match="less than 0"):
        argument.whole_number(-1, "a limit")


def test_an_error_stays_short() -> None:
    with pytest.raises(ArgumentTypeError) as raised:
        argument.text(["x"] * 1000, "a log")
    assert len(str(raised.value)) < 200


def test_a_number_that_nothing_reaches_is_none_that_python_cannot_count_to() -> None:
    assert argument.whole_number(10**30, "a limit") == sys.maxsize

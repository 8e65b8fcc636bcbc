"""A fault does what it says to a stream, however the stream is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cuts.fault import CUTS, HARMLESS, KINDS, UP, Fault, Stream

DATA = bytes(range(200))


def passed(fault: Fault, cuts: list[int]) -> tuple[bytes, Stream]:
    stream = Stream(fault)
    edges = [0, *sorted(cuts), len(DATA)]
    pieces = [DATA[start:end] for start, end in pairwise(edges)]
    out = b"".join(b"".join(stream.pass_on(piece)) for piece in pieces if piece)
    return out, stream


@given(
    st.sampled_from(KINDS),
    st.integers(0, 250),
    st.integers(1, 20),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_what_comes_out(kind: str, position: int, size: int, cuts: list[int]) -> None:
    out, stream = passed(Fault(kind, UP, position, 3, size), cuts)
    assert stream.cut or stream.passed == len(DATA)
    assert stream.reached == (position < len(DATA))
    assert out[:position] == DATA[:position]
    rest, after = out[position:], DATA[position:]
    if kind in HARMLESS or not stream.reached:
        assert rest == after
    elif kind in CUTS:
        assert rest == b""
        assert stream.cut
    elif kind == "flip":
        assert rest == bytes([after[0] ^ 8]) + after[1:]
    elif kind == "drop":
        assert after.endswith(rest)
        assert 1 <= len(after) - len(rest) <= size
    elif kind == "duplicate":
        double = len(rest) - len(after)
        assert 1 <= double <= size
        assert rest == after[:double] + after
    elif len(after) > 1:
        assert rest != after
        assert sorted(rest) == sorted(after)


def test_throttling_sends_single_bytes() -> None:
    assert Stream(Fault("throttle", UP, 2, 0, 3)).pass_on(b"abcdefg") == [
        b"ab",
        b"c",
        b"d",
        b"e",
        b"fg",
    ]


@given(st.builds(Fault, st.sampled_from(KINDS), st.just(UP), st.integers(0, 99)))
def test_a_fault_and_its_text(fault: Fault) -> None:
    assert Fault.parse(str(fault)) == fault


def test_a_text_that_is_no_fault() -> None:
    with pytest.raises(ValueError, match="sneeze"):
        Fault.parse("sneeze:up:1:0:1")

"""Two processes give what one gives, and whatever becomes of the second, nothing is left of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porcelain.second_process import rendered_by_two
from tests.porcelain.children import forked

FIRST = os.getpid()


class Letters:
    """Pieces of texts, one part for each.

    second_ends: the piece at which the second process is killed; second_fails: raises an error.
    all_fail: the piece at which either process does.
    """

    def __init__(self, pieces: list[list[bytes]]) -> None:
        self._pieces = pieces
        self.second_ends = self.second_fails = self.all_fail = -1
        self.begun = False

    def begin(self) -> None:
        self.begun = True

    def pieces(self) -> Iterator[int]:
        return iter(range(len(self._pieces)))

    def render(self, piece: int, done: int) -> Iterator[tuple[int, bytes]]:
        assert self.begun
        for number, text in enumerate(self._pieces[piece][done:], done):
            if number > 0 or len(self._pieces[piece]) == 1:
                if piece == self.all_fail:
                    raise ValueError(piece)
                if os.getpid() != FIRST and piece == self.second_fails:
                    raise ValueError(piece)
                if os.getpid() != FIRST and piece == self.second_ends:
                    os.kill(os.getpid(), signal.SIGKILL)
            yield 1, text


class Numbers(Letters):
    """Two pieces whose text is the number of the process that renders it, again and again."""

    def __init__(self, times: int) -> None:
        super().__init__([[b""] * times] * 2)

    def render(self, piece: int, done: int) -> Iterator[tuple[int, bytes]]:
        for taken, _ in super().render(piece, done):
            yield taken, str(os.getpid()).encode()


letters = st.lists(st.lists(st.binary(max_size=9), max_size=4), max_size=7)


def nothing_is_left() -> None:
    assert forked() == set()


@given(letters)
@settings(max_examples=20)
def test_all_comes_in_order(pieces: list[list[bytes]]) -> None:
    assert list(rendered_by_two(Letters(pieces))) == list(chain.from_iterable(pieces))
    nothing_is_left()


def test_every_other_piece_is_made_by_the_second() -> None:
    first, second = rendered_by_two(Numbers(1))
    assert int(first) == FIRST != int(second)


@given(letters, st.integers(0, 6), st.sampled_from(["second_ends", "second_fails"]))
@settings(max_examples=20)
def test_the_first_goes_on_where_the_second_fails(
    pieces: list[list[bytes]], where: int, how: str
) -> None:
    work = Letters(pieces)
    setattr(work, how, where)
    assert list(rendered_by_two(work)) == list(chain.from_iterable(pieces))
    nothing_is_left()


@pytest.mark.parametrize("where", [0, 1, 2, 3])
def test_what_fails_in_either_is_raised_once_after_what_came_before(where: int) -> None:
    work = Letters([[b"a", b"b"], [b"c", b"d"], [b"e", b"f"], [b"g", b"h"]])
    work.all_fail = where
    found: list[bytes] = []
    with pytest.raises(ValueError, match=str(where)):
        found.extend(rendered_by_two(work))
    assert b"".join(found) == b"abcdefgh"[: 2 * where + 1]
    nothing_is_left()


def test_nothing_is_left_when_the_reader_goes_early() -> None:
    # The second is ahead by more than a pipe holds, and so waits for a reader for ever.
    with closing(rendered_by_two(Letters([[b"a"], [b"x" * 1000] * 5000, [b"c"]]))) as texts:
        assert next(texts) == b"a"
    nothing_is_left()


def test_one_does_all_where_there_can_be_no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert {int(text) for text in rendered_by_two(Numbers(2))} == {FIRST}


def test_the_second_goes_when_the_first_is_killed() -> None:
    code = (
        f"import signal; from {__name__} import Letters, rendered_by_two\n"
        "texts = rendered_by_two(Letters([[b'a'], [b'x' * 1000] * 5000]))\n"
        "print(next(texts), flush=True); signal.pause()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"b'a'\n"
    process.kill()
    out, _ = process.communicate(timeout=60)  # until neither could write any more
    assert out == b""

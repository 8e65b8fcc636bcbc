from io import BytesIO

import pytest

from plumbing.context import Context
from porcelain.question import ask


class Interrupted(BytesIO):
    """A terminal at which somebody presses Ctrl-C."""

    def readline(self, _size: int | None = -1, /) -> bytes:
        raise KeyboardInterrupt


def context(stdin: BytesIO, *, terminal: bool) -> Context:
    return Context(
        directory="/",
        home="/",
        stdin=stdin,
        stdout=BytesIO(),
        stderr=BytesIO(),
        stdin_terminal=terminal,
    )


def shown(asked: Context) -> str:
    assert isinstance(asked.stderr, BytesIO)
    return asked.stderr.getvalue().decode()


@pytest.mark.parametrize(
    ("typed", "where", "answer", "end"),
    [
        (b"yes\n", "terminal", "yes", ""),  # which has shown the end of the line
        (b"yes", "terminal", "yes", "\n"),
        (b"", "terminal", "", "\n"),
        (b"yes\r\n", "pipe", "yes", "\n"),
        (b"\xff\n", "pipe", "\udcff", "\n"),
    ],
)
def test_what_follows_begins_a_line(typed: bytes, where: str, answer: str, end: str) -> None:
    asked = context(BytesIO(typed), terminal=where == "terminal")
    assert ask(asked, "Sure? ") == answer
    assert shown(asked) == f"Sure? {end}"


def test_so_it_does_after_an_interrupt() -> None:
    asked = context(Interrupted(), terminal=True)
    with pytest.raises(KeyboardInterrupt):
        ask(asked, "Sure? ")
    assert shown(asked) == "Sure? \n"

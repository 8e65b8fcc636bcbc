"""Output that nobody takes, when all is to end."""

import contextlib
import os
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import pytest

from porcelain.stalled_output import let_go


@pytest.fixture
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        yield reading, stream
    os.close(reading)


def test_what_cannot_be_written_goes_nowhere(pipe: tuple[int, BinaryIO]) -> None:
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(stream.fileno(), bytes(1 << 16))
    stream.write(b"more")
    let_go(stream)
    stream.flush()
    stream.close()
    whole = b""
    while part := os.read(reading, 1 << 16):
        whole += part
    assert whole.count(b"more") == 0


def test_what_can_be_written_is(pipe: tuple[int, BinaryIO]) -> None:
    reading, stream = pipe
    stream.write(b"more")
    let_go(stream)
    stream.flush()
    assert os.read(reading, 10) == b"more"


def test_what_has_no_descriptor_waits_for_nobody() -> None:
    stream = BytesIO()
    stream.write(b"more")
    let_go(stream)
    assert stream.getvalue() == b"more"

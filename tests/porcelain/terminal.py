"""A terminal for tests: a pseudo-terminal, and a command line whose streams may be it."""

import os
import pty
import threading
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO

from porcelain.cli import main
from tests.porcelain.conftest import CommandLine, Result


@contextmanager
def terminal() -> Iterator[tuple[BinaryIO, list[bytes]]]:
    """Give a terminal to write to, and what it has shown once it is closed."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # no writer is left
                return
            if not data:
                return
            shown.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    stream = os.fdopen(slave, "wb")
    try:
        yield stream, shown
    finally:
        stream.close()
        reader.join()
        os.close(master)


def on_terminal(
    cli: CommandLine,
    *arguments: str,
    stdin: BinaryIO | None = None,
    error: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Run a command line with a terminal as its standard output, or as its standard error."""
    other = BytesIO()
    with terminal() as (stream, shown):
        streams = (other, stream) if error else (stream, other)
        status = main(
            list(arguments),
            {**cli.environment, **(environment or {})},
            stdin or BytesIO(),
            *streams,
        )
    texts = (other.getvalue().decode(), b"".join(shown).decode())
    return Result(status, *(texts if error else reversed(texts)))

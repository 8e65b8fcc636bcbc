"""What a real `receive-pack` needs of memory when a client sends it bombs."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from msglog.index.node import EMPTY_ROOT
from msglog.message import object_key
from msglog.wire.batch import pack_item
from msglog.wire.encoder import encode_event
from msglog.wire.events import Batch, End, Transfer
from msglog.wire.pktline import encode_packet
from tests.msglog.wire.samples import OTHER, an_object, content_of

MEBIBYTE = 1 << 20
LIMIT = 128 * MEBIBYTE
DELIMITER = b"0001"

# Runs a command on its own standard streams and writes the most memory that it had, in bytes.
METER = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:], check=False).returncode
with open(sys.argv[1], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, status, file=file)
"""


def text(line: str) -> bytes:
    return encode_packet(line.encode())


def data(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65_000):
        yield encode_packet(b"\x01" + content[start : start + 65_000])


def opening() -> bytes:
    return encode_event(Transfer("main", EMPTY_ROOT, OTHER))


def batch(messages: int, size: int, form: str, content: bytes) -> Iterator[bytes]:
    yield text(f"batch 1 {messages} {size} {form} {OTHER.hex()}")
    yield from data(content)
    yield DELIMITER


def bomb(window_log: int, size: int) -> bytes:
    """A zstd frame of zeros, made in pieces."""
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=window_log)
    work = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
    made = b"".join(
        work.compress(bytes(min(MEBIBYTE, size - at))) for at in range(0, size, MEBIBYTE)
    )
    return made + work.flush()


def an_honest_bomb() -> Iterator[bytes]:
    """The largest batch that may be declared, as a frame with the widest window that is taken."""
    yield opening()
    yield from batch(1, 17_825_837, "zstd", bomb(25, 17_825_837))


def a_bomb_that_lies() -> Iterator[bytes]:
    yield opening()
    yield from batch(1, 4096, "zstd", bomb(25, 1 << 30))


def a_bomb_with_a_wide_window() -> Iterator[bytes]:
    yield opening()
    yield from batch(1, 17_825_837, "zstd", bomb(27, 1 << 28))


def a_huge_declared_batch() -> Iterator[bytes]:
    yield opening()
    yield text(f"batch 1 1 99999999999999999 none {OTHER.hex()}")
    for _ in range(1000):
        yield from data(bytes(65_000))


def a_batch_that_never_ends() -> Iterator[bytes]:
    yield opening()
    yield text(f"batch 1 1 17825837 none {OTHER.hex()}")
    for _ in range(1000):
        yield from data(bytes(65_000))


def a_million_haves() -> Iterator[bytes]:
    yield text("fetch") + text("log=main")
    one = text(f"have={OTHER.hex()}")
    for _ in range(1000):
        yield one * 1000
    yield b"0000"


def a_million_requests() -> Iterator[bytes]:
    one = text("fetch") + text("log=main") + text(f"have={OTHER.hex()}") + b"0000"
    for _ in range(1000):
        yield one * 1000


def a_batch_of_small_messages_beside_a_large_one() -> Iterator[bytes]:
    yield opening()
    content = content_of(*(an_object(number) for number in range(4096)))
    yield from batch(4096, len(content), "none", content)


def eight_large_batches() -> Iterator[bytes]:
    """All that may be sent without waiting, each as large as one message may be."""
    yield opening()
    for number in range(1, 9):
        made = an_object(number, "x" * 16_000_000)
        content = pack_item(object_key(made), made)
        yield text(f"batch {number} 1 {len(content)} none {OTHER.hex()}")
        yield from data(content)
        yield DELIMITER


def packets_without_a_meaning() -> Iterator[bytes]:
    for _ in range(1000):
        yield from data(os.urandom(65_000))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    for words in (["init"], ["add", "kept"]):
        subprocess.run(
            [*run, *words], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
    return tmp_path


def serve(repository: Path, said: Iterator[bytes]) -> tuple[int, int, bytes]:
    """Let a real receive-pack hear all of it; return its peak memory, status and last words."""
    figures = repository / "figures"
    command = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]
    with (repository / "answer").open("wb") as answer:
        process = subprocess.Popen(
            [sys.executable, "-c", METER, str(figures), *command, "receive-pack", "--direct", "."],
            cwd=repository,
            env={"HOME": str(repository), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=subprocess.PIPE,
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:  # it may have heard enough
        for piece in said:
            process.stdin.write(piece)
    process.stdin = None
    _, spoken = process.communicate(timeout=120)
    peak, status = figures.read_text().split()
    assert b"Traceback" not in spoken
    return int(peak), int(status), (repository / "answer").read_bytes()


@pytest.mark.parametrize(
    "said",
    [
        an_honest_bomb,
        a_bomb_that_lies,
        a_bomb_with_a_wide_window,
        a_huge_declared_batch,
        a_batch_that_never_ends,
        a_million_haves,
        a_million_requests,
        a_batch_of_small_messages_beside_a_large_one,
        eight_large_batches,
        packets_without_a_meaning,
    ],
)
def test_no_bomb_takes_more_memory_than_allowed(
    repository: Path, said: Callable[[], Iterator[bytes]]
) -> None:
    peak, status, answer = serve(repository, said())
    print(f"{said.__name__}: {peak / MEBIBYTE:.1f} MiB", answer[-150:])
    assert peak < LIMIT
    assert status in (0, 4, 5)
    assert b"error " in answer
    with contextlib.closing(sqlite3.connect(repository / ".msglog" / "store.db")) as store:
        assert store.execute("SELECT count(*) FROM messages").fetchone() == (1,)


def test_the_meter_sees_what_is_used(tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    hungry = [sys.executable, "-c", f"bytes({LIMIT})+b'x'"]
    subprocess.run([sys.executable, "-c", METER, str(figures), *hungry], check=True)
    assert int(figures.read_text().split()[0]) > LIMIT


def test_an_end_without_a_batch_is_no_bomb(repository: Path) -> None:
    peak, _, answer = serve(repository, iter([opening(), encode_event(End())]))
    assert peak < LIMIT
    assert b"error " in answer


def test_a_batch_that_is_encoded_is_the_one_that_is_declared() -> None:
    content = content_of(an_object(1))
    assert b"".join(batch(1, len(content), "none", content)) == encode_event(
        Batch(1, 1, OTHER, content)
    )

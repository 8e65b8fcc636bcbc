"""zstd is loaded without the package around it, and expands to no more than is allowed."""

import subprocess
import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog import compression
from msglog.compression import CompressionError, Dictionary, compress, expand, train

TEXTS = [b"the beam of %d is back at %d mA, said ann" % (n % 7, n) for n in range(2000)]
TRAINED = train(TEXTS, 4096)
WINDOW = 1 << 25

ALONE = """
import sys
from msglog.compression import compress, expand, Dictionary
expand(compress(b"x" * 9999, 3), size=9999, window_limit=1 << 25)
Dictionary(b"").expand(Dictionary(b"").compress(b"x" * 99, 3), 99)
print("zstandard" in sys.modules, "zstandard.backend_c" in sys.modules)
import zstandard
print(zstandard.ZstdCompressor is sys.modules["zstandard.backend_c"].ZstdCompressor)
"""


def test_only_the_extension_is_loaded_and_the_package_takes_the_same_one() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["False", "True", "True"]


@pytest.mark.parametrize("missing", ["package", "extension"])
def test_where_the_extension_cannot_be_had_alone_the_package_serves(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    class Blind:
        """Finds what it is asked for, but for one."""

        @staticmethod
        def find_spec(name: str, *more: Any) -> object:
            if name == {"package": "zstandard", "extension": compression.EXTENSION}[missing]:
                return None
            return PathFinder.find_spec(name, *more)

    monkeypatch.setattr("importlib.machinery.PathFinder", Blind)
    monkeypatch.delitem(sys.modules, compression.EXTENSION, raising=False)
    assert expand(compress(b"x" * 999, 3), size=999, window_limit=WINDOW) == b"x" * 999


@given(st.binary(max_size=2000), st.sampled_from([b"", TRAINED]))
def test_everything_comes_back(content: bytes, shared: bytes) -> None:
    frame = Dictionary(shared).compress(content, 9)
    assert Dictionary(shared).expand(frame, len(content)) == content
    whole = compress(content, 3)
    assert expand(whole, size=len(content), window_limit=WINDOW) == content


def test_a_dictionary_makes_short_texts_shorter() -> None:
    alone = sum(len(Dictionary(b"").compress(text, 9)) for text in TEXTS[:100])
    shared = Dictionary(TRAINED)
    assert sum(len(shared.compress(text, 9)) for text in TEXTS[:100]) < alone / 2


@pytest.mark.parametrize("shared", [b"", TRAINED])
def test_what_says_it_is_larger_than_allowed_is_refused(shared: bytes) -> None:
    frame = Dictionary(shared).compress(bytes(1 << 20), 9)
    with pytest.raises(CompressionError, match="more than is allowed"):
        Dictionary(shared).expand(frame, (1 << 20) - 1)


@pytest.mark.parametrize("size", [255, 256, 65_791, 65_792, 200_000])
def test_a_frame_says_at_most_the_limit_whatever_the_form_of_its_size(size: int) -> None:
    frame = Dictionary(TRAINED).compress(bytes(size), 9)
    assert (frame[:1] >= b"\x80") == (size > 65_791)
    for limit in (size, max(size, 70_000)):
        assert Dictionary(TRAINED).expander(limit)(frame) == bytes(size)
    with pytest.raises(CompressionError, match="more than is allowed"):
        Dictionary(TRAINED).expander(size - 1)(frame)


def test_a_frame_that_does_not_say_its_size_is_refused() -> None:
    library = compression.zstd()
    parameters = library.ZstdCompressionParameters.from_level(
        3, format=library.FORMAT_ZSTD1_MAGICLESS, write_content_size=0
    )
    frame = library.ZstdCompressor(compression_params=parameters).compress(b"x" * 300)
    with pytest.raises(CompressionError, match="cannot be read"):
        Dictionary(b"").expand(frame, 1 << 20)


@given(st.binary(max_size=200), st.sampled_from([b"", TRAINED]))
def test_what_is_no_frame_is_refused_or_expands_within_the_limit(
    data: bytes, shared: bytes
) -> None:
    with suppress(CompressionError):
        assert len(Dictionary(shared).expand(data, 1000)) <= 1000


@pytest.mark.parametrize("shared", [b"", TRAINED])
def test_what_follows_a_frame_is_refused(shared: bytes) -> None:
    frame = Dictionary(shared).compress(TEXTS[0], 9)
    for more in (b"x", frame):
        with pytest.raises(CompressionError):
            Dictionary(shared).expand(frame + more, 10_000)


def test_another_size_than_was_said_is_refused() -> None:
    frame = compress(b"x" * 999, 3)
    for size in (998, 1000):
        with pytest.raises(CompressionError):
            expand(frame, size=size, window_limit=WINDOW)


def test_too_few_samples_make_no_dictionary() -> None:
    with pytest.raises(CompressionError):
        train([b"one"], 4096)

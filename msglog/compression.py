"""zstd, loaded only where compressed bytes are met, and compression with a shared dictionary.

Only the C extension of zstandard is loaded, not the package around it, which costs a reader of
twenty messages more than reading them does (docs/adr/0011-space-and-gc.md has the figures).
"""

from __future__ import annotations

import sys

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

EXTENSION = "zstandard.backend_c"


_LONG_FRAME = b"\x80"
"""A frame without magic number that begins with less says its size in two bytes, or not at all."""

_SHORT_FRAME_BYTES = 65_791
"""How much such a frame expands to at most (RFC 8878, section 3.1.1.1.4)."""


class CompressionError(IntegrityError):
    """Bytes are not a frame of zstd, or expand to what was not allowed."""


def zstd() -> Any:  # noqa: ANN401 - the C extension has no types of its own
    """Return the C extension of zstandard; or, where it cannot be had alone, the package."""
    return sys.modules.get(EXTENSION) or _extension() or _package()


def _extension() -> ModuleType | None:
    from importlib.machinery import PathFinder  # noqa: PLC0415 - not before there is a frame
    from importlib.util import module_from_spec  # noqa: PLC0415 - as above

    package = PathFinder.find_spec("zstandard", None)
    if package is None:
        return None
    spec = PathFinder.find_spec(EXTENSION, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return None
    # A later import of the whole package takes the same one.
    return sys.modules.setdefault(EXTENSION, module)


def _package() -> ModuleType:
    import zstandard  # noqa: PLC0415 - costly, and seldom needed

    return zstandard


def compress(content: bytes, level: int) -> bytes:
    """Return content as one frame that says its size."""
    frame: bytes = zstd().ZstdCompressor(level=level).compress(content)
    return frame


def expand(frame: bytes, *, size: int, window_limit: int) -> bytes:
    """Return the content of a frame that says exactly this size; raises CompressionError."""
    library = zstd()
    try:
        parameters = library.get_frame_parameters(frame)
        if parameters.content_size != size or parameters.window_size > window_limit:
            raise CompressionError("its zstd frame declares another size or too large a window")
        decompressor = library.ZstdDecompressor(max_window_size=window_limit)
        content: bytes = decompressor.decompress(
            frame, max_output_size=size, allow_extra_data=False
        )
    except library.ZstdError as error:
        raise CompressionError("its zstd frame cannot be read") from error
    return content


class Dictionary:
    """Compresses and expands short texts that resemble each other, by what they have in common.

    data: what `train` made, or nothing, for texts that stand alone. A frame says the size of its
    content and nothing else: no magic number, no dictionary's number, no checksum, since whoever
    keeps it has a digest of the content.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._compressor: Any = None

    def compress(self, content: bytes, level: int) -> bytes:
        """Return content as a frame, by the level of the first call."""
        if self._compressor is None:
            library = zstd()
            parameters = library.ZstdCompressionParameters.from_level(
                level,
                format=library.FORMAT_ZSTD1_MAGICLESS,
                write_content_size=1,
                write_checksum=0,
                write_dict_id=0,
            )
            shared = self._shared(library)
            if shared is not None:
                shared.precompute_compress(compression_params=parameters)
            self._compressor = library.ZstdCompressor(
                dict_data=shared, compression_params=parameters
            )
        frame: bytes = self._compressor.compress(content)
        return frame

    def expand(self, frame: bytes, limit: int) -> bytes:
        """Return the content of a frame; raises CompressionError if it says more than limit."""
        return self.expander(limit)(frame)

    def expander(self, limit: int) -> Callable[[bytes], bytes]:
        """Return what `expand` is for this limit, for many frames."""
        library = zstd()
        magicless = library.FORMAT_ZSTD1_MAGICLESS
        failure = library.ZstdError
        read = library.ZstdDecompressor(dict_data=self._shared(library), format=magicless)
        decompress: Callable[[bytes, int, bool, bool], bytes] = read.decompress
        first_to_check = b"" if limit < _SHORT_FRAME_BYTES else _LONG_FRAME

        def expand(frame: bytes) -> bytes:
            try:
                # What a frame says of its size is what the library would believe, whatever it is.
                if (
                    frame[:1] >= first_to_check
                    and library.get_frame_parameters(frame, magicless).content_size > limit
                ):
                    raise CompressionError("a frame expands to more than is allowed")
                # By position: naming arguments takes as long as expanding half a message.
                return decompress(frame, 0, False, False)  # noqa: FBT003
            except failure as error:
                raise CompressionError("a frame cannot be read") from error

        return expand

    def _shared(self, library: Any) -> Any:  # noqa: ANN401 - see zstd
        return library.ZstdCompressionDict(self._data) if self._data else None


def train(samples: Sequence[bytes], size: int) -> bytes:
    """Return a dictionary of at most size bytes for texts like the samples.

    Raises CompressionError if they have too little in common, or are too few.
    """
    library = zstd()
    try:
        data: bytes = library.train_dictionary(size, list(samples)).as_bytes()
    except (library.ZstdError, ValueError) as error:
        raise CompressionError("no dictionary can be made of these samples") from error
    return data

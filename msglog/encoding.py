"""Deterministic CBOR (RFC 8949, section 4.2.1), accepted only in the one form that we write.

cbor2 runs tag decoders, which compile regular expressions and parse mails, before a caller sees
anything; so the structure is walked here first, and `cbor2.loads` only meets what passed.
"""

from __future__ import annotations

import struct
from math import isfinite
from operator import itemgetter

from msglog.annotation import TYPE_CHECKING, cast
from msglog.errors import IntegrityError

if TYPE_CHECKING:
    from typing import TypeAlias


Value: TypeAlias = "int | float | bool | bytes | str | list[Value] | dict[str, Value]"
"""What an object may be made of: int64, finite floats, text keys; no tags, no null."""

DEPTH_LIMIT = 4
"""How deep arrays and maps may be nested."""

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_INT64_LIMIT = 1 << 63
_HEAD_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SMALLEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
_FALSE, _TRUE = 20, 21
_FLOATS = (25, 26, 27)


class EncodingError(IntegrityError):
    """Bytes are not deterministic CBOR of the kind that msglog takes, or a value cannot be it."""

    def __init__(self, why: str) -> None:
        super().__init__("not a msglog object", why=why)


def encode(value: Value) -> bytes:
    """Return the deterministic encoding of value; raises EncodingError for what has none."""
    parts: list[bytes] = []
    try:
        _emit(value, parts, DEPTH_LIMIT)
    except (_UnusualError, UnicodeEncodeError):
        return _encode_unusual(value)
    return b"".join(parts)


class _UnusualError(Exception):
    """A value is not of the types that objects are made of, or not within their bounds."""


def _emit(value: object, parts: list[bytes], levels: int) -> None:
    """Append the encoding of value; levels: how many more arrays and maps may be nested."""
    kind = type(value)
    if kind is str:
        text = cast("str", value).encode()
        parts += (head(0x60, len(text)), text)
    elif kind is bytes:
        data = cast("bytes", value)
        parts += (head(0x40, len(data)), data)
    elif kind is int:
        number = cast("int", value)
        if not -_INT64_LIMIT <= number < _INT64_LIMIT:
            raise _UnusualError
        parts.append(head(0, number) if number >= 0 else head(0x20, ~number))
    elif kind is bool:
        parts.append(b"\xf5" if value else b"\xf4")
    elif kind is float:
        parts.append(_shortest_float(cast("float", value)))
    elif kind is list and levels:
        items = cast("list[object]", value)
        parts.append(head(0x80, len(items)))
        for item in items:
            _emit(item, parts, levels - 1)
    elif kind is dict and levels:
        _emit_map(cast("dict[object, object]", value), parts, levels)
    else:
        raise _UnusualError


def _emit_map(fields: dict[object, object], parts: list[bytes], levels: int) -> None:
    encoded: list[tuple[bytes, object]] = []
    for key, item in fields.items():
        if type(key) is not str:
            raise _UnusualError
        text = key.encode()
        encoded.append((head(0x60, len(text)) + text, item))
    encoded.sort(key=itemgetter(0))
    parts.append(head(0xA0, len(encoded)))
    for name, item in encoded:
        parts.append(name)
        _emit(item, parts, levels - 1)


def _shortest_float(value: float) -> bytes:
    if not isfinite(value):
        raise _UnusualError
    for initial, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return initial + packed
    return b"\xfb" + struct.pack(">d", value)


def _encode_unusual(value: Value) -> bytes:
    """Encode what `encode` does not itself, such as subclasses; mostly it is refused."""
    import cbor2  # noqa: PLC0415 - slow to load, and seldom needed

    try:
        data: bytes = cbor2.dumps(value, canonical=True)
    except (cbor2.CBOREncodeError, ValueError, RecursionError, OverflowError) as error:
        raise EncodingError(f"it cannot be encoded: {error}") from error
    check_structure(data)
    return data


def decode(data: bytes) -> Value:
    """Return the value that data encode, if they are its deterministic encoding.

    Raises EncodingError for everything else: `encode(decode(data)) == data` always holds.
    """
    import cbor2  # noqa: PLC0415 - slow to load, and ordinary messages are read without it

    check_structure(data)
    try:
        value: Value = cbor2.loads(data)
    except (cbor2.CBORError, ValueError) as error:
        raise EncodingError("a text is not UTF-8") from error
    return value


def head(major: int, argument: int) -> bytes:
    """Return the shortest head of a CBOR item. major: its type in the upper three bits, as 0x40."""
    if argument < 24:
        return bytes((major | argument,))
    if argument < 1 << 8:
        return bytes((major | 24, argument))
    if argument < 1 << 16:
        return bytes((major | 25, argument >> 8, argument & 0xFF))
    if argument < 1 << 32:
        return bytes((major | 26,)) + argument.to_bytes(4, "big")
    return bytes((major | 27,)) + argument.to_bytes(8, "big")


def check_structure(data: bytes) -> None:
    """Walk data as one CBOR item and raise EncodingError for all that is not deterministic.

    Refused: tags, null, undefined and other simple values, indefinite lengths, lengths that the
    data do not have, heads and floats that are not the shortest, integers outside int64, floats
    that are not finite, map keys that are not text, not in order or there twice, more than
    DEPTH_LIMIT levels, trailing bytes. Only that text is UTF-8 is left to the decoder.
    """
    size = len(data)
    position = 0
    pending: list[tuple[int, bool, bytes]] = []
    left, in_map, last_key = 1, False, b""
    while True:
        while left == 0:
            if not pending:
                if position != size:
                    raise EncodingError("bytes follow the CBOR")
                return
            left, in_map, last_key = pending.pop()
        if position >= size:
            raise EncodingError("the CBOR is cut short")
        start = position
        initial = data[position]
        position += 1
        major, argument = initial >> 5, initial & 31
        is_key = in_map and left & 1 == 0
        if is_key and major != _TEXT:
            raise EncodingError("a map key is not text")
        left -= 1
        if major == _SIMPLE:
            position = _check_simple(data, position, argument)
            continue
        if argument >= 24:
            extra = _HEAD_BYTES.get(argument)
            if extra is None:
                raise EncodingError("the CBOR has an indefinite length or a reserved head")
            smallest = _SMALLEST[argument]
            argument = int.from_bytes(data[position : position + extra], "big")
            position += extra
            if position > size:
                raise EncodingError("the CBOR is cut short")
            if argument < smallest:
                raise EncodingError("a CBOR head is longer than need be")
        if major <= _NEGATIVE:
            if argument >= _INT64_LIMIT:
                raise EncodingError("an integer is outside int64")
        elif major <= _TEXT:
            position += argument
            if position > size:
                raise EncodingError("the CBOR is cut short")
            if is_key:
                key = data[start:position]
                if key <= last_key:
                    raise EncodingError("the keys of a map are not in order")
                last_key = key
        elif major <= _MAP:
            items = argument if major == _ARRAY else 2 * argument
            if items > size - position:
                raise EncodingError("the CBOR declares more items than it has")
            if len(pending) >= DEPTH_LIMIT:
                raise EncodingError(f"the CBOR is nested more than {DEPTH_LIMIT} deep")
            pending.append((left, in_map, last_key))
            left, in_map, last_key = items, major == _MAP, b""
        else:
            raise EncodingError("the CBOR has a tag")


def _check_simple(data: bytes, position: int, argument: int) -> int:
    """Check the item of major type 7 whose head ends at position; return where the item ends."""
    if argument in (_FALSE, _TRUE):
        return position
    if argument not in _FLOATS:
        raise EncodingError("the CBOR has a simple value other than true and false")
    width = _HEAD_BYTES[argument]
    exponent_bits = {2: 5, 4: 8, 8: 11}[width]
    bits = int.from_bytes(data[position : position + width], "big")
    exponent = bits >> (8 * width - 1 - exponent_bits) & ((1 << exponent_bits) - 1)
    if exponent == (1 << exponent_bits) - 1:
        raise EncodingError("a float is not finite")
    end = position + width
    if end > len(data):
        raise EncodingError("the CBOR is cut short")
    if width > 2 and _fits(data[position:end], width):
        raise EncodingError("a float is longer than need be")
    return end


def _fits(packed: bytes, width: int) -> bool:
    """Tell whether a finite float of 4 or 8 bytes keeps its value in half of them."""
    wide, narrow = (">f", ">e") if width == 4 else (">d", ">f")
    (value,) = struct.unpack(wide, packed)
    try:
        return bool(struct.unpack(narrow, struct.pack(narrow, value))[0] == value)
    except OverflowError:
        return False

"""What programs give to calls, checked where it comes in, so that what is wrong is told there."""

from __future__ import annotations

import math
import os
import sys

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 80


class ArgumentError(UsageError):
    """An argument is of the right type, but nothing that the call can take."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that the call does not take.

    It is a TypeError as well, for whoever expects what Python raises otherwise.
    """

    def __init__(self, what: str, value: object, wanted: str, *, hint: str = "") -> None:
        super().__init__(f"{what} cannot be {repr(value)[:_SHOWN]}", why=wanted, hint=hint)


def text(value: object, what: str) -> str:
    """Return a text; raises ArgumentTypeError."""
    if not isinstance(value, str):
        raise ArgumentTypeError(what, value, "a text is wanted")
    return value


def texts(values: object, what: str) -> tuple[str, ...]:
    """Return several texts; one alone is refused, for it would be taken letter by letter."""
    if isinstance(values, str):
        shown = repr(values)[:_SHOWN]
        raise ArgumentTypeError(
            what, values, "a list of texts is wanted", hint=f"Write [{shown}] if it is one of them."
        )
    if isinstance(values, bytes):
        raise ArgumentTypeError(what, values, "a list of texts is wanted")
    return tuple([text(value, f"one of {what}") for value in several(values, what)])


def several(values: object, what: str) -> Iterable[object]:
    """Return what can be gone through; raises ArgumentTypeError."""
    try:
        iter(values)  # type: ignore[call-overload] # which is the question
    except TypeError:
        raise ArgumentTypeError(what, values, "a list is wanted") from None
    return values  # type: ignore[return-value] # it can be gone through


def whole_number(value: object, what: str) -> int:
    """Return a whole number from 0 on; raises ArgumentTypeError or ArgumentError.

    One that is larger than anything can be counted to means the largest.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArgumentTypeError(what, value, "a whole number is wanted")
    if value < 0:
        raise ArgumentError(f"{what} cannot be {value}", why="it is less than 0")
    return min(value, sys.maxsize)


def number(value: object, what: str) -> float:
    """Return a number; raises ArgumentTypeError or ArgumentError."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ArgumentTypeError(what, value, "a number is wanted")
    if math.isnan(value):
        raise ArgumentError(f"{what} cannot be {value}", why="it is not a number")
    return value


def folder(value: object) -> str:
    """Return the path of a folder as text; raises ArgumentTypeError or ArgumentError."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        raise ArgumentTypeError("a folder", value, "a text or a pathlib.Path is wanted")
    return address(path, "a folder")


def address(value: object, what: str) -> str:
    """Return a path, a URL or a name for one; raises ArgumentTypeError or ArgumentError."""
    found = text(value, what)
    try:
        why = "it has a zero byte" if b"\0" in os.fsencode(found) else ""
    except UnicodeEncodeError:
        why = "it is not valid Unicode"
    if why:
        raise ArgumentError(f"{what} cannot be {found[:_SHOWN]!r}", why=why)
    return found

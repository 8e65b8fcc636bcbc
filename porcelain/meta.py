"""Meta values on the command line: `K=V` to a text, a number, or true or false."""

from __future__ import annotations

import json
import math
import re

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError

if TYPE_CHECKING:
    from msglog.message import MetaValue

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_INT64_LIMIT = 1 << 63


class MetaError(UsageError):
    """An argument of --meta is not KEY=VALUE."""


def parse_meta(arguments: list[str]) -> dict[str, MetaValue]:
    """Return the map that `K=V` arguments say; raises MetaError, also for a key said twice.

    A value that JSON would take as a number or as true or false is that; in double quotes it is
    the text that JSON takes it for; anything else is text as it stands.
    """
    meta: dict[str, MetaValue] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals or not key:
            raise MetaError(f"--meta {argument[:80]!r} is not KEY=VALUE")
        if key in meta:
            raise MetaError(f"--meta says {key[:80]!r} twice")
        meta[key] = parse_value(text)
    return meta


def parse_value(text: str) -> MetaValue:
    """Return the value that the text after `K=` says."""
    if text in ("true", "false"):
        return text == "true"
    match = _NUMBER.fullmatch(text)
    if match is not None:
        if match[1] is None and match[2] is None:
            number = int(text)
            return number if -_INT64_LIMIT <= number < _INT64_LIMIT else text
        real = float(text)
        return real if math.isfinite(real) else text
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return text
        return value if isinstance(value, str) else text
    return text

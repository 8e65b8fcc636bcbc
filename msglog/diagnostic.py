"""CBOR diagnostic notation (RFC 8949, section 8): objects as people can read them."""

from __future__ import annotations

import json

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from msglog.encoding import Value

_INDENT = "  "


def diagnose(value: Value, *, level: int = 0) -> str:
    """Return a decoded object in diagnostic notation, in ASCII alone.

    Arrays and maps that hold others take a line an item; the rest stays on one line.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        items = [diagnose(item, level=level + 1) for item in value]
        return _container("[", items, "]", level, any(map(_is_container, value)))
    if isinstance(value, dict):
        items = [
            f"{diagnose(name)}: {diagnose(item, level=level + 1)}" for name, item in value.items()
        ]
        return _container("{", items, "}", level, any(map(_is_container, value.values())))
    return repr(value)


def _is_container(value: Value) -> bool:
    return isinstance(value, list | dict) and len(value) > 0


def _container(start: str, items: list[str], end: str, level: int, spread: bool) -> str:  # noqa: FBT001 - private
    if not spread:
        return start + ", ".join(items) + end
    inner = "\n" + _INDENT * (level + 1)
    return f"{start}{inner}{f',{inner}'.join(items)}\n{_INDENT * level}{end}"

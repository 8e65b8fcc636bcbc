"""What annotations need of `typing`, without importing it: that takes 3 ms at every start.

Type checkers see the real thing. Modules take their other names for annotations under
`if TYPE_CHECKING:`, which is why all of them postpone the evaluation of annotations (PEP 563).
"""

from __future__ import annotations

TYPE_CHECKING = False
"""True for type checkers alone, as `typing.TYPE_CHECKING` is."""

if TYPE_CHECKING:
    from typing import Protocol, cast, overload
else:
    Protocol = object

    def cast(_kind, value):
        """Return value."""
        return value

    def overload(function):
        """Return function, whose other forms follow."""
        return function


__all__ = ["TYPE_CHECKING", "Protocol", "cast", "overload"]

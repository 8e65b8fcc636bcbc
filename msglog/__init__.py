"""Logs of short immutable messages: content-addressed objects under a Merkle index.

The public interface is what `__all__` names, and nothing else is: docs/api.md describes it and says
what is stable.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from msglog.comparison import Comparison, Refused
    from msglog.entry import Draft, Entry
    from msglog.errors import (
        IntegrityError,
        LocalError,
        MsglogError,
        NegativeAnswer,
        NotAuthorisedError,
        RefusedError,
        RemoteError,
        UsageError,
    )
    from msglog.handler import LogHandler, QueuedLogHandler
    from msglog.inspection import Damage
    from msglog.logbook import Logbook, clone, init
    from msglog.logbook import open_logbook as open  # noqa: A004 - `msglog.open`, as `gzip.open`
    from msglog.query import Query
    from msglog.search.found import Found
    from msglog.surroundings import Exchanged
    from msglog.version import __version__

__all__ = [
    "Comparison",
    "Damage",
    "Draft",
    "Entry",
    "Exchanged",
    "Found",
    "IntegrityError",
    "LocalError",
    "LogHandler",
    "Logbook",
    "MsglogError",
    "NegativeAnswer",
    "NotAuthorisedError",
    "Query",
    "QueuedLogHandler",
    "Refused",
    "RefusedError",
    "RemoteError",
    "UsageError",
    "__version__",
    "clone",
    "init",
    "open",
]

_ELSEWHERE = {"open": "open_logbook"}
_MODULES = {
    "comparison": ("Comparison", "Refused"),
    "entry": ("Draft", "Entry"),
    "handler": ("LogHandler", "QueuedLogHandler"),
    "inspection": ("Damage",),
    "logbook": ("Logbook", "clone", "init", "open"),
    "query": ("Query",),
    "search.found": ("Found",),
    "surroundings": ("Exchanged",),
    "version": ("__version__",),
}


if not TYPE_CHECKING:  # who would take any name for one that is there

    def __getattr__(name):
        """Import a public name when it is first asked for: most commands need none of them."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = next((one for one, names in _MODULES.items() if name in names), "errors")
        found = getattr(
            __import__(f"{__name__}.{module}", fromlist=("",)), _ELSEWHERE.get(name, name)
        )
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})

"""psycopg without what a short process of ours has no use for, which is a third of its import.

That are its asynchronous half, its logging, its own version and what it needs for other kinds of
its C library. Where that fails, the rest is imported as it comes. ADR 0018 has the figures.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from msglog.annotation import TYPE_CHECKING
from msglog.stand_in import no_collecting, standing_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Unused:
    """Stands for classes that are named and inherited from, and never made."""

    def __class_getitem__(cls, _: object) -> type[_Unused]:
        return cls


class _Unheard:
    """A logger whose words nobody hears, as psycopg's in our processes."""

    level = 30

    def isEnabledFor(self, _: int) -> bool:  # noqa: N802 - logging's name
        return False

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _say_nothing


def _say_nothing(*_words: object, **_how: object) -> None:
    pass


def _module(name: str, **contents: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module


def _stand_ins() -> dict[str, ModuleType | None]:
    """Return what stands in for modules that are not there yet."""
    from typing import TypeVar  # noqa: PLC0415 - with psycopg alone

    def variable(name: str, *bounds: Any, default: object = None, **how: Any) -> object:  # noqa: ANN401
        del default  # only newer ones than 3.12 have it, and only type checkers ask
        return TypeVar(name, *bounds, **how)

    silent = _Unheard()
    made = [
        _module(
            "asyncio",
            CancelledError=type("CancelledError", (BaseException,), {}),
            **dict.fromkeys(("Future", "Lock", "Queue", "Task"), _Unused),
            **dict.fromkeys(("get_running_loop", "sleep")),
        ),
        _module("logging", NOTSET=0, INFO=20, WARNING=30, getLogger=lambda _: silent),
        _module("importlib.metadata", version=lambda _: "", PackageNotFoundError=ImportError),
        _module("typing_extensions", TypeVar=variable),
        # For libpq by ctypes, and for what OpenSSL wanted before 1.1.
        *map(_module, ("ctypes", "ctypes.util", "ssl")),
    ]
    return {module.__name__: module for module in made if module.__name__ not in sys.modules}


def import_psycopg() -> None:
    """Import psycopg, leanly if that works, for a process in which nobody else uses it.

    What it does without are its asynchronous connections, its warnings and its version.
    Where it, or what it imports, is there already, that is left alone.
    """
    if "psycopg" in sys.modules:
        return
    with no_collecting():
        try:
            with standing_in(_stand_ins()):
                importlib.import_module("psycopg")
        except Exception:  # noqa: BLE001 - another version of something: do with less of the gain
            # What was imported stays: its C library can be imported once, and has classes of it.
            package = importlib.import_module("psycopg")
            for name, module in [*sys.modules.items()]:
                parent, _, child = name.rpartition(".")
                if parent == "psycopg" and not hasattr(package, child):
                    setattr(package, child, module)


def silence() -> None:
    """Have nobody hear psycopg: our errors say what it warns of on standard error."""
    if "logging" in sys.modules:  # else nothing has loggers yet but what stands in for them
        import logging  # noqa: PLC0415 - it is there

        logging.getLogger("psycopg").addHandler(logging.NullHandler())

"""Importing a library with stand-ins for what this process has no use for."""

from __future__ import annotations

import contextlib
import gc
import sys

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType
    from typing import Any

_ABSENT: Any = object()


@contextlib.contextmanager
def standing_in(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Have modules found under names, and put back what was there before; None: not found."""
    before = {name: sys.modules.get(name, _ABSENT) for name in modules}
    sys.modules.update(modules)  # type: ignore[arg-type] # None is import's own word for it
    try:
        yield
    finally:
        for name, module in before.items():
            if sys.modules.get(name, _ABSENT) is not modules[name]:
                continue
            if module is _ABSENT:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@contextlib.contextmanager
def no_collecting() -> Iterator[None]:
    """Look for no garbage: an import makes thousands of objects that stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

"""Paths as people read them: without the detours by which they were named."""

from __future__ import annotations

import os


def tidy(path: str) -> str:
    """Return a path that means the same and has no `.` and `..` in it, whatever links there are.

    The name of a link before a `..` cannot simply be left out: that would be another folder.
    """
    tidied = os.path.normpath(path)
    if tidied == path:
        return path
    try:
        same = os.path.samefile(tidied, path)
    except (OSError, ValueError):
        same = False
    return tidied if same else os.path.realpath(path)

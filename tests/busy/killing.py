"""gc that is killed before any one statement: in a process of its own, by SIGKILL."""

import os
import signal
import sqlite3
from typing import Any

import pytest

from msglog import sqlite_file
from msglog.store import sqlite, sqlite_collection, sqlite_condensation
from tests.busy.places import Places
from tests.busy.races import Race, gc

SMALL = 20
"""How many rows one transaction changes: so there are many of them."""


def killed(places: Places, name: str, now: int, at: int) -> bool:
    """Collect garbage, and be killed before a statement of that number; return whether it came to it."""
    child = os.fork()
    if not child:
        status = 1
        try:
            _run(places, name, now, at)
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(ended)
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _run(places: Places, name: str, now: int, at: int) -> None:
    left = at

    class Killed(sqlite3.Connection):
        def _step(self) -> None:
            nonlocal left
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            self._step()
            return super().execute(sql, *values)

        def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
            self._step()
            return super().executemany(sql, values)

        def executescript(self, sql: str) -> sqlite3.Cursor:
            self._step()
            return super().executescript(sql)

    def connect(path: str) -> sqlite3.Connection:
        seconds = sqlite_file.BUSY_SECONDS
        return sqlite3.connect(path, timeout=seconds, isolation_level=None, factory=Killed)

    patches = pytest.MonkeyPatch()  # never undone: this process is for nothing else
    patches.setattr(sqlite, "connect", connect)
    patches.setattr(sqlite_collection, "SLICE", SMALL)
    patches.setattr(sqlite_condensation, "_SLICE_ROWS", SMALL)
    patches.setattr(sqlite_condensation, "_SLICE_PAGES", 1)
    gc(name, now)(Race(places))

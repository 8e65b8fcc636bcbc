"""A server whose commits wait for a standby that is not there."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from tests.postgres.server import Postgres

SECONDS = 20.0
WAITS = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Standby:
    """What is to be seen from outside while nobody confirms what is committed."""

    def __init__(self, control: "psycopg.Connection[Any]") -> None:
        self._control = control

    def waiting(self) -> set[int]:
        """Return the numbers of the server's processes that wait for a standby."""
        return {pid for (pid,) in self._control.execute(WAITS.encode()).fetchall()}

    def await_waiting(self, worker: threading.Thread, *, but: int = 0) -> int:
        """Return the number of a process that waits, or 0 if the worker has ended without one.

        but: one that does not count.
        """
        while True:
            is_over = not worker.is_alive()
            others = self.waiting() - {but}
            if others or is_over:
                return next(iter(others), 0)

    def await_nobody(self) -> None:
        """Return when no process waits any more; raises AssertionError where one goes on."""
        until = time.monotonic() + SECONDS
        while self.waiting():
            assert time.monotonic() < until, "a process of the server still waits"

    def cancel(self, pid: int) -> None:
        """Have a process give up what it does."""
        self._control.execute("SELECT pg_cancel_backend(%s)", (pid,))


@contextlib.contextmanager
def absent_standby(server: Postgres) -> Iterator[Standby]:
    """Have all commits wait for a standby that never comes, until the block ends."""
    with psycopg.connect(server.address(), autocommit=True) as control:
        control.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        control.execute("SELECT pg_reload_conf()")
        standby = Standby(control)
        try:
            _await_setting(server, standby)
            yield standby
        finally:
            control.execute("ALTER SYSTEM RESET synchronous_standby_names")
            control.execute("SELECT pg_reload_conf()")


def _await_setting(server: Postgres, standby: Standby) -> None:
    """Return when the server has taken the setting, so that a commit waits."""

    def commit() -> None:
        with psycopg.connect(server.address(), autocommit=True) as probe:
            warnings: list[object] = []
            probe.add_notice_handler(warnings.append)
            while not warnings:
                probe.execute("SELECT pg_logical_emit_message(true, 'probe', '')")

    prober = threading.Thread(target=commit)
    prober.start()
    standby.cancel(standby.await_waiting(prober))
    prober.join()

"""PostgreSQL without Patroni: a server that is killed and started again, and one that follows another."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.high_availability.owner import family, is_running, run, send, wait_for
from tests.postgres.server import DATABASE, FAST, LOGIN, Postgres, binary, make_cluster, started

SECONDS = 60.0
REPLICATED = (*FAST, "synchronous_standby_names=*")
"""Nothing is committed that the standby does not have."""

_FOLLOWERS = "local replication all trust\n"


@dataclass
class Server:
    """A server that can be gone for a while. Its port and folder stay the same."""

    folder: Path
    settings: Sequence[str]
    running: Postgres
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def start(cls, folder: Path, settings: Sequence[str], port: int = 0) -> "Server":
        stack = ExitStack()
        running = stack.enter_context(started(folder, settings=settings, port=port))
        return cls(folder, settings, running, stack)

    def address(self, **more: str) -> str:
        return self.running.address(**more)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement as the superuser; a commit of it waits for no standby."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """Have all of it die at once."""
        pids = family(self.running.pid)
        send(pids, signal.SIGKILL)
        self._stack.close()
        wait_for("a server that was killed", lambda: not any(map(is_running, pids)), SECONDS)

    def start_again(self) -> None:
        """Start it on what there is; what was running is stopped first."""
        self._stack.close()
        again = Server.start(self.folder, self.settings, self.running.port)
        self.running, self._stack = again.running, again._stack

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep all of it from going on until the block ends."""
        pids = family(self.running.pid)
        send(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            send(pids, signal.SIGCONT)

    def close(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def running_server(settings: Sequence[str] = FAST) -> Iterator[Server]:
    """Run a server with an empty database until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="msglog-", dir="/tmp"))
    try:
        make_cluster(folder)
        server = Server.start(folder, settings)
        try:
            words = [binary("createdb"), "-h", str(folder), "-p", str(server.running.port)]
            environment = {"PATH": os.defpath, "PGOPTIONS": "-c synchronous_commit=local"}
            subprocess.run([*words, "-U", LOGIN, DATABASE], cwd="/", check=True, env=environment)
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(folder)


def allow_copies(server: Server) -> None:
    """Have a server let in those who copy all of it."""
    hba = server.folder / "data" / "pg_hba.conf"
    hba.write_text(_FOLLOWERS + hba.read_text())
    server.query("SELECT pg_reload_conf()")


@contextlib.contextmanager
def following(primary: Server) -> Iterator[Server]:
    """Run a server that follows another one until the block ends."""
    allow_copies(primary)
    folder = Path(tempfile.mkdtemp(prefix="msglog-", dir="/tmp"))
    try:
        make_cluster(folder)
        shutil.rmtree(folder / "data")
        source = f"host={primary.folder} port={primary.running.port} user={LOGIN}"
        words = [binary("pg_basebackup"), f"--pgdata={folder / 'data'}", f"--dbname={source}"]
        words += ["--checkpoint=fast", "--no-sync", "--wal-method=stream", "--write-recovery-conf"]
        run(words)
        standby = Server.start(folder, primary.settings)
        try:
            follows = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
            wait_for("the standby", lambda: bool(primary.query(follows)), SECONDS)
            yield standby
        finally:
            standby.close()
    finally:
        shutil.rmtree(folder)


def await_waiting(server: Server) -> None:
    """Return as soon as a commit waits for a standby."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    wait_for("no commit waits for the standby", lambda: bool(server.query(waits)), SECONDS)

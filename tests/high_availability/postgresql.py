"""PostgreSQL by itself on loopback: one server, and another one that follows it."""

import contextlib
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.high_availability.owner import (
    ClusterError,
    end,
    family,
    folder,
    free_ports,
    give,
    is_running,
    programs,
    run,
    send,
    start,
    wait_for,
)

START_SECONDS = 60.0
DATABASE = "msglog"
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "max_connections": "60",
    "shared_buffers": "'16MB'",
    "max_wal_size": "'128MB'",
    "min_wal_size": "'32MB'",
    "wal_keep_size": "'64MB'",
    "log_min_messages": "warning",
}


@dataclass
class Postgresql:
    """A server. name: of its folder, and as a standby is known by. Made by `running` and `following`."""

    name: str
    folder: Path
    password: str
    settings: Mapping[str, str]
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.folder / self.name

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        """Where msglog finds its database."""
        return f"postgresql://msglog:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def make(self) -> None:
        """Make the data folder; nobody comes in without the password, from wherever on this host."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        give(secret)
        words = [
            str(programs() / "initdb"),
            f"--pgdata={self.data}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]
        run(words)

    def start(self) -> None:
        """Start the server on what there is, and wait until it answers."""
        settings = {**SETTINGS, **self.settings, "port": str(self.port)}
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        file = self.data / "postgresql.conf"
        file.write_text(lines)
        give(file)
        self.process = start([str(programs() / "postgres"), "-D", str(self.data)], self.log)
        wait_for(f"{self.name} does not start", self.answers, START_SECONDS)

    def answers(self) -> bool:
        """Tell whether the server takes statements."""
        try:
            self.query("SELECT 1", database="postgres")
        except ClusterError:
            if self.process is not None and self.process.poll() is not None:
                raise ClusterError(self.log.read_text()) from None
            return False
        return True

    def query(self, sql: str, *, database: str = DATABASE) -> str:
        """Run statements as the superuser and return what they print."""
        words = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        more = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
        }
        return run(words, more=more, stdin=sql).strip()

    def make_database(self) -> None:
        """Make msglog's user and database."""
        make_role = f"CREATE ROLE msglog LOGIN PASSWORD '{self.password}'"
        self.query(make_role, database="postgres")
        self.query(f"CREATE DATABASE {DATABASE} OWNER msglog", database="postgres")

    def pids(self) -> list[int]:
        """Return the server's processes, the first one first."""
        if self.process is None or self.process.poll() is not None:
            return []
        return family(self.process.pid)

    def kill(self) -> None:
        """Have all of it die at once."""
        pids = self.pids()
        send(pids, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        gone = lambda: not any(is_running(pid) for pid in pids)  # noqa: E731
        wait_for(f"{self.name} is still there", gone, START_SECONDS)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep all of it from going on until the block ends."""
        pids = self.pids()
        send(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            send(pids, signal.SIGCONT)

    def close(self) -> None:
        """Stop the server."""
        if self.process is not None and self.process.poll() is None:
            send([self.process.pid], signal.SIGINT)  # do not wait for sessions
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(START_SECONDS)
            end(self.process)


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Postgresql]:
    """Run a server with an empty database until the block ends. settings: as in postgresql.conf."""
    with folder() as place:
        server = Postgresql("primary", place, secrets.token_hex(16), settings)
        server.make()
        try:
            server.start()
            server.make_database()
            yield server
        finally:
            server.close()


@contextlib.contextmanager
def following(primary: Postgresql) -> Iterator[Postgresql]:
    """Run a server that follows another one, under the name `standby`, until the block ends."""
    standby = Postgresql("standby", primary.folder, primary.password, primary.settings)
    secret = primary.folder / "pgpass"
    secret.write_text(f"127.0.0.1:{primary.port}:*:postgres:{primary.password}\n")
    secret.chmod(0o600)
    give(secret)
    source = (
        f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        f" passfile={secret}"
    )
    hba = primary.data / "pg_hba.conf"
    hba.write_text("host all,replication all 127.0.0.1/32 scram-sha-256\n")
    primary.query("SELECT pg_reload_conf()", database="postgres")
    words = ["pg_basebackup", f"--pgdata={standby.data}", "--checkpoint=fast", "--no-sync"]
    run([*words, "--write-recovery-conf", "--wal-method=stream", f"--dbname={source}"])
    try:
        standby.start()
        streams = lambda: (  # noqa: E731
            primary.query("SELECT state FROM pg_stat_replication", database="postgres")
            == "streaming"
        )
        wait_for("the standby does not follow", streams, START_SECONDS)
        yield standby
    finally:
        standby.close()

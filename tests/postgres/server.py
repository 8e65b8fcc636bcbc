"""A private PostgreSQL on loopback and a local socket, for tests: made on the spot, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import psycopg

from tests.loopback import ServerLog, free_port
from tests.postgres.certificates import SERVER_NAME, Authority

START_SECONDS = 30.0
STOP_SECONDS = 10.0
ATTEMPTS = 5
OWNER = "nobody"
"""Whom the server runs as where root runs the tests: PostgreSQL refuses root."""

LOGIN = "msglog"
DATABASE = "msglog"

READY = b"ready to accept"
"""What it says; a standby goes on with: read-only connections."""

FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=on")
"""Nothing here outlives the machine."""

TLS_LOGIN = "tls_user"
"""Who comes over TCP by a certificate alone."""

HBA = f"""\
local all all trust
hostssl all {TLS_LOGIN} 127.0.0.1/32 cert
host all {TLS_LOGIN} 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
"""

TLS = ("ssl=on", "ssl_ca_file=authority.crt")


class PostgresError(Exception):
    """PostgreSQL did not start."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. folder: of its socket; pid: of its first process."""

    folder: Path
    port: int
    pid: int

    def address(self, schema: str = "public", **more: str) -> str:
        """Return a connection string through the local socket; schema: where tables are made."""
        words = {"host": str(self.folder), "port": str(self.port), "user": LOGIN, **more}
        options = "&".join(f"{name}={value}" for name, value in words.items())
        return f"postgresql:///{DATABASE}?{options}&options=-csearch_path%3D{schema}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def make_schema(self, name: str) -> str:
        """Make an empty schema and return its connection string."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return self.address(name)


def binary(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; raises PostgresError."""
    folders = sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True)
    found = shutil.which(name, path=":".join((*folders, os.environ.get("PATH", ""))))
    if found is None:
        raise PostgresError(f"there is no {name}: run tests/postgres/need-postgres")
    return found


def _as_owner() -> dict[str, object]:
    """Return how to start a program as somebody whom PostgreSQL takes."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(OWNER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def make_cluster(folder: Path) -> None:
    """Make a folder and a cluster in it, of whoever will run the server."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        entry = pwd.getpwnam(OWNER)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    words = [binary("initdb"), "-D", str(folder / "data"), "-U", LOGIN, "-A", "trust"]
    words += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--data-checksums"]
    done = subprocess.run(  # type: ignore[call-overload]
        words,
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **_as_owner(),
    )
    if done.returncode:
        raise PostgresError(done.stdout + done.stderr)
    (folder / "data" / "pg_hba.conf").write_text(HBA)
    _certify(folder)


def _certify(folder: Path) -> None:
    """Make the certificates of the server and of a client, whom it lets in by that alone."""
    data, tls = folder / "data", folder / "tls"
    tls.mkdir()
    authority = Authority("an authority")
    authority.issue(SERVER_NAME, data / "server.crt", data / "server.key", server=True)
    authority.issue(TLS_LOGIN, tls / "client.crt", tls / "client.key")
    for path in (tls / "authority.crt", data / "authority.crt"):
        authority.write(path)
    Authority("another authority").write(tls / "stranger.crt")
    if os.geteuid() == 0:
        entry = pwd.getpwnam(OWNER)
        for path in (data / "server.crt", data / "server.key", data / "authority.crt"):
            os.chown(path, entry.pw_uid, entry.pw_gid)


@contextlib.contextmanager
def running_postgres(*, settings: Sequence[str] = FAST) -> Iterator[Postgres]:
    """Run a new server until the block ends; settings: such as `fsync=off`."""
    folder = Path(tempfile.mkdtemp(prefix="msglog-postgres-", dir="/tmp"))
    try:
        make_cluster(folder)
        with started(folder, settings=settings) as running:
            subprocess.run(
                [
                    binary("createdb"),
                    "-h",
                    str(folder),
                    "-p",
                    str(running.port),
                    "-U",
                    LOGIN,
                    DATABASE,
                ],
                cwd="/",
                check=True,
                capture_output=True,
            )
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def started(folder: Path, *, settings: Sequence[str] = FAST, port: int = 0) -> Iterator[Postgres]:
    """Run the server of a cluster until the block ends; port: 0 for any that is free."""
    for _ in range(ATTEMPTS):
        number = port or free_port()
        words = [binary("postgres"), "-D", str(folder / "data"), "-k", str(folder)]
        words += ["-h", "127.0.0.1", "-p", str(number)]
        for setting in (
            *settings,
            *TLS,
            "max_connections=100",
            "shared_buffers=32MB",
            "log_line_prefix=",
        ):
            words += ["-c", setting]
        process = subprocess.Popen(  # type: ignore[call-overload]
            words,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **_as_owner(),
        )
        logger = ServerLog(process, folder / "log", READY)
        if logger.ready.wait(START_SECONDS) and process.poll() is None:
            break
        stop(process, logger)
        if port or "in use" not in (folder / "log").read_text():
            raise PostgresError((folder / "log").read_text())
    else:
        raise PostgresError("no free port")
    try:
        yield Postgres(folder, number, process.pid)
    finally:
        stop(process, logger)


def stop(process: "subprocess.Popen[bytes]", logger: ServerLog) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGINT)  # a fast shutdown: sessions are ended
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGQUIT)
        process.wait()
    logger.join(STOP_SECONDS)

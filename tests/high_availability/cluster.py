"""Three nodes of PostgreSQL under Patroni, with three members of etcd, on loopback.

Their settings are those of docs/deploy/postgresql, but for addresses, folders, sizes and, where a run is to be
short, times. The nodes have 127.0.0.2 and so on; whoever connects to these on Linux comes from 127.0.0.1.
"""

import contextlib
import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.high_availability.etcd import Etcd
from tests.high_availability.node import Node
from tests.high_availability.owner import (
    ClusterError,
    folder,
    free_ports,
    give,
    owner,
    programs,
    run,
    wait_for,
)

NODES = 3
ADDRESSES = [f"127.0.0.{2 + number}" for number in range(NODES)]
START_SECONDS = 180.0
WHOLE_SECONDS = 600.0
"""A node that is made anew copies all data, beside whatever else the machine does."""

DATABASE = "msglog"
RECIPE = Path(__file__).parents[2] / "docs" / "deploy" / "postgresql"
INTERPRETER = "/usr/bin/python3"
"""Debian's, which has the reader of YAML that Patroni uses."""

QUICK = {"ttl": 12, "loop_wait": 2, "retry_timeout": 4}
"""Seconds after which a node that is not heard of has lost its place, and such: a run is to be short.

loop_wait + 2 * retry_timeout <= ttl, or a primary that waits for etcd is late to renew its lease.
Patroni 4.0.7 takes a ttl of less than 20 for 20.
"""

USUAL: dict[str, int] = {}
"""As the recipe says."""


def recipe() -> dict[str, Any]:
    """Return what docs/deploy/postgresql/patroni.yml says."""
    words = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    done = subprocess.run(
        [INTERPRETER, "-c", words],
        input=(RECIPE / "patroni.yml").read_bytes(),
        check=True,
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@dataclass
class Cluster:
    """Use `running`. timing: QUICK or USUAL."""

    folder: Path
    timing: dict[str, int]
    etcd: Etcd = field(init=False)
    nodes: list[Node] = field(init=False)
    password: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.etcd = Etcd(self.folder)
        self.nodes = []

    def prepare(self) -> None:
        """Start etcd, and make all that the nodes need."""
        self._make_certificate()
        archive = self.folder / "wal"
        archive.mkdir()
        give(archive)
        shutil.copy(RECIPE / "archive-wal", self.folder)
        self.etcd.open()
        ports = free_ports(2 * NODES)
        for number in range(NODES):
            address, port, api = ADDRESSES[number], ports[2 * number], ports[2 * number + 1]
            node = Node(f"node{number}", self.folder, address, port, api)
            node.config = self._config(node)
            self.nodes.append(node)

    def open(self) -> None:
        """Start everything and make the database; returns when a commit waits for a standby."""
        self.prepare()
        for node in self.nodes:
            node.start()
        wait_for("the cluster is not whole", self._begins, WHOLE_SECONDS)
        primary = self.await_primary()
        self.query(primary, f"CREATE ROLE msglog LOGIN PASSWORD '{self.password}'", "postgres")
        self.query(primary, f"CREATE DATABASE {DATABASE} OWNER msglog", "postgres")

    def _make_certificate(self) -> None:
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        words += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        names = ",".join(f"IP:{address}" for address in ADDRESSES)
        words += ["-addext", f"subjectAltName={names}"]
        run([*words, "-keyout", str(self._key), "-out", str(self.certificate)])
        self._key.chmod(0o600)

    @property
    def certificate(self) -> Path:
        """What a client checks the nodes by."""
        return self.folder / "server.crt"

    @property
    def _key(self) -> Path:
        return self.folder / "server.key"

    def _config(self, node: Node) -> dict[str, Any]:
        """Return the recipe's file, with what is another one here."""
        config = recipe()
        address = f"{node.address}:{node.api}"
        config["name"] = node.name
        config["restapi"] |= {"listen": address, "connect_address": address}
        config["etcd"] = {"hosts": self.etcd.hosts}
        dynamic = config["bootstrap"]["dcs"]
        dynamic |= self.timing
        parameters = dynamic["postgresql"]["parameters"]
        parameters |= {"max_connections": 100, "shared_buffers": "32MB", "wal_keep_size": "256MB"}
        script, archive = self.folder / "archive-wal", self.folder / "wal"
        parameters["archive_command"] = f"MSGLOG_WAL={archive} {script} %p %f"
        if self.timing:
            parameters["wal_sender_timeout"] = f"{self.timing['ttl'] // 2}s"
        postgresql = config["postgresql"]
        listen = postgresql["listen"].replace("192.0.2.11", node.address)
        postgresql["listen"] = listen.replace(":5432", f":{node.port}")
        place = self.folder / node.name
        postgresql |= {"connect_address": f"{node.address}:{node.port}", "bin_dir": str(programs())}
        postgresql |= {"data_dir": str(place / "data"), "pgpass": str(place / "pgpass")}
        for who in ("replication", "rewind"):
            postgresql["authentication"][who]["sslrootcert"] = str(self.certificate)
        postgresql["parameters"] |= {
            "unix_socket_directories": str(node.socket),
            "ssl_cert_file": str(self.certificate),
            "ssl_key_file": str(self._key),
        }
        # Processes run as another UNIX user than the recipe's, and come from another address.
        postgresql["pg_hba"] = [
            re.sub(r"192\.0\.2\.\d+/\d+", "127.0.0.1/32", re.sub("peer$", "peer map=owner", line))
            for line in postgresql["pg_hba"]
        ]
        postgresql["pg_ident"] = [f"owner {owner()} postgres"]
        return config

    def url(self, passfile: Path) -> str:
        """Return the address of whichever node can be written to, for msglog; write its password."""
        hosts = [f"{node.address}:{node.port}" for node in self.nodes]
        lines = [f"{host}:{DATABASE}:msglog:{self.password}\n" for host in hosts]
        passfile.write_text("".join(lines))
        passfile.chmod(0o600)
        return (
            f"postgresql://msglog@{','.join(hosts)}/{DATABASE}?target_session_attrs=read-write"
            f"&sslmode=verify-full&sslrootcert={self.certificate}&passfile={passfile}"
        )

    def primary(self) -> Node | None:
        """Return the node that says it is the primary and holds the leader's lock."""
        found = [
            node
            for node in self.nodes
            if not node.is_frozen and node.status().get("role") in ("master", "primary")
        ]
        return found[0] if len(found) == 1 else None

    def await_primary(self, seconds: float = START_SECONDS) -> Node:
        """Return the primary as soon as there is one that takes writes."""
        found: list[Node] = []

        def there() -> bool:
            node = self.primary()
            if node is None:
                return False
            with contextlib.suppress(ClusterError):
                if self.query(node, "SELECT pg_is_in_recovery()", "postgres") == "f":
                    found.append(node)
            return bool(found)

        wait_for("there is no primary", there, seconds)
        return found[0]

    def synchronous(self) -> list[Node]:
        """Return the standbys that Patroni would promote: those that have all that was acknowledged."""
        primary = self.primary()
        members = [] if primary is None else primary.status("cluster").get("members", [])
        names = [one["name"] for one in members if one["role"] == "sync_standby"]
        return [node for node in self.nodes if node.name in names]

    def is_whole(self) -> bool:
        """Tell whether there are a primary, two standbys that follow it, and one that could replace it."""
        primary = self.primary()
        if primary is None:
            return False
        try:
            streaming = self.query(
                primary,
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'",
                "postgres",
            )
            return int(streaming) == NODES - 1 and bool(self.synchronous())
        except ClusterError:
            return False

    def _begins(self) -> bool:
        for node in self.nodes:
            node.check()
        return self.is_whole()

    def await_whole(self, seconds: float = WHOLE_SECONDS) -> float:
        """Wait for all nodes to be in their places; return how long it took."""
        return wait_for("the cluster is not whole", self.is_whole, seconds)

    def query(self, node: Node, sql: str, database: str = DATABASE) -> str:
        """Run one statement at a node as the superuser, and return what it prints."""
        words = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        more = {
            "PGHOST": str(node.socket),
            "PGPORT": str(node.port),
            "PGUSER": "postgres",
            "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": "3",
        }
        return run(words, more=more, stdin=sql).strip()

    def rejoin_all(self) -> None:
        """Bring back all that was killed or frozen."""
        for number in range(len(self.etcd.processes)):
            self.etcd.rejoin(number)
        for node in self.nodes:
            node.rejoin()

    def close(self) -> None:
        """Stop everything."""
        for node in self.nodes:
            node.close()
        self.etcd.close()


@contextlib.contextmanager
def running(*, timing: dict[str, int] = QUICK, logs: Path | None = None) -> Iterator[Cluster]:
    """Run a cluster until the block ends. logs: a folder to copy to what its processes have said."""
    with folder() as place:
        cluster = Cluster(place, timing)
        try:
            cluster.open()
            yield cluster
        finally:
            cluster.close()
            if logs is not None:
                logs.mkdir(parents=True, exist_ok=True)
                for log in place.glob("*.log"):
                    shutil.copy(log, logs)

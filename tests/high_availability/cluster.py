"""Three nodes of PostgreSQL under Patroni, with three members of etcd, on loopback."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.high_availability.etcd import Etcd
from tests.high_availability.node import Node, Passwords
from tests.high_availability.owner import ClusterError, folder, free_ports, run, wait_for

NODES = 3
START_SECONDS = 180.0
DATABASE = "msglog"
CONNECT_SECONDS = 3

QUICK = {"ttl": 12, "loop_wait": 2, "retry_timeout": 4}
"""Seconds after which a node that is not heard of has lost its place, and such: a run is to be short.

loop_wait + 2 * retry_timeout <= ttl, or a primary that waits for etcd is late to renew its lease.
"""

USUAL = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}
"""Patroni's own values, which docs/deploy/postgresql takes."""

NAMED = {"synchronous_mode": True, "synchronous_mode_strict": True, "synchronous_node_count": 1}
"""Patroni names the one standby that must have a commit, and promotes no other: see docs/adr/0019."""

ANY: dict[str, Any] = {}
"""Either standby's word is enough, and Patroni knows nothing of it: what loses commits (docs/adr/0019)."""


@dataclass
class Cluster:
    """Use `running`. timing: QUICK or USUAL. named: whether Patroni keeps the synchronous standby."""

    folder: Path
    timing: dict[str, int]
    named: bool
    etcd: Etcd = field(init=False)
    nodes: list[Node] = field(init=False)
    passwords: Passwords = field(init=False)

    def __post_init__(self) -> None:
        self.etcd = Etcd(self.folder)
        self.passwords = Passwords(*[secrets.token_hex(16) for _ in range(3)])
        self.nodes = []

    def open(self) -> None:
        """Start everything and make the database; returns when a commit waits for a standby."""
        self.etcd.open()
        ports = free_ports(2 * NODES)
        self.nodes = [
            Node(
                name=f"node{number}",
                folder=self.folder,
                port=ports[2 * number],
                api=ports[2 * number + 1],
                etcd=self.etcd.hosts,
                passwords=self.passwords,
                dynamic=self._dynamic(),
            )
            for number in range(NODES)
        ]
        for node in self.nodes:
            node.start()
        self.await_whole()
        primary = self.await_primary()
        self.query(
            primary,
            f"CREATE ROLE msglog LOGIN PASSWORD '{self.passwords.msglog}'",
            database="postgres",
        )
        self.query(primary, f"CREATE DATABASE {DATABASE} OWNER msglog", database="postgres")

    def _dynamic(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "max_connections": 100,
            "shared_buffers": "32MB",
            "wal_log_hints": "on",
            "wal_keep_size": "256MB",
            "synchronous_commit": "on",
            # A standby that says nothing for so long is given up; until then commits wait for it.
            "wal_sender_timeout": f"{self.timing['ttl'] // 2}s",
        }
        if not self.named:
            parameters["synchronous_standby_names"] = "ANY 1 (*)"
        return {
            **self.timing,
            "maximum_lag_on_failover": 1048576,
            "check_timeline": True,
            **(NAMED if self.named else ANY),
            "postgresql": {
                "use_pg_rewind": True,
                "use_slots": True,
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
                "parameters": parameters,
            },
        }

    @property
    def url(self) -> str:
        """The address of whichever node can be written to, for msglog."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return (
            f"postgresql://msglog:{self.passwords.msglog}@{hosts}/{DATABASE}"
            f"?target_session_attrs=read-write&connect_timeout={CONNECT_SECONDS}"
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
                if self.query(node, "SELECT pg_is_in_recovery()", database="postgres") == "f":
                    found.append(node)
            return bool(found)

        wait_for("there is no primary", there, seconds)
        return found[0]

    def synchronous(self) -> list[Node]:
        """Return the standbys that Patroni would promote: those that have all that was acknowledged.

        With ANY, of which Patroni knows nothing, those whose word counts.
        """
        primary = self.primary()
        if primary is None:
            return []
        if self.named:
            members = primary.status("cluster").get("members", [])
            names = [one["name"] for one in members if one["role"] == "sync_standby"]
        else:
            names = self.query(
                primary,
                "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'quorum'",
                database="postgres",
            ).split()
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
                database="postgres",
            )
            return int(streaming) == NODES - 1 and bool(self.synchronous())
        except ClusterError:
            return False

    def await_whole(self, seconds: float = START_SECONDS) -> float:
        """Wait for all nodes to be in their places; return how long it took."""
        return wait_for("the cluster is not whole", self.is_whole, seconds)

    def query(self, node: Node, sql: str, *, database: str = DATABASE) -> str:
        """Run one statement at a node as the superuser, and return what it prints."""
        words = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        more = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(node.port),
            "PGUSER": "postgres",
            "PGPASSWORD": self.passwords.superuser,
            "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
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
def running(*, timing: dict[str, int] = QUICK, named: bool = True) -> Iterator[Cluster]:
    """Run a cluster until the block ends."""
    with folder() as place:
        cluster = Cluster(place, timing, named)
        try:
            cluster.open()
            yield cluster
        finally:
            cluster.close()

"""Strikes a cluster as a schedule says, and brings back what was struck."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.high_availability.cluster import Cluster
from tests.high_availability.node import Node
from tests.high_availability.owner import wait_for
from tests.high_availability.schedule import Fault, Kind

OTHER_SECONDS = 120.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that was made. moment: when, in monotonic seconds. node: which one, or a member of etcd."""

    fault: Fault
    moment: float
    node: str
    whole: float
    """Seconds from then on until all nodes were in their places again."""


def strike(cluster: Cluster, fault: Fault) -> Struck:
    """Make one fault, wait, bring everything back and return when the cluster is whole again."""
    primary = cluster.await_primary()
    synchronous = (
        cluster.synchronous() or [node for node in cluster.nodes if node is not primary]
    )[0]
    other = next(node for node in cluster.nodes if node not in (primary, synchronous))
    member = fault.member
    moment = time.monotonic()
    name = primary.name
    match fault.kind:
        case Kind.KILL_PRIMARY:
            primary.kill()
            _await_another(cluster, primary)
        case Kind.RESTART_PRIMARY:
            primary.kill()
        case Kind.CRASH_PRIMARY:
            primary.kill_postgresql()
        case Kind.FREEZE_PRIMARY:
            primary.freeze()
            _await_another(cluster, primary)
        case Kind.KILL_SYNCHRONOUS:
            name = synchronous.name
            synchronous.kill()
        case Kind.FREEZE_SYNCHRONOUS:
            name = synchronous.name
            synchronous.freeze()
            _await_other_standby(cluster, synchronous)
        case Kind.KILL_OTHER:
            name = other.name
            other.kill()
        case Kind.KILL_ETCD:
            name = f"etcd{member}"
            cluster.etcd.kill(member)
        case Kind.KILL_ETCD_MAJORITY:
            name = "two of etcd"
            cluster.etcd.kill(member)
            cluster.etcd.kill((member + 1) % 3)
            wait_for(
                "the primary goes on without etcd",
                lambda: cluster.primary() is None,
                OTHER_SECONDS,
            )
        case Kind.KILL_BOTH:
            name = f"{primary.name}, etcd{member}"
            cluster.etcd.kill(member)
            primary.kill()
            _await_another(cluster, primary)
    time.sleep(fault.down)
    cluster.rejoin_all()
    cluster.await_whole()
    return Struck(fault, moment, name, time.monotonic() - moment)


def _await_another(cluster: Cluster, old: Node) -> None:
    def there() -> bool:
        found = cluster.primary()
        return found is not None and found is not old

    wait_for("nobody takes the primary's place", there, OTHER_SECONDS)


def _await_other_standby(cluster: Cluster, old: Node) -> None:
    def there() -> bool:
        found = cluster.synchronous()
        return bool(found) and old not in found

    wait_for("no other standby is named", there, OTHER_SECONDS)

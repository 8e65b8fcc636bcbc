"""The rows of the benchmark by name, and the targets that they are held against."""

from dataclasses import dataclass

PULL, PULL_CURVE, PULL_FAR = "no-op pull", "no-op pull, curve25519", "no-op pull, 100 ms link"
GIVE, GIVE_CURVE = "add and push of 1", "add and push of 1, curve25519"
GIVE_FAR = "add and push of 1, 100 ms link"
INITIAL, CLONE = "initial push", "clone"
ADD, ADD_SYNCED = "add", "add, all synced"
NEWEST, ALL = "list the newest 20", "list all"
GROWTH = "push of 1"
SPACE = "server, bytes on disk"
MEMORY_PUSH, MEMORY_RECEIVE, MEMORY_CLONE = (
    "peak memory, push",
    "peak memory, receive",
    "peak memory, clone",
)
WIRE_PULL, WIRE_GIVE = "TCP bytes, no-op pull", "TCP bytes, push of 1"
PROTOCOL_PULL, PROTOCOL_PUSH, PROTOCOL_TAKE = (
    "protocol bytes, no-op pull",
    "protocol bytes, push of 1",
    "protocol bytes, pull of 1",
)
TRIPS_PULL, TRIPS_PUSH, TRIPS_TAKE = (
    "round trips, no-op pull",
    "round trips, push of 1",
    "round trips, pull of 1",
)

GROUPS = {
    "initial": (INITIAL,),
    "clone": (CLONE,),
    "pull": (PULL, PULL_CURVE),
    "give": (GIVE, GIVE_CURVE),
    "far": (PULL_FAR, GIVE_FAR),
    "add": (ADD, ADD_SYNCED),
    "list": (NEWEST, ALL),
    "growth": (GROWTH,),
    "space": (SPACE,),
    "memory": (MEMORY_PUSH, MEMORY_RECEIVE, MEMORY_CLONE),
    "wire": (WIRE_PULL, WIRE_GIVE),
    "protocol": (PROTOCOL_PULL, PROTOCOL_PUSH, PROTOCOL_TAKE, TRIPS_PULL, TRIPS_PUSH, TRIPS_TAKE),
}
"""What --rows selects by, in the order of measuring."""

ORDER = tuple(row for rows in GROUPS.values() for row in rows)

OURS, BASELINE, NOTHING = "msglog", "git", "empty script"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for msglog. size: where it holds, None for the largest measured.

    against: the program whose figure ours is divided by; "" bounds the figure itself, and
    "smallest" divides by our own figure at the smallest size.
    """

    row: str
    at_most: float
    size: int | None = None
    against: str = BASELINE


TARGETS = (
    Target(PULL, 0.6),
    Target(PULL_CURVE, 1.0),
    Target(GIVE, 0.6),
    Target(GIVE_CURVE, 1.0),
    Target(INITIAL, 0.5, 100_000),
    Target(INITIAL, 0.5, 1_000_000),
    Target(CLONE, 0.5, 100_000),
    Target(CLONE, 0.6, 1_000_000),
    Target(ADD, 5.0),
    Target(NEWEST, 8.0),
    Target(ALL, 0.3, 100_000),
    Target(GROWTH, 1.1, 1_000_000, "smallest"),
    Target(SPACE, 1.0, 1_000_000),
    Target(MEMORY_PUSH, 64 << 20, 1_000_000, ""),
    Target(MEMORY_RECEIVE, 64 << 20, 1_000_000, ""),
    Target(MEMORY_CLONE, 64 << 20, 1_000_000, ""),
    Target(TRIPS_PULL, 1, None, ""),
    Target(TRIPS_PUSH, 1, None, ""),
    Target(TRIPS_TAKE, 1, None, ""),
    Target(PROTOCOL_PUSH, 1024, None, ""),
    Target(PULL_FAR, 0.8),
)

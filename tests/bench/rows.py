"""The rows of the benchmark by name, and the targets that they are held against."""

from dataclasses import dataclass

from tests.bench import curves

PULL, PULL_CURVE, PULL_FAR = "no-op pull", "no-op pull, curve25519", "no-op pull, 100 ms link"
GIVE, GIVE_CURVE = "add and push of 1", "add and push of 1, curve25519"
GIVE_FAR = "add and push of 1, 100 ms link"
INITIAL, CLONE = "initial push", "clone"
INITIAL_BUSY, CLONE_BUSY = "initial push: processor time", "clone: processor time"
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

REUSE_PULL, REUSE_GIVE = "no-op pull, open connection", "add and push of 1, open connection"
LOGS_FIRST, LOGS_ADD, LOGS_STATUS, LOGS_PUSH, LOGS_PULL = (
    "logs: first push of all",
    "logs: add to one",
    "logs: status of all",
    "logs: push of 1, all asked",
    "logs: no-op pull of all",
)
LARGE_PUSH, LARGE_CLONE = "messages of 1 MiB: push", "messages of 1 MiB: clone"
LARGE_MEMORY_PUSH, LARGE_MEMORY_RECEIVE, LARGE_MEMORY_CLONE, LARGE_MEMORY_SEND = (
    "peak memory, 1 MiB each: push, client",
    "peak memory, 1 MiB each: push, server",
    "peak memory, 1 MiB each: clone, client",
    "peak memory, 1 MiB each: clone, server",
)
MOMENT_ADD, MOMENT_PUSH, MOMENT_PULL, MOMENT_NODE, MOMENT_DEPTH = (
    "one time: add --batch",
    "one time: push",
    "one time: pull into an empty log",
    "one time: bytes of the largest node",
    "one time: depth of the index",
)
CASES = ("1 recent", "100 recent", "100 scattered")
CHOSEN = ("1 at chosen times", "100 at chosen times")
DESCENT = {case: f"bytes without a common root, {case}" for case in (*CASES, *CHOSEN)}
TRIPS_DESCENT = {case: f"round trips without a common root, {case}" for case in (*CASES, *CHOSEN)}
LOAD_RATE, LOAD_MESSAGES, LOAD_MIDDLE, LOAD_SLOWEST = (
    "load: pushes a second",
    "load: messages a second",
    "load: time of a push, median",
    "load: time of a push, 99th percentile",
)
LOAD_CLIENT, LOAD_SERVER, LOAD_FAILURES = (
    "load: CPU time of a push, client",
    "load: CPU time of a push, server",
    "load: failures",
)
LOAD_CLIENTS = (1, 8, 32, 128)

GROUPS = {
    "initial": (INITIAL, INITIAL_BUSY),
    "clone": (CLONE, CLONE_BUSY),
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
    "reuse": (REUSE_PULL, REUSE_GIVE),
    "descent": (*DESCENT.values(), *TRIPS_DESCENT.values()),
    "scale": curves.ROWS,
    "logs": (LOGS_FIRST, LOGS_ADD, LOGS_STATUS, LOGS_PUSH, LOGS_PULL),
    "large": (
        LARGE_PUSH,
        LARGE_CLONE,
        LARGE_MEMORY_PUSH,
        LARGE_MEMORY_RECEIVE,
        LARGE_MEMORY_CLONE,
        LARGE_MEMORY_SEND,
    ),
    "moment": (MOMENT_ADD, MOMENT_PUSH, MOMENT_PULL, MOMENT_NODE, MOMENT_DEPTH),
    "load": (
        LOAD_RATE,
        LOAD_MESSAGES,
        LOAD_MIDDLE,
        LOAD_SLOWEST,
        LOAD_CLIENT,
        LOAD_SERVER,
        LOAD_FAILURES,
    ),
}
"""What --rows selects by, in the order of measuring."""

ORDER = tuple(row for rows in GROUPS.values() for row in rows)

OURS, BASELINE, NOTHING = "msglog", "git", "empty script"
RECONCILIATION, DEPTH, HONEST = "reconciliation", "depth of the index", "honest times"
"""What stands in the place of a program where msglog is held against something else."""


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
    *(Target(DESCENT[case], 2.0, None, RECONCILIATION) for case in CASES),
    *(Target(TRIPS_DESCENT[case], 4, None, "") for case in CASES),
    *(Target(TRIPS_DESCENT[case], 1.0, None, DEPTH) for case in CHOSEN),
    Target(MOMENT_NODE, 4096, None, ""),
    *(Target(LOAD_FAILURES, 0, clients, "") for clients in LOAD_CLIENTS),
)

"""Measures what a view of a log costs beside all of it: `python -m tests.bench.views [MESSAGES]`.

Both sides are stores on disk, the session between them is in memory; prints bytes of the protocol
each way, waits for the other side, and the least time of three. Not a test: its figures are for
decision records.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median

from msglog.index.change import slice_from
from msglog.key import FIRST_KEY, Key, first_key_at
from msglog.message import Message, object_key
from msglog.objectid import ObjectId
from msglog.repository import Repository
from plumbing.fetching import Fetched, Fetcher
from plumbing.pushing import Pushed, Pusher
from plumbing.tracking import Tracking
from tests.plumbing.peers import START, Client, Server

MINUTE = 60_000_000
SEEN = 1000
AT_ONCE = 20_000
REPEATS = 3


def main(size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="msglog-views-") as folder:
        server = Server()
        server.repository = made(Path(folder, "server"))
        for start in range(0, size, AT_ONCE):
            add(server.repository, range(start, min(start + AT_ONCE, size)))
        numbers = count()

        def newcomer() -> Client:
            number = next(numbers)
            client = Client(number % 200 + 1, server)
            client.repository = made(Path(folder, f"client{number}"))
            return client

        view = first_key_at(START + MINUTE * (size - SEEN))
        wider = first_key_at(START + MINUTE * (size - 2 * SEEN))
        measure_slices(server.repository, view)
        for name, since in (("clone since", view), ("clone", FIRST_KEY)):
            clients = [newcomer() for _ in range(REPEATS)]
            report(name, [timed(client, pull, since) for client in clients])
        client = newcomer()
        pull(client, view)
        report("pull of nothing", [timed(client, pull, view) for _ in range(REPEATS)])
        results = []
        for number in range(REPEATS):
            add(server.repository, [size + number])
            results.append(timed(client, pull, view))
        report("pull of 1", results)
        results = []
        for number in range(REPEATS):
            add(client.repository, [size + REPEATS + number])
            results.append(timed(client, push, view))
        report("push of 1", results)
        add(client.repository, [-1])
        report("push of 1 from before", [timed(client, push, view)])
        report("push of nothing, 1 before", [timed(client, push, view)])
        report("widened by 1,000", [timed(client, pull, wider)])
        report("widened to all", [timed(client, pull, FIRST_KEY)])
        assert client.repository.log("main").root == server.repository.log("main").root


def made(folder: Path) -> Repository:
    return Repository.create(folder, identity=str(folder).encode()[-16:].rjust(16), time=START)


def add(repository: Repository, numbers: "range | list[int]") -> None:
    objects = [
        Message(
            uuid=(number % 2**128).to_bytes(16, "big"),
            time=START + MINUTE * number,
            offset=60,
            author="ann",
            body=f"message {number}: " + "the quick brown fox jumps over the lazy dog. " * 4,
        ).encode()
        for number in numbers
    ]
    repository.add("main", {object_key(data): data for data in objects}, time=START)


def tracking(client: Client, view: Key) -> Tracking:
    whole = client.tracking()
    return Tracking(whole.repository, whole.remote, "main", clock=whole.clock, view=view)


def pull(client: Client, view: Key) -> Fetched:
    session = client.session()
    client.traffic = session.traffic
    return Fetcher(session, tracking(client, view), pull=True).run()


def push(client: Client, view: Key) -> Pushed:
    session = client.session()
    client.traffic = session.traffic
    return Pusher(session, tracking(client, view)).run()


def timed(
    client: Client, act: Callable[[Client, Key], Fetched | Pushed], view: Key
) -> tuple[Client, int, float]:
    begun = time.perf_counter()
    done = act(client, view)
    return client, done.messages, time.perf_counter() - begun


def measure_slices(repository: Repository, view: Key) -> None:
    """Print what computing the root of a view costs a server."""
    read: list[int] = []

    def reader(ids: list[ObjectId]) -> dict[ObjectId, bytes]:
        read.append(len(ids))
        return repository.store.read_nodes(ids)

    times = []
    root = repository.log("main").root
    for _ in range(100):
        read.clear()
        begun = time.perf_counter()
        made_nodes = slice_from(reader, root, view).nodes  # type: ignore[arg-type]
        times.append(time.perf_counter() - begun)
    sizes = sum(map(len, made_nodes.values()))
    print(
        f"slice: {sum(read)} nodes read, {len(made_nodes)} made of {sizes} bytes, "
        f"{min(times) * 1000:.2f} ms (median {median(times) * 1000:.2f})",
        flush=True,
    )


def report(name: str, results: list[tuple[Client, int, float]]) -> None:
    client, messages, _ = results[-1]
    traffic = client.traffic
    seconds = min(seconds for _, _, seconds in results)
    print(
        f"{name:<26} {messages:>8} messages  sent {traffic.sent:>8}  "
        f"received {traffic.received:>10}  round trips {traffic.round_trips}  "
        f"{seconds * 1000:9.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)

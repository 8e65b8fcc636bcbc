"""Measures what sessions cost on the wire: `python -m tests.bench.protocol_costs [MESSAGES]...`.

Prints bytes each way and waits for the other side, in memory. Logs are made as indexes of keys, of
which only those that travel have messages, so that a million fit. Not a test: its figures are for
decision records.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence

from msglog.index.change import Index, build, insert
from msglog.key import Key, make_key
from msglog.message import object_key
from msglog.objectid import object_id
from msglog.refname import log_ref
from msglog.store.memory import MemoryStore
from msglog.store.store import Commit, Ref, RefUpdate
from tests.plumbing.peers import START, Client, Server, backup, message

SIZES = (10_000, 100_000, 1_000_000)
GAP = 60_000_000
"""A message a minute, in microseconds."""

PUSHES = 10
BEHIND = 3
"""How many pushes there were before, and how many of them a backup lacks."""


def main(sizes: Sequence[int]) -> None:
    for size in sizes:
        put = put_index(build([honest_key(number) for number in range(size)]))
        report(size, "pull of nothing", small(put, "pull"))
        report(size, "push of 1 of 200 bytes", small(put, "push"))
        report(size, "pull of 1 of 200 bytes", small(put, "take"))
        for lost in ("client", "server"):
            for way in ("pull", "push"):
                report(size, f"{way}, {lost} restored", small(put, way, lost=lost))
        for name, count, recent in (
            ("1 recent", 1, True),
            ("100 recent", 100, True),
            ("100 scattered", 100, False),
            ("10,000 scattered", 10_000, False),
        ):
            report(size, f"descent, {name}", descent(put, size, count, recent=recent))


Put = Callable[[MemoryStore, Sequence[bytes]], None]


def honest_key(number: int) -> Key:
    return make_key(START + GAP * number, object_id(b"%d" % number))


def put_index(index: Index) -> Put:
    """Return what makes an index the log of a store, with a few messages more."""

    def put(store: MemoryStore, objects: Sequence[bytes]) -> None:
        messages = {object_key(data): data for data in objects}
        more = insert(
            lambda ids: {oid: index.nodes[oid] for oid in ids}, index.root, sorted(messages)
        )
        name = log_ref("main")
        old = store.ref(name)
        update = RefUpdate(name, old.root if old else None, Ref(more.root, more.count))
        nodes = {**index.nodes, **more.nodes}
        store.commit(Commit(0, "made", messages=messages, nodes=nodes, refs=[update]))

    return put


def small(put: Put, way: str, *, lost: str = "") -> tuple[Client, float]:
    """Exchange one message, or none, after a history of pushes of one each.

    lost: who was restored from a backup before that, made before the last BEHIND of them.
    """
    server = Server()
    client = Client(1, server)
    sites: dict[str, Server | Client] = {"server": server, "client": client}
    for site in sites.values():
        assert isinstance(site.repository.store, MemoryStore)
        put(site.repository.store, [])
    client.pull()
    saved = client.repository.store
    for number in range(PUSHES):
        if lost and number == PUSHES - BEHIND:
            saved = backup(sites[lost].repository)
        client.add(later(number))
        client.push()
    if lost:
        sites[lost].repository.store = saved
    one = later(PUSHES)
    if way == "push":
        client.add(one)
    elif way == "take":
        server.repository.add("main", {object_key(one): one}, time=START)
    return timed(client, client.push if way == "push" else client.pull)


def later(number: int) -> bytes:
    return message(number, body="x" * 200, time=START + GAP * (10**8 + number))


def descent(put: Put, size: int, count: int, *, recent: bool) -> tuple[Client, float]:
    """Pull when the server has count messages more and the client one that the server lacks."""
    theirs, own = strangers(size, count, recent=recent)
    client = parted(put, theirs, own)
    result = timed(client, client.pull)
    assert client.repository.log("main").count == size + count + 1
    return result


def strangers(size: int, count: int, *, recent: bool) -> tuple[list[bytes], list[bytes]]:
    """Return count messages for the server, after or among those of a log, and one for the client."""
    numbers = random.Random(1)
    places = (
        range(size, size + count) if recent else [numbers.randrange(size) for _ in range(count)]
    )
    theirs = [
        message(number, body="x" * 200, time=START + GAP * place + number)
        for number, place in enumerate(places)
    ]
    return theirs, [message(10**6, body="mine", time=START + GAP * size + 5)]


def parted(put: Put, theirs: Sequence[bytes], own: Sequence[bytes]) -> Client:
    """Return a client and its server which hold the same log but for these, and agree on no root."""
    server = Server()
    client = Client(1, server)
    for site, objects in ((server, theirs), (client, own)):
        assert isinstance(site.repository.store, MemoryStore)
        put(site.repository.store, objects)
    return client


def timed(client: Client, act: Callable[[], object]) -> tuple[Client, float]:
    begun = time.perf_counter()
    act()
    return client, time.perf_counter() - begun


def report(size: int, name: str, result: tuple[Client, float]) -> None:
    client, seconds = result
    traffic = client.traffic
    line = sum(len(word) + 1 for word in client.server.words[-1])
    print(
        f"{size:>9} {name:<24} sent {traffic.sent:>9} + {line:>3}  received {traffic.received:>9}  "
        f"round trips {traffic.round_trips:>2}  {seconds * 1000:8.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or SIZES)

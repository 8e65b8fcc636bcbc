"""Finding what differs without a common root, beside range-based set reconciliation on the same keys.

Both are counted in memory, above SSH: for msglog the questions and answers of a descent and the request
for the messages that it found; for reconciliation all it takes until the client knows every id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msglog.index.change import Index, build
from msglog.key import Key, key_time, make_key
from msglog.message import object_key
from msglog.objectid import object_id
from msglog.refname import log_ref
from msglog.wire.events import Base, Fetch, Transfer
from plumbing.fetching import fetch_request
from plumbing.navigation import find_common_ground
from tests.bench import rows
from tests.bench.protocol_costs import GAP, honest_key, parted, put_index, strangers
from tests.bench.reconciliation import Holder, reconcile
from tests.bench.result import Result
from tests.bench.shape import shape
from tests.plumbing.peers import START, Client, message

CASES = dict(zip(rows.CASES, ((1, True), (100, True), (100, False)), strict=True))
"""By name: how many messages the client lacks, and whether they are the newest."""

CHAINS = (1, 100)
"""How many places of a log an attacker has made deep, with one message that differs in each."""

CROWD = 65
"""One more than a leaf takes: so many messages at one time have the ids told apart as well."""

TIME_NIBBLES = 16


@dataclass(frozen=True, slots=True)
class Found:
    """What it took to find a difference. messages: how many the remote would then send."""

    size: int
    round_trips: int
    messages: int


def honest_keys(size: int) -> list[Key]:
    return [honest_key(number) for number in range(size)]


def measure(
    keys: Sequence[Key], index: Index, theirs: Sequence[bytes], own: Sequence[bytes]
) -> dict[str, Found]:
    """Let a server have some messages more than keys and the client others, and find them both ways."""
    client = parted(put_index(index), theirs, own)
    own_keys, their_keys = map(object_key, own), set(map(object_key, theirs))
    cost = reconcile(Holder([*keys, *own_keys]), Holder([*keys, *their_keys]))
    if cost.lacking != their_keys:
        raise AssertionError("the reconciliation found another difference")
    other = Found(cost.total, cost.round_trips, len(cost.lacking))
    return {rows.OURS: descend(client), rows.RECONCILIATION: other}


def descend(client: Client) -> Found:
    """Find what the client lacks as a fetch does, up to the answer's head."""
    tracking = client.tracking()
    session = client.session()
    try:
        session.send(fetch_request(tracking))
        answer = session.expect(Base)
        if answer.root is None or answer.base is not None:
            raise AssertionError("both sides have a root in common")
        held, made = tracking.held()
        before = (session.traffic.sent, session.traffic.received, session.traffic.round_trips)
        ground = find_common_ground(session, tracking, held, made, answer.root)
        spent = session.traffic.sent + session.traffic.received - before[0] - before[1]
        trips = session.traffic.round_trips - before[2]
        asked = session.traffic.sent
        session.send(Fetch(tracking.log, (), tracking.view, answer.root, ground.wants))
        spent += session.traffic.sent - asked
        head = session.expect(Transfer)
        if head.base != ground.base:
            raise AssertionError("the two sides found another base")
        there = client.server.repository.store.ref(log_ref(tracking.log))
        assert there is not None
        store = client.server.repository
        sent = sum(1 for _ in store.difference(head.base, there.root))
        return Found(spent, trips, sent)
    finally:
        session.close()


def honest(size: int) -> dict[str, dict[str, Found]]:
    """Measure every case of a log of a message a minute."""
    keys = honest_keys(size)
    index = build(keys)
    return {
        name: measure(keys, index, *strangers(size, count, recent=recent))
        for name, (count, recent) in CASES.items()
    }


def chosen(size: int, chains: int) -> tuple[dict[str, Found], int]:
    """Measure a log in which somebody chose times such that the index is deep where it differs.

    Each chain has a message at every time that differs from its own in one of the sixteen hex digits,
    and a crowd at its own. What a message's id is nobody can choose. Returns the index's depth as well.
    """
    times = [START + GAP * size + 7 * GAP * size * number for number in range(chains)]
    crafted: set[Key] = set()
    for number, time in enumerate(times):
        for position in range(TIME_NIBBLES - 1):
            other = time ^ (1 << 4 * position)
            crafted.add(make_key(other, object_id(b"%d %d" % (number, position))))
        for member in range(CROWD):
            crafted.add(make_key(time, object_id(b"%d of %d" % (member, number))))
    keys = sorted({*honest_keys(size), *crafted})
    theirs = [message(number, body="x" * 200, time=time) for number, time in enumerate(times)]
    own = [message(10**6, body="mine", time=key_time(keys[size // 2]))]
    index = build(keys)
    depth = shape(lambda _: index.nodes, index.root).depth
    return measure(keys, index, theirs, own), depth


def record(result: Result, size: int) -> None:
    """Measure every case at one size into a result."""
    cases = honest(size)
    for case, chains in zip(rows.CHOSEN, CHAINS, strict=True):
        cases[case], depth = chosen(size, chains)
        result.append(rows.TRIPS_DESCENT[case], rows.DEPTH, size, "", depth)
    for case, found in cases.items():
        for name, cost in found.items():
            result.append(rows.DESCENT[case], name, size, "B", cost.size)
            result.append(rows.TRIPS_DESCENT[case], name, size, "", cost.round_trips)

"""What every store promises of garbage collection, run over each of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from msglog.index.change import Index, build
from msglog.index.node import EMPTY_ROOT
from msglog.index.walk import iterate
from msglog.key import FIRST_KEY, Key, make_key
from msglog.objectid import DamagedObjectError, ObjectId, object_id
from msglog.postgres_link import Link, _Doubt
from msglog.refname import log_ref
from msglog.repository import Insertion, Repository
from msglog.store import postgres_collection
from msglog.store.collection import REFLOG_LIMIT, REMEMBERED, Collected, Retention
from msglog.store.memory import MemoryStore
from msglog.store.postgres import PostgresStore
from msglog.store.postgres_collection import Collection as PostgresCollection
from msglog.store.postgres_marks import PostgresMarks
from msglog.store.postgres_noted import Noted
from msglog.store.sqlite import SqliteStore
from msglog.store.sqlite_collection import Collection
from msglog.store.store import (
    AGREED_LIMIT,
    Agreement,
    Commit,
    Committed,
    HeldBack,
    MissingObjectError,
    Receipt,
    Ref,
    RefUpdate,
    Refusal,
    Store,
)
from msglog.timestamp import DAY, HOUR
from tests.postgres.databases import Databases, again

IDENTITY = bytes(range(16))
GRACE = 14 * DAY
START = 1_700_000_000_000_000


def message(number: int) -> tuple[Key, bytes]:
    data = b"message %d" % number
    return make_key(number * 1000, object_id(data)), data


def messages(*numbers: int) -> dict[Key, bytes]:
    return dict(message(number) for number in numbers)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore(IDENTITY)
    elif request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_store(IDENTITY)
    else:
        made = SqliteStore.create(tmp_path / "store.db", identity=IDENTITY, first=Commit(0, "made"))
    yield made
    made.close()


def put(store: Store, log: str, numbers: range, time: int, receipt: Receipt | None = None) -> Ref:
    """Put messages into a log, as one push does."""
    given = messages(*numbers)
    repository = Repository(store, Path("/"))
    (ref,) = repository.commit(
        [Insertion(log_ref(log), sorted(given))],
        time=time,
        reason="push",
        messages=given,
        receipt=receipt,
    )
    return ref


def collect(store: Store, now: int, **more: int) -> Collected:
    return store.collect(Retention(now, GRACE, **more))


def keys(store: Store, root: ObjectId) -> list[Key]:
    """Read all that a root reaches, each message checked."""
    found = list(iterate(store.read_nodes, root))
    store.read_messages(found)
    return found


def test_what_a_log_has_stays_for_ever(store: Store) -> None:
    ref = put(store, "main", range(300), START)
    later = START + 100 * 365 * DAY
    assert collect(store, later) == Collected()
    assert len(keys(store, ref.root)) == 300


def test_messages_of_a_deleted_log_go_after_the_grace(store: Store) -> None:
    receipt = Receipt("ann", START, "lab")
    shared = put(store, "main", range(150), START)
    ref = put(store, "lab", range(100, 400), START, receipt)
    held = HeldBack("p", "lab", (Refusal(message(399)[0], "size", "large"),))
    store.commit(Commit(START, "", held_back=[held]))
    repository = Repository(store, Path("/"))
    assert repository.find(object_id(message(399)[1]).hex())
    deleted = START + 300 * DAY
    repository.delete_log("lab", time=deleted)
    assert collect(store, deleted + GRACE - 1).messages == 0
    assert len(keys(store, ref.root)) == 300
    # The look-up by id has only now been told that the log is gone, and was a root so far.
    gone = deleted + 3 * GRACE
    collected = collect(store, gone)
    assert collected.messages == 250
    assert collected.nodes > 5
    assert len(keys(store, shared.root)) == 150
    assert store.find_messages([message(n)[0] for n in range(150, 400)]) == {}
    assert store.held_back("p", "lab") == []
    assert repository.find(object_id(message(399)[1]).hex()) == []
    assert repository.find(object_id(message(149)[1]).hex()) == [message(149)[0]]
    put(store, "lab", range(100, 400), gone, receipt)
    assert repository.find(object_id(message(399)[1]).hex()) == [message(399)[0]]
    assert set(store.receipts(list(messages(*range(400))))) == set(messages(*range(150, 400)))


def test_the_look_up_of_a_deleted_log_holds_it_for_a_grace_more(store: Store) -> None:
    put(store, "lab", range(100), START)
    repository = Repository(store, Path("/"))
    assert repository.find(object_id(message(7)[1]).hex())
    repository.delete_log("lab", time=START)
    assert collect(store, START + GRACE + 1).messages == 0
    assert collect(store, START + 2 * GRACE + 1).messages == 0
    assert collect(store, START + 2 * GRACE + 2).messages == 100


@pytest.mark.parametrize("log", ["main", "gone"])
def test_a_hole_below_what_the_look_up_knows_stops_nothing(store: Store, log: str) -> None:
    """Somebody who slept for longer than the grace may note a root that is gone."""
    ref = put(store, "main", range(300), START)
    store.extend_index(log, object_id(b"removed"), [])
    assert collect(store, START + 3 * GRACE) == Collected()
    assert len(keys(store, ref.root)) == 300


def test_nodes_of_old_roots_go_when_they_were_given_up_a_grace_ago(store: Store) -> None:
    count = REFLOG_LIMIT + 50
    for number in range(count):
        ref = put(store, "main", range(number, number + 1), START + number)
    now = START + DAY
    collected = collect(store, now)
    assert (collected.roots, collected.nodes) == (50, 0)
    assert len(store.reflog(log_ref("main"), 10**6)) == REFLOG_LIMIT
    for entry in store.reflog(log_ref("main"), 10**6):
        assert len(keys(store, entry.root)) == entry.count
    assert collect(store, now + GRACE).nodes == 0
    assert collect(store, now + GRACE + 1).nodes >= 49
    for entry in store.reflog(log_ref("main"), 10**6):
        assert len(keys(store, entry.root)) == entry.count
    aged = collect(store, now + REMEMBERED)
    assert aged.roots == REFLOG_LIMIT - 1
    assert [entry.root for entry in store.reflog(log_ref("main"), 10**6)] == [ref.root]
    collect(store, now + REMEMBERED + GRACE + 1)
    assert len(keys(store, ref.root)) == count


@pytest.mark.parametrize("count", [20, 200])
def test_agreed_roots_hold_what_they_reach(store: Store, count: int) -> None:
    receipt = Receipt("ann", START, "lab")
    ref = put(store, "lab", range(count), START, receipt)
    put(store, "main", range(1000, 1001), START, Receipt("bob", START, "main"))
    view = make_key(5, EMPTY_ROOT)
    agreed = [
        Agreement("p", "lab", FIRST_KEY, ref.root),
        Agreement("q", "lab", view, ref.root),
    ]
    store.commit(Commit(START, "", agreed=agreed))
    repository = Repository(store, Path("/"))
    repository.delete_log("lab", time=START)
    repository.create_log("lab", time=START)
    assert collect(store, START + 2 * REMEMBERED).roots == 1
    assert store.agreed("q", "lab", view) == []
    assert collect(store, START + 3 * REMEMBERED).messages == 0
    assert store.agreed("p", "lab", FIRST_KEY) == [ref.root]
    assert store.receipts(keys(store, ref.root)) == dict.fromkeys(messages(*range(count)), receipt)


def test_what_was_agreed_about_a_log_that_is_gone_is_given_up(store: Store) -> None:
    """Else what somebody had deleted would stay for ever, because somebody else once pushed it."""
    repository = Repository(store, Path("/"))
    agreed = []
    for number, log in enumerate(("lab", "a/lab", "there", "other")):
        root = put(store, log, range(100 * number, 100 * number + 50), START).root
        agreed.append(Agreement("p", log, FIRST_KEY, root))
    store.commit(Commit(START, "", agreed=agreed))
    _, _, there, other = [Ref(one.root, 50) for one in agreed]
    repository.delete_log("lab", time=START)
    repository.delete_log("there", time=START)
    repository.delete_log("other", time=START)
    # All that is known of one of them is what a remote has, and of another what one had.
    refs = [RefUpdate("refs/remotes/p.q/there", None, Ref(EMPTY_ROOT, 0))]
    store.commit(Commit(START, "", refs=refs))
    assert collect(store, START + REMEMBERED - DAY) == Collected()
    assert collect(store, START + REMEMBERED + DAY).roots == 2
    assert [store.agreed("p", log, FIRST_KEY) for log in ("lab", "other")] == [[], []]
    assert store.agreed("p", "there", FIRST_KEY) == [there.root]
    assert store.agreed("p", "a/lab", FIRST_KEY) == [agreed[1].root]
    assert collect(store, START + REMEMBERED + DAY + GRACE + 1).messages == 100
    assert len(keys(store, there.root)) == 50
    assert len(list(iterate(store.read_nodes, agreed[1].root))) == 50
    assert other.root not in store.find_nodes([other.root])


def test_an_agreed_root_that_newer_ones_push_out_is_kept_for_a_grace(store: Store) -> None:
    """A session may have chosen it as its base just before."""
    base = put(store, "lab", range(200), START)
    first = Agreement("p", "main", FIRST_KEY, base.root)
    store.commit(Commit(START, "", agreed=[first]))
    Repository(store, Path("/")).delete_log("lab", time=START)
    now = START + 50 * DAY
    for number in range(AGREED_LIMIT):
        ref = put(store, "main", range(1000 + number, 1001 + number), now)
        agreement = Agreement("p", "main", FIRST_KEY, ref.root)
        store.commit(Commit(now, "", agreed=[agreement]))
    assert base.root not in store.agreed("p", "main", FIRST_KEY)
    assert collect(store, now + GRACE).messages == 0
    assert len(keys(store, base.root)) == 200
    assert collect(store, now + GRACE + 1).messages == 200


def test_what_is_staged_again_is_kept_for_another_grace(store: Store) -> None:
    key, data = message(1)
    oid = object_id(b"node")
    store.commit(Commit(START, "", messages={key: data}, nodes={oid: b"node"}))
    again = START + 30 * DAY
    store.commit(Commit(again, "", messages={key: data}, nodes={oid: b"node"}))
    assert collect(store, again + GRACE - HOUR) == Collected()
    assert store.find_messages([key])
    collected = collect(store, again + GRACE + HOUR)
    assert (collected.messages, collected.nodes) == (1, 1)
    assert not store.find_messages([key])
    assert not store.find_nodes([oid])


def test_a_dry_run_says_what_would_go_and_touches_nothing(store: Store) -> None:
    for number in range(REFLOG_LIMIT + 9):
        put(store, "main", range(number, number + 1), START + number, Receipt("ann", 1, "main"))
    put(store, "lab", range(500, 700), START, Receipt("bob", 1, "lab"))
    Repository(store, Path("/")).delete_log("lab", time=START)
    retention = Retention(START + 2 * GRACE, GRACE)
    said = store.collect(retention, dry_run=True)
    assert said.messages == 200
    assert said.receipts <= 1
    assert store.collect(retention, dry_run=True) == said
    assert len(store.find_messages(list(messages(*range(500, 700))))) == 200
    assert store.collect(retention).messages == said.messages


def test_nothing_goes_while_an_index_of_a_log_is_damaged(store: Store) -> None:
    put(store, "lab", range(100), START)
    Repository(store, Path("/")).delete_log("lab", time=START)
    ref = put(store, "main", range(500, 900), START)
    now = START + 5 * GRACE
    store.commit(Commit(START, "harm", nodes={ref.root: b"other"}))
    with pytest.raises(DamagedObjectError):
        collect(store, now)
    assert len(store.find_messages(list(messages(*range(100))))) == 100
    update = RefUpdate(log_ref("main"), ref.root, Ref(object_id(b"nowhere"), 3))
    store.commit(Commit(START, "harm", refs=[update]))
    with pytest.raises(MissingObjectError):
        collect(store, now)
    assert len(store.find_messages(list(messages(*range(100))))) == 100


def test_holes_below_roots_that_are_only_remembered_stop_nothing(store: Store) -> None:
    put(store, "lab", range(100), START)
    Repository(store, Path("/")).delete_log("lab", time=START)
    ref = put(store, "main", range(500, 900), START)
    gone = Agreement("p", "main", FIRST_KEY, object_id(b"nowhere"))
    store.commit(Commit(START, "", agreed=[gone]))
    assert collect(store, START + 5 * GRACE).messages == 100
    assert len(keys(store, ref.root)) == 400


STEP = st.one_of(
    st.tuples(
        st.just("put"), st.sampled_from("abc"), st.integers(0, 300), st.sampled_from((1, 5, 120))
    ),
    st.tuples(st.just("delete"), st.sampled_from("abc"), st.just(0), st.just(0)),
    st.tuples(st.just("merge"), st.sampled_from("abc"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("agree"), st.sampled_from("abc"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("find"), st.just("a"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.just("a"), st.integers(1, 40), st.just(0)),
    st.tuples(st.just("gc"), st.just("a"), st.integers(1, 3), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=30))
@example([("put", "a", 0, 1), ("delete", "a", 0, 0), ("wait", "a", 14, 0), ("gc", "a", 1, 0)])
def test_sqlite_keeps_and_removes_what_memory_does(steps: list[tuple[str, str, int, int]]) -> None:
    """Whatever is done in whatever order, all that any root reaches can be read."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        memory = MemoryStore(IDENTITY)
        with closing(SqliteStore.create(path, identity=IDENTITY, first=Commit(0, ""))) as file:
            now = START
            for step in steps:
                done = [do(store, step, now) for store in (memory, file)]
                assert done[0] == done[1]
                now += step[2] * DAY if step[0] == "wait" else 1
            file.condense()
            for store in (memory, file):
                check_roots(store)
            assert memory.refs() == file.refs()
            everything = list(messages(*range(1000)))
            assert memory.find_messages(everything) == file.find_messages(everything)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEP, max_size=20))
@example([("put", "a", 0, 1), ("delete", "a", 0, 0), ("wait", "a", 14, 0), ("gc", "a", 1, 0)])
def test_postgresql_keeps_and_removes_what_memory_does(
    databases: Databases, steps: list[tuple[str, str, int, int]]
) -> None:
    memory = MemoryStore(IDENTITY)
    with closing(databases.make_store(IDENTITY, Commit(0, ""))) as rows:
        now = START
        for step in steps:
            done = [do(store, step, now) for store in (memory, rows)]
            assert done[0] == done[1]
            now += step[2] * DAY if step[0] == "wait" else 1
        for store in (memory, rows):
            check_roots(store)
        assert memory.refs() == rows.refs()
        everything = list(messages(*range(1000)))
        assert memory.find_messages(everything) == rows.find_messages(everything)
        assert list(rows.faults()) == []


def do(store: Store, step: tuple[str, str, int, int], now: int) -> object:
    what, log, number, size = step
    repository = Repository(store, Path("/"))
    ref = store.ref(log_ref(log))
    if what == "put":
        return put(store, log, range(number, number + size), now)
    if what == "delete" and ref is not None:
        return repository.delete_log(log, time=now)
    if what == "merge" and ref is not None:
        return repository.merge_into("abc"[number], ref.root, time=now, reason="merge")
    if what == "agree" and ref is not None:
        view = (FIRST_KEY, make_key(5, EMPTY_ROOT))[number]
        store.commit(Commit(now, "", agreed=[Agreement("p", log, view, ref.root)]))
    if what == "find":
        return repository.find(object_id(message(7)[1]).hex())
    if what == "gc":
        collected = collect(store, now, reflog_limit=number)
        return (collected.messages, collected.nodes, collected.roots)
    return None


def check_roots(store: Store) -> None:
    roots = {ref.root for ref in store.refs().values()}
    for log in "abc":
        roots.update(entry.root for entry in store.reflog(log_ref(log), 1000))
        for view in (FIRST_KEY, make_key(5, EMPTY_ROOT)):
            roots.update(store.agreed("p", log, view))
        if store.ref(log_ref(log)) is not None:
            roots.add(store.indexed(log))
    for root in roots:
        keys(store, root)


# Others write meanwhile.


@dataclass(frozen=True)
class Pair:
    """Two connections to one store. collection: what `collect` runs."""

    store: Store
    other: Store
    collection: type


@pytest.fixture(params=["sqlite", "postgres"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    first = Commit(START, "made")
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("databases")
        made = databases.make_store(IDENTITY, first)
        found = Pair(made, again(made), PostgresCollection)
    else:
        path = tmp_path / "store.db"
        store = SqliteStore.create(path, identity=IDENTITY, first=first)
        found = Pair(store, SqliteStore.open(path), Collection)
    with closing(found.store), closing(found.other):
        yield found


def interrupt(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: str, act: Callable[[], object]
) -> list[str]:
    """Have somebody act once, after a step of the collection; return what is there if they did."""
    genuine = getattr(pair.collection, moment)
    done: list[str] = []

    def meanwhile(self: object, *arguments: object) -> object:
        result = genuine(self, *arguments)
        if not done:
            done.append(moment)
            act()
        return result

    monkeypatch.setattr(pair.collection, moment, meanwhile)
    return done


MOMENTS = ["_mark_listed", "_find_unlisted", "_mark_remembered", "_find_unreached", "_give_up"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", ["log", "agreed", "staged"])
def test_what_another_process_takes_up_again_meanwhile_stays(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: str, way: str
) -> None:
    """Its clock is years behind, so that what it stages looks old."""
    store, other = pair.store, pair.other
    put(store, "main", range(10), START)
    ref = put(store, "lab", range(20, 320), START)
    Repository(store, Path("/")).delete_log("lab", time=START)

    def take_up() -> None:
        if way == "log":
            other.commit(Commit(1, "again", refs=[RefUpdate(log_ref("new"), None, ref)]))
        elif way == "agreed":
            other.commit(Commit(1, "", agreed=[Agreement("p", "lab", FIRST_KEY, ref.root)]))
        else:
            put(other, "lab", range(20, 320), 1)

    taken = interrupt(pair, monkeypatch, moment, take_up)
    collect(store, START + 10 * GRACE)
    assert taken
    assert len(keys(store, ref.root)) == 300


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_another_process_stages_again_meanwhile_stays(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """No root reaches it yet: it is its time that counts, looked at when it would be removed."""
    store, other = pair.store, pair.other
    oid = object_id(b"node")
    receipt = Receipt("ann", START, "main")
    for number in (1, 2):
        given = messages(number)
        store.commit(Commit(START, "", messages=given, nodes={oid: b"node"}, receipt=receipt))
    store.commit(Commit(START, "", messages=messages(3), receipt=receipt))
    now = START + 10 * GRACE
    change = Commit(now, "", messages=messages(2), nodes={oid: b"node"})
    taken = interrupt(pair, monkeypatch, moment, lambda: other.commit(change))
    assert collect(store, now).messages == 2
    assert taken
    assert store.find_messages(list(messages(1, 2))) == messages(2)
    assert store.find_nodes([oid])
    assert store.receipts(list(messages(1, 2))) == {message(2)[0]: receipt}
    assert list(store.faults()) == []


def test_a_root_that_is_made_while_rows_go_waits_for_its_turn(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing but the gates keeps the two apart: on another host, after the last look."""
    store = databases.make_store(IDENTITY, Commit(START, "made"))
    other, watcher = again(store), again(store)
    ref = put(store, "lab", range(300), START)
    Repository(store, Path("/")).delete_log("lab", time=START)
    done: list[object] = []
    commit = Commit(1, "again", refs=[RefUpdate(log_ref("new"), None, ref)])
    writer = threading.Thread(target=lambda: done.append(other.commit(commit)))
    genuine = PostgresCollection._look_again

    def look(self: PostgresCollection) -> None:
        genuine(self)
        if not writer.ident:
            writer.start()
            while not watcher._link.select(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query LIKE '%gates%'"
            ):
                assert not done  # nobody may pass before the rows are gone

    monkeypatch.setattr(PostgresCollection, "_look_again", look)
    assert collect(store, START + 10 * GRACE).messages == 300
    writer.join()
    assert done == [Committed()]  # the root that it names was given up a grace ago
    for one in (store, other, watcher):
        one.close()


def staged_and_unused(
    databases: Databases, count: int
) -> tuple[PostgresStore, PostgresStore, Index, Commit]:
    """Return a store with messages that no ref needs, once more, their index, and what uses it."""
    store = databases.make_store(IDENTITY, Commit(START, "made"))
    index = build(sorted(messages(*range(count))))
    staged = Commit(START, "staged", messages=messages(*range(count)), nodes=index.nodes)
    store.commit(staged)
    used = Commit(1, "used", refs=[RefUpdate(log_ref("new"), None, Ref(index.root, index.count))])
    return store, again(store), index, used


@pytest.mark.parametrize("reading", [1, 2])
def test_what_is_looked_at_again_is_whole_although_the_connection_is_lost(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, reading: int
) -> None:
    """A walk that was cut off is begun anew; reading: how many of its nodes are read by then."""
    store, other, index, used = staged_and_unused(databases, 5000)
    look, read = PostgresCollection._look_again, PostgresMarks.read
    looks: list[int] = []
    readings: list[int] = []

    def look_again(self: PostgresCollection) -> None:
        if not looks:
            other.commit(used)
        looks.append(len(looks))
        look(self)

    def cut(self: PostgresMarks, ids: list[ObjectId], *, strict: bool) -> object:
        if ids and looks:
            readings.append(len(ids))
            if len(readings) == reading:
                assert self._link.session.connection is not None
                self._link.session.connection.close()
        return read(self, ids, strict=strict)

    monkeypatch.setattr(PostgresCollection, "_look_again", look_again)
    monkeypatch.setattr(PostgresMarks, "read", cut)
    collect(store, START + 10 * GRACE)
    assert len(readings) > reading
    assert len(keys(store, index.root)) == 5000
    for one in (store, other):
        one.close()


def test_what_was_looked_at_again_stays_marked_although_an_answer_is_lost(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was noted is gone by then, and no later look finds it."""
    monkeypatch.setattr(postgres_collection, "SLICE", 50)
    store, other, index, used = staged_and_unused(databases, 1000)
    store.commit(Commit(START, "staged", messages=messages(*range(2000, 2100))))
    look, commit = PostgresCollection._look_again, Link.commit
    looks: list[int] = []
    lost: list[int] = []

    def look_again(self: PostgresCollection) -> None:
        if not looks:
            other.commit(used)
        looks.append(1)
        look(self)

    def lose(link: Link, **how: bool) -> None:
        commit(link, **how)
        if looks and not lost:
            lost.append(1)
            link.session.close()
            raise _Doubt

    monkeypatch.setattr(PostgresCollection, "_look_again", look_again)
    monkeypatch.setattr(Link, "commit", lose)
    collect(store, START + 10 * GRACE)
    assert lost
    assert len(keys(store, index.root)) == 1000
    assert store.find_messages(list(messages(*range(2000, 2100)))) == {}
    for one in (store, other):
        one.close()


@pytest.mark.parametrize("way", ["another gc", "an earlier state"])
def test_who_finds_nothing_noted_any_more_reads_all_roots_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Another gc believed this one dead, or the database has been brought back."""
    monkeypatch.setattr(postgres_collection, "SLICE", 50)
    store, other, index, used = staged_and_unused(databases, 1000)
    look = PostgresCollection._look_again
    looks: list[int] = []

    def look_again(self: PostgresCollection) -> None:
        looks.append(1)
        if len(looks) == 3:
            if way == "another gc":
                later = Noted(other._link, other._number)
                later.begin(START + 10 * GRACE + 2 * DAY)
            else:
                sql = "DELETE FROM collecting WHERE repository = $1"
                other._link.run(lambda _: other._link.execute(sql, other._number))
            other.commit(used)
        look(self)

    monkeypatch.setattr(PostgresCollection, "_look_again", look_again)
    collect(store, START + 10 * GRACE)
    assert len(looks) > 3
    left = store.find_messages(list(messages(*range(1000))))
    assert len(left) == 900  # two slices went before anybody used them
    assert len(list(iterate(store.read_nodes, index.root))) == 1000
    for one in (store, other):
        one.close()


def test_what_is_done_with_closed_gates_does_not_grow_with_the_roots(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_collection, "SLICE", 20)
    store = databases.make_store(IDENTITY, Commit(START, "made"))
    other = again(store)
    for number in range(30):
        put(store, "lab", range(number, number + 1), START)
    Repository(store, Path("/")).delete_log("lab", time=START + 9 * GRACE)
    store.commit(Commit(START, "staged", messages=messages(*range(5000, 5200))))
    look, new = PostgresCollection._look_again, PostgresMarks.new
    looks: list[int] = []
    asked: list[int] = []

    def look_again(self: PostgresCollection) -> None:
        put(other, "main", range(9000 + len(looks), 9001 + len(looks)), START + 9 * GRACE)
        looks.append(1)
        asked.append(0)
        look(self)
        looks.append(0)

    def count(self: PostgresMarks, ids: list[ObjectId]) -> list[ObjectId]:
        if looks and looks[-1]:
            asked[-1] += len(ids)
        return new(self, ids)

    monkeypatch.setattr(PostgresCollection, "_look_again", look_again)
    monkeypatch.setattr(PostgresMarks, "new", count)
    assert collect(store, START + 9 * GRACE).messages == 200
    assert asked == [1] * 11  # the root that was made since, and not the 30 that are remembered
    assert store._link.select("SELECT * FROM collecting WHERE repository = $1", store._number) == []
    assert store._link.select("SELECT * FROM noted WHERE repository = $1", store._number) == []
    for one in (store, other):
        one.close()


def test_gcs_beside_others_who_write_on_other_hosts(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is written looks old enough to go: only roots that are looked at protect it.

    Each gc runs two graces after the one before it, so that the roots which that one gave up do not
    keep their messages for good. The writers go on until something went beside them.
    """
    monkeypatch.setattr(postgres_collection, "SLICE", 5)
    first = databases.make_store(IDENTITY, Commit(START, "made"))
    hosts = [again(first) for _ in range(5)]
    idle = iter(hosts[3:])
    failures: list[BaseException] = []
    writing = threading.Event()
    removed: list[int] = []
    left: dict[str, int] = {}
    runs = count()

    def alone(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is shown below
                failures.append(error)

        return run

    def write(store: Store, log: str, at: int) -> None:
        repository = Repository(store, Path("/"))
        put(store, log, range(at, at + 1), START)
        for number in range(500):
            if number >= 25 and any(removed):
                break
            # Messages go and come again when gc may be at them, and one more stays each time.
            short = at + 100 + 40 * (number % 12)
            put(store, f"{log}-short", range(short, short + 40), START)
            ref = put(store, log, range(at + 100 + number, at + 101 + number), START)
            assert len(keys(store, ref.root)) == number + 2
            repository.delete_log(f"{log}-short", time=START)
            left[log] = number + 2

    def collect_() -> None:
        store = next(idle)
        while writing.is_set():
            now = START + 10 * GRACE + 2 * HOUR * next(runs)
            removed.append(store.collect(Retention(now, HOUR)).messages)

    writers = [
        threading.Thread(target=alone(lambda at=at: write(hosts[at], f"log{at}", 1000 * at)))  # type: ignore[misc]
        for at in range(3)
    ]
    collectors = [threading.Thread(target=alone(collect_)) for _ in range(2)]
    writing.set()
    for thread in (*writers, *collectors):
        thread.start()
    for thread in writers:
        thread.join()
    writing.clear()
    for thread in collectors:
        thread.join()
    assert failures == []
    assert sum(removed) > 0
    first.collect(Retention(START + 10 * GRACE + 2 * HOUR * next(runs), HOUR))
    for at in range(3):
        ref = first.ref(log_ref(f"log{at}"))
        assert ref is not None
        assert len(keys(first, ref.root)) == left[f"log{at}"]
    assert list(first.faults()) == []
    for one in (first, *hosts):
        one.close()


def test_nothing_temporary_is_left_behind(tmp_path: Path) -> None:
    store = SqliteStore.create(
        tmp_path / "store.db", identity=IDENTITY, first=Commit(START, "made")
    )
    put(store, "main", range(10), START)
    for _ in range(3):
        collect(store, START + 10 * GRACE)
    assert store._link.select("SELECT name FROM temp.sqlite_master") == []
    store.close()

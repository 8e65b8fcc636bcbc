"""Logbooks as programs use them: adding, threads, forks, remotes."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

import msglog
from msglog.logbook import InvalidMessageError
from msglog.message import Message
from msglog.repository import MissingRepositoryError, Repository, UnknownLogError
from msglog.selection import AmbiguousIdError, UnknownMessageError
from msglog.shared_repository import ClosedError, ForkedError
from msglog.store.notice import Notice
from msglog.store.store import StoreError, StoreGoneError
from porcelain import following
from porcelain.surroundings import ProcessSurroundings
from tests.plumbing.peers import add

WRONG_TYPE = r"cannot be .* is wanted"
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)  # noqa: DTZ001 - local ones


@pytest.fixture
def around(tmp_path: Path) -> ProcessSurroundings:
    home = tmp_path / "home"
    home.mkdir()
    return ProcessSurroundings({"HOME": str(home), "MSGLOG_AUTHOR": "ann", "PATH": os.defpath})


@pytest.fixture
def book(tmp_path: Path, around: ProcessSurroundings) -> Iterator[msglog.Logbook]:
    with msglog.init(tmp_path / "notes", surroundings=around) as made:
        yield made


def test_what_is_added_is_there_for_whoever_opens_it(tmp_path: Path, book: msglog.Logbook) -> None:
    moment = datetime(2026, 1, 31, 12, 30, 0, 250_000, timezone(timedelta(hours=1)))
    first = book.add(
        "beam is back", tags=["x", "beam", "x"], meta={"kev": 6.5, "ok": True}, time=moment
    )
    answer = book.add("seen", reply_to=first, author="bob")
    with msglog.open(tmp_path / "notes") as again, msglog.open(book.path) as direct:
        assert again.path == direct.path == str(tmp_path / "notes" / ".msglog")
        assert again.id == book.id
        found = again.get(first.id[:10])
        assert list(direct.log()) == [answer, first]
    assert found == first
    assert (found.body, found.author, found.log) == ("beam is back", "ann", "main")
    assert (found.tags, found.meta) == (("beam", "x"), {"kev": 6.5, "ok": True})
    assert found.time == moment
    assert found.time.utcoffset() == timedelta(hours=1)
    assert (answer.reply_to, answer.author) == (first.id, "bob")
    assert str(answer) == "seen"


def test_one_call_is_one_transaction_in_the_order_given(book: msglog.Logbook) -> None:
    added = book.add_many([f"step {number}" for number in range(300)])
    assert list(book.log().reverse()) == added
    with pytest.raises(InvalidMessageError, match="blank"):
        book.add_many(["good", " \n"])
    with pytest.raises(InvalidMessageError, match="a tag"):
        book.add_many(["good", msglog.Draft("bad", tags=["t" * 1000])])
    assert book.log().count() == 300


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (UnknownLogError, {"log": "other"}),
        (UnknownMessageError, {"reply_to": "abcdef"}),
        (InvalidMessageError, {"author": ""}),
    ],
)
def test_what_cannot_be_added(book: msglog.Logbook, error: type[Exception], what: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(error):
        book.add("text", **what)
    assert book.log().count() == 0


def test_logs(book: msglog.Logbook) -> None:
    book.create_log("lab/p01")
    assert book.logs() == ["lab/p01", "main"]
    entry = book.add("text", log="lab/p01")
    assert (book.log("lab/p01").count(), book.log().count()) == (1, 0)
    assert book.get(entry.id).log == "lab/p01"
    with pytest.raises(UnknownLogError):
        book.log("other")


def test_an_id_that_is_none_or_several(book: msglog.Logbook) -> None:
    with pytest.raises(UnknownMessageError):
        book.get("abcdef")
    beginnings: set[str] = set()
    for entry in book.add_many([str(number) for number in range(1000)]):
        if entry.id[:4] in beginnings:
            with pytest.raises(AmbiguousIdError):
                book.get(entry.id[:4])
            return
        beginnings.add(entry.id[:4])
    raise AssertionError("a thousand ids with other beginnings, of 65,536")


def test_times_that_datetime_does_not_have(book: msglog.Logbook) -> None:
    with book._shared.using() as repository:
        late = Message(b"u" * 16, (1 << 63) - 1, 0, "ann", "late").encode()
        add(repository, late)
    (entry,) = book.log()
    assert entry.microseconds == (1 << 63) - 1
    with pytest.raises(OverflowError):
        _ = entry.time


def test_a_time_without_a_zone_is_local(book: msglog.Logbook) -> None:
    naive = datetime(2026, 1, 31, 12, 30)  # noqa: DTZ001 - what this is about
    assert book.add("text", time=naive).time == naive.astimezone(UTC)


def test_what_waits_nowhere_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=str(tmp_path)):
        msglog.open(tmp_path)


def test_a_folder_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(MissingRepositoryError, match=f"there is no repository in {tmp_path}/nope"):
        msglog.open(tmp_path / "nope")
    (tmp_path / "file").touch()
    with pytest.raises(MissingRepositoryError):
        msglog.open(tmp_path / "file" / "below")
    with pytest.raises(StoreError) as hidden:
        msglog.open(tmp_path / ("n" * 300))  # which the system does not say to be missing
    assert not isinstance(hidden.value, MissingRepositoryError)


@pytest.mark.parametrize("name", ["file/below", "n" * 300])
def test_what_the_system_refuses(tmp_path: Path, around: ProcessSurroundings, name: str) -> None:
    (tmp_path / "file").touch()
    msglog.init(tmp_path / "server").close()
    refused = r"cannot use .*(File exists|Not a directory|too long)"
    with pytest.raises(msglog.LocalError, match=refused):
        msglog.init(tmp_path / name)
    with pytest.raises(msglog.LocalError, match=refused):
        msglog.clone(str(tmp_path / "server"), tmp_path / name, surroundings=around)


def test_what_the_system_refuses_later(
    book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Repository, "add", refuse)
    with pytest.raises(msglog.LocalError, match="No space left"):
        book.add("text")


@pytest.mark.parametrize(
    ("call", "arguments", "named"),
    [
        (msglog.open, [b"notes"], {}),
        (msglog.init, [None], {}),
        (msglog.clone, [5], {}),
        (msglog.clone, ["notes"], {"logs": "main"}),
        (msglog.clone, ["notes"], {"since": 5}),
        (msglog.LogHandler, ["notes"], {"tags": "daq"}),
        (msglog.LogHandler, ["notes"], {"author": 5}),
        (msglog.QueuedLogHandler, ["notes"], {"waiting": "x"}),
    ],
)
def test_arguments_of_the_wrong_type(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., object],
    arguments: Sequence[object],
    named: dict[str, object],
) -> None:
    monkeypatch.chdir(tmp_path)
    msglog.init("notes").close()
    with pytest.raises(msglog.UsageError, match=WRONG_TYPE) as raised:
        call(*arguments, **named)
    assert isinstance(raised.value, TypeError)


@pytest.mark.parametrize(
    ("method", "arguments", "named"),
    [
        ("add", [5], {}),
        ("add", ["text"], {"tags": "abc"}),
        ("add", ["text"], {"tags": ["a", 5]}),
        ("add", ["text"], {"tags": 5}),
        ("add", ["text"], {"meta": "abc"}),
        ("add", ["text"], {"reply_to": 5}),
        ("add", ["text"], {"time": 0}),
        ("add", ["text"], {"log": None}),
        ("add_many", ["text"], {}),
        ("add_many", [["text", 5]], {}),
        ("add_many", [5], {}),
        ("log", [5], {}),
        ("create_log", [5], {}),
        ("rename_log", ["main", 5], {}),
        ("delete_log", [None], {}),
        ("get", [5], {}),
        ("search", [5], {}),
        ("search", ["text"], {"logs": "main"}),
        ("search", ["text"], {"limit": "x"}),
        ("watch", [5], {}),
        ("watch", [None, ["main"]], {}),
        ("watch", [], {"newest": "x"}),
        ("watch", [], {"timeout": "x"}),
        ("add_remote", ["origin", 5], {}),
        ("remove_remote", [5], {}),
        ("pull", [5], {}),
        ("pull", ["origin"], {"since": 0}),
        ("fetch", ["origin", ["main"]], {}),
        ("push", ["origin", 5], {}),
        ("sync", ["origin", None], {}),
    ],
)
def test_arguments_of_the_wrong_type_for_a_logbook(
    book: msglog.Logbook, method: str, arguments: Sequence[object], named: dict[str, object]
) -> None:
    with pytest.raises(msglog.UsageError, match=WRONG_TYPE) as raised:
        getattr(book, method)(*arguments, **named)
    assert isinstance(raised.value, TypeError)
    assert book.log().count() == 0


def test_arguments_that_mean_nothing(book: msglog.Logbook) -> None:
    with pytest.raises(msglog.UsageError, match="a zero byte"):
        msglog.open("a\0b")
    with pytest.raises(msglog.UsageError, match="not valid Unicode"):
        msglog.open("\ud800")
    with pytest.raises(msglog.UsageError, match="not valid Unicode"):
        book.pull("../\ud800")
    with pytest.raises(msglog.UsageError, match="less than 0"):
        book.search("text", limit=-1)
    with pytest.raises(msglog.UsageError, match="less than 0"):
        book.watch(newest=-1)
    with pytest.raises(msglog.UsageError, match="not a number"):
        book.watch(timeout=float("nan"))


def test_a_date_is_its_beginning(book: msglog.Logbook) -> None:
    entry = book.add("text", time=date(2026, 1, 31))
    assert entry.time == datetime(2026, 1, 31).astimezone()
    assert book.log().since(date(2026, 1, 31)).until(date(2026, 1, 31)).count() == 1
    assert book.log().until(date(2026, 1, 30)).count() == 0


def test_the_first_and_the_last_time_of_datetime(book: msglog.Logbook) -> None:
    book.add("text")
    assert book.log().since(FIRST).until(LAST).count() == 1


def test_saying_init_twice_opens_it(tmp_path: Path, book: msglog.Logbook) -> None:
    with msglog.init(tmp_path / "notes") as again:
        assert again.id == book.id


def test_after_it_is_closed(book: msglog.Logbook) -> None:
    query = book.log()
    book.close()
    book.close()
    for use in (query.count, lambda: book.add("text"), book.logs, book.remotes, lambda: [*query]):
        with pytest.raises(ClosedError):
            use()


def test_threads_share_one(book: msglog.Logbook) -> None:
    def work(number: int) -> None:
        for step in range(20):
            book.add(f"{number} {step}")
            assert book.log().limit(3).count() <= 3
            assert next(iter(book.log())).log == "main"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bodies = [entry.body for entry in book.log().reverse()]
    for number in range(4):
        mine = [body for body in bodies if body.startswith(f"{number} ")]
        assert mine == [f"{number} {step}" for step in range(20)]


def test_a_forked_child_goes_on_with_a_connection_of_its_own(book: msglog.Logbook) -> None:
    book.add_many([str(number) for number in range(600)])
    begun = iter(book.log())
    next(begun)
    pid = os.fork()
    if not pid:
        status = 1
        try:
            book.add("child")
            try:
                next(begun)
            except ForkedError:
                status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert len([*begun]) == 599
    assert book.add("parent") == book.log().first()
    assert {entry.body for entry in book.log().limit(2)} == {"child", "parent"}


def in_worker(path: str, number: int) -> msglog.Entry:
    with msglog.open(path, author="worker") as book:
        return book.add(f"number {number}") if number else book.get("0000")


def test_what_workers_return_or_raise_comes_back(book: msglog.Logbook) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as workers:
        done = [workers.submit(in_worker, book.path, number) for number in range(4)]
        with pytest.raises(UnknownMessageError, match="0000"):
            done[0].result()
        assert {one.result() for one in done[1:]} == set(book.log())


def test_a_fork_waits_until_no_thread_is_within_sqlite(book: msglog.Logbook) -> None:
    held = threading.Event()
    log: list[str] = []

    def work() -> None:
        with book._shared.using():
            held.set()
            while not forking.is_set():
                pass
            log.append("worked")

    forking = threading.Event()
    worker = threading.Thread(target=work)
    worker.start()
    held.wait()
    forking.set()
    pid = os.fork()
    if not pid:
        os._exit(0 if log == ["worked"] and book.add("child").body == "child" else 1)
    assert os.waitpid(pid, 0)[1] == 0
    worker.join()
    assert book.log().count() == 1


def test_a_fork_does_not_wait_for_ever(
    book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msglog.shared_repository.FORK_SECONDS", 0.01)
    held, over = threading.Event(), threading.Event()

    def work() -> None:
        with book._shared.using():
            held.set()
            over.wait()

    worker = threading.Thread(target=work)
    worker.start()
    held.wait()
    pid = os.fork()
    if not pid:
        os._exit(0 if book.add("child").body == "child" else 1)
    over.set()
    worker.join()
    assert os.waitpid(pid, 0)[1] == 0


def test_damage_is_found(book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = book.add("text")
    assert [*book.verify()] == []
    with book._shared.using() as repository:
        monkeypatch.setattr(repository.store, "find_messages", lambda _: {})
    (damage,) = book.verify()
    assert (damage.kind, damage.name, damage.ref) == ("message", entry.id, "refs/logs/main")
    assert damage.why == "it is missing"


def test_the_whole_way_to_a_remote_and_back(
    tmp_path: Path, book: msglog.Logbook, around: ProcessSurroundings
) -> None:
    msglog.init(tmp_path / "server").close()
    book.add("one")
    book.add_remote("origin", str(tmp_path / "server"))
    assert book.remotes() == {"origin": str(tmp_path / "server")}
    assert [(one.ahead, one.behind) for one in book.status()] == [(None, None)]
    (pushed,) = book.push("origin")
    assert (pushed.log, pushed.pushed, pushed.count) == ("main", 1, 1)
    assert (pushed.remote, pushed.root, pushed.error) == ("origin", book.log().root, None)

    with msglog.clone(str(tmp_path / "server"), tmp_path / "bob", surroundings=around) as bob:
        assert [str(entry) for entry in bob.log()] == ["one"]
        bob.create_log("other")
        bob.add("two", log="other")
        bob.add("three")
        assert [(one.log, one.ahead, one.behind) for one in bob.status()] == [
            ("main", 1, 0),
            ("other", None, None),
        ]
        assert {one.log: one.pushed for one in bob.sync()} == {"main": 1, "other": 1}
    (fetched,) = book.fetch("origin", "main")
    assert (fetched.pulled, fetched.count, book.log().count()) == (1, 2, 1)
    assert [(one.log, one.ahead, one.behind) for one in book.status()] == [("main", 0, 1)]
    new = book.log("main..origin/main")
    assert [(entry.log, entry.body) for entry in new] == [("main", "three")]
    assert (new.count(), new.author("nobody").count(), new.root) == (1, 0, fetched.root)
    assert [str(entry) for entry in book.log("origin/main").reverse()] == ["one", "three"]
    assert {one.log: (one.pulled, one.fetched_before, one.count) for one in book.pull()} == {
        "main": (0, 1, 2),
        "other": (1, 0, 1),
    }
    assert new.first() is None
    book.remove_remote("origin")
    with pytest.raises(UnknownLogError):
        new.count()
    assert (book.remotes(), book.status()) == ({}, [])


def test_the_names_are_there_before_they_are_imported() -> None:
    assert set(msglog.__all__) <= set(dir(msglog))
    for name in msglog.__all__:
        assert getattr(msglog, name) is not None
    with pytest.raises(AttributeError, match="'nonsense'"):
        _ = msglog.nonsense  # type: ignore[attr-defined]


def test_nobody_pays_for_what_they_do_not_use() -> None:
    program = "import sys; import msglog; print(*sorted(n for n in sys.modules if 'msglog' in n))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["msglog", "msglog.annotation"]


def test_an_older_handle_sees_what_another_adds(tmp_path: Path, book: msglog.Logbook) -> None:
    query = book.log().since("1 hour ago")
    assert query.count() == 0
    other = Repository.open(tmp_path / "notes" / ".msglog")
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    add(other, Message(b"u" * 16, now, 0, "bob", "new").encode())
    other.close()
    assert [entry.author for entry in query] == ["bob"]


def test_it_goes_on_in_the_repository_that_took_the_place_of_its_own(
    tmp_path: Path, book: msglog.Logbook, around: ProcessSurroundings
) -> None:
    book.add("before")
    (tmp_path / "notes" / ".msglog").rename(tmp_path / "aside")
    with pytest.raises(MissingRepositoryError):
        book.add("into nowhere")
    with msglog.init(tmp_path / "notes", surroundings=around) as new:
        added = book.add("after")
        assert list(new.log()) == list(book.log()) == [added]
        assert book.id == new.id


def test_what_was_begun_in_another_repository_ends(
    tmp_path: Path, book: msglog.Logbook, around: ProcessSurroundings
) -> None:
    book.add_many([f"{number} words" for number in range(1000)])
    begun = (iter(book.log()), book.search("words"))
    for one in begun:
        next(one)
    shutil.rmtree(tmp_path / "notes" / ".msglog")
    msglog.init(tmp_path / "notes", surroundings=around).close()
    for one in begun:
        with pytest.raises(StoreGoneError, match="another repository"):
            list(one)
    assert list(book.log()) == []


def test_what_is_removed_while_it_is_written_to_is_not_acknowledged(
    tmp_path: Path,
    book: msglog.Logbook,
    around: ProcessSurroundings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = Repository.add

    def late(*arguments: object, **options: object) -> object:
        shutil.rmtree(tmp_path / "notes")
        msglog.init(tmp_path / "notes", surroundings=around).close()
        return add(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Repository, "add", late)
        with pytest.raises(StoreGoneError):
            book.add("too late")
    assert [entry.body for entry in book.log()] == []


def test_logs_are_renamed_and_deleted(book: msglog.Logbook) -> None:
    book.add("text")
    book.rename_log("main", "old")
    assert book.logs() == ["old"]
    assert book.log("old").count() == 1
    book.delete_log("old")
    assert book.logs() == []
    with pytest.raises(UnknownLogError):
        book.delete_log("old")


def test_what_comes_is_watched(tmp_path: Path, book: msglog.Logbook) -> None:
    book.create_log("lab")
    first = book.add("first")
    everything = book.watch(newest=1, timeout=0)
    only_lab = book.watch(None, "la*", timeout=0)
    with msglog.open(tmp_path / "notes", author="bob") as other:
        second = other.add("second")
        third = other.add("third", log="lab")
    assert list(everything) == [first, third, second]
    assert list(only_lab) == [third]
    with pytest.raises(UnknownLogError):
        book.watch(None, "nowhere")


def test_it_is_waited_for_what_comes(tmp_path: Path, book: msglog.Logbook) -> None:
    coming = book.watch(timeout=60)

    def add_later() -> None:
        with msglog.open(tmp_path / "notes", author="bob") as other:
            other.add("later")

    thread = threading.Timer(0.05, add_later)
    thread.start()
    assert next(coming).body == "later"
    thread.join()
    coming.close()


def test_closing_it_ends_what_watches_it(
    book: msglog.Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another thread as well: nothing else can end that."""
    waits = threading.Event()
    wait = following._wait

    def noticed(notice: Notice, most: float | None) -> None:
        waits.set()
        wait(notice, 0.01 if most is None else most)

    monkeypatch.setattr(following, "_wait", noticed)
    book.add("only")
    coming, came = book.watch(newest=1), list[str]()
    thread = threading.Thread(target=lambda: came.extend(entry.body for entry in coming))
    thread.start()
    assert waits.wait(60)
    book.close()
    thread.join(60)
    assert not thread.is_alive()
    assert came == ["only"]


def test_closing_it_ends_what_watches_it_where_always_more_comes(
    tmp_path: Path, book: msglog.Logbook
) -> None:
    book.add("0")
    with msglog.open(tmp_path / "notes", author="bob") as other:
        for number, entry in enumerate(book.watch(newest=1)):
            assert entry.body == str(number)
            assert number <= 2
            other.add(str(number + 1))
            if number == 2:
                book.close()
    assert number == 2

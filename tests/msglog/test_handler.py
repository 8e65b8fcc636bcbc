"""Handlers of `logging`: what becomes of records, and that programs never notice trouble."""

import contextlib
import logging
import logging.config
import logging.handlers
import math
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import msglog
from msglog.handler import BATCH
from msglog.repository import UnknownLogError
from msglog.store import sqlite_commit
from msglog.store.sqlite_link import Link
from msglog.store.store import Commit, Lost, StoreBusyError, StoreError


@pytest.fixture
def book(tmp_path: Path) -> Iterator[msglog.Logbook]:
    with msglog.init(tmp_path / "notes", author="ann") as made:
        yield made


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("lab.beam")
    logger.setLevel(1)
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def test_a_record_is_a_message_at_once(book: msglog.Logbook, logger: logging.Logger) -> None:
    handler = msglog.LogHandler(book, tags=["daq"])
    logger.addHandler(handler)
    logger.warning("shutter %d stuck", 3, extra={"run": 42, "kev": 6.5, "ok": False, "who": None})
    (entry,) = book.log()
    assert (entry.body, entry.author) == ("shutter 3 stuck", "ann")
    assert entry.tags == ("daq", "warning")
    assert entry.meta == {"logger": "lab.beam", "run": 42, "kev": 6.5, "ok": False}
    handler.close()
    assert book.log().count() == 1  # a logbook that was lent is not closed


def test_the_text_is_the_formatters_and_has_the_traceback(
    book: msglog.Logbook, logger: logging.Logger
) -> None:
    for kind in (msglog.LogHandler, msglog.QueuedLogHandler):
        handler = kind(book)
        handler.setFormatter(logging.Formatter("<%(levelname)s> %(message)s"))
        logger.addHandler(handler)
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            logger.exception("oops")
        handler.flush()
        logger.removeHandler(handler)
        handler.close()
        newest = book.log().first()
        assert newest is not None
        assert newest.body.startswith("<ERROR> oops\nTraceback (most")
        assert newest.body.count("oops") == 1


def test_what_no_message_can_hold_is_made_fit(book: msglog.Logbook, logger: logging.Logger) -> None:
    logger.addHandler(msglog.LogHandler(book))
    logging.addLevelName(7, "")
    extra = {
        "big": 1 << 70,
        "nan": math.nan,
        "path": Path("/x"),
        "k" * 300: "v" * 100_000,
        **{f"more{number}": number for number in range(100)},
    }
    logger.error("half \udc80 a character", extra=extra)
    logger.error(" \n")
    logger.log(7, "nameless")
    nameless, blank, odd = book.log()
    assert nameless.tags == ("log",)
    assert blank.body == "(no text)"
    assert odd.body == "half \\udc80 a character"
    assert odd.meta["big"] == str(1 << 70)
    assert (odd.meta["nan"], odd.meta["path"]) == ("nan", "/x")
    assert len(str(odd.meta["k" * 128])) == 1 << 16
    assert len(odd.meta) == 64


def test_records_of_one_moment_keep_their_order(book: msglog.Logbook) -> None:
    handler = msglog.QueuedLogHandler(book)
    records = [logging.makeLogRecord({"msg": str(n), "created": 1000.0}) for n in range(50)]
    for record in records:
        handler.handle(record)
    handler.close()
    assert [entry.body for entry in book.log().reverse()] == [str(n) for n in range(50)]


def test_a_program_never_sees_trouble(
    book: msglog.Logbook, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    direct, queued = msglog.LogHandler(book), msglog.QueuedLogHandler(book)
    logger.addHandler(direct)
    logger.addHandler(queued)
    book.close()
    logger.error("into nothing")
    for handler in (direct, queued):  # pytest's own would raise
        handler.handle(logging.makeLogRecord({"msg": "wrong %d", "args": ("argument",)}))
    queued.flush()
    assert capsys.readouterr().err.count("--- Logging error ---") == 4
    with pytest.raises(UnknownLogError):
        msglog.LogHandler(book.path, log="other")


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each transaction has that was begun so far."""
    sizes: list[int] = []
    whole = msglog.LogHandler.write

    def write(target: msglog.LogHandler, drafts: list[msglog.Draft]) -> None:
        sizes.append(len(drafts))
        BEGUN.set()
        whole(target, drafts)

    BEGUN.clear()
    monkeypatch.setattr(msglog.LogHandler, "write", write)
    return sizes


BEGUN = threading.Event()


def test_many_records_go_into_few_transactions(
    book: msglog.Logbook, logger: logging.Logger, sizes: list[int]
) -> None:
    handler = msglog.QueuedLogHandler(book)
    logger.addHandler(handler)
    with book._shared.using():  # nothing can be written meanwhile
        logger.info("first")
        BEGUN.wait()
        for number in range(2 * BATCH):
            logger.info("%d", number)
    handler.flush()
    assert sizes == [1, BATCH, BATCH]
    assert book.log().count() == 1 + 2 * BATCH


def test_what_finds_the_queue_full_is_counted(
    book: msglog.Logbook, logger: logging.Logger, sizes: list[int]
) -> None:
    handler = msglog.QueuedLogHandler(book, waiting=10)
    logger.addHandler(handler)
    with book._shared.using():
        logger.info("first")
        BEGUN.wait()
        for number in range(100):
            logger.info("%d", number)
    handler.flush()
    logger.info("last")
    handler.close()
    (told,) = book.log().tag("left-out")
    assert told.body == "90 records were left out."
    assert book.log().count() == 1 + 10 + 1 + 1
    assert sizes[0] == 1


def test_a_busy_store_is_waited_for_and_a_broken_one_is_not(
    book: msglog.Logbook,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = msglog.QueuedLogHandler(book)
    logger.addHandler(handler)
    whole = msglog.Logbook.add_many
    errors: list[Exception] = [StoreBusyError("busy"), StoreError("disk full")]

    def add_many(*arguments: object, **named: object) -> object:
        if errors:
            raise errors.pop(0)
        return whole(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("msglog.handler._BUSY_SECONDS", 0.001)
    monkeypatch.setattr(msglog.Logbook, "add_many", add_many)
    logger.info("lost")
    handler.flush()
    assert capsys.readouterr().err.count("--- Logging error ---") == 1
    logger.info("there")
    handler.flush()
    assert sorted(str(entry) for entry in book.log()) == [
        "1 record was left out.",
        "there",
    ]


def test_nothing_waits_for_ever_for_a_busy_store(
    book: msglog.Logbook, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StoreBusyError("busy")

    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = msglog.QueuedLogHandler(book)
    monkeypatch.setattr(msglog.Logbook, "add_many", busy)
    monkeypatch.setattr("msglog.handler.FLUSH_SECONDS", 0.3)
    logger.addHandler(handler)
    logger.info("text")
    handler.flush()
    handler.close()
    logger.info("after it was closed")


def _child(number: int) -> None:
    for step in range(20):
        logging.getLogger("forking").info("%d %d", number, step)


def test_children_write_what_they_log_and_only_that(tmp_path: Path) -> None:
    msglog.init(tmp_path).close()
    handler = msglog.QueuedLogHandler(tmp_path)
    logger = logging.getLogger("forking")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        logger.info("parent")
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=_child, args=(number,)) for number in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert [child.exitcode for child in children] == [0, 0, 0]
    with msglog.open(tmp_path) as book:
        found = sorted(entry.body for entry in book.log())
    assert found == sorted(["parent", *(f"{n} {step}" for n in range(3) for step in range(20))])


END = """
import logging, sys, msglog
logging.basicConfig(level="INFO", handlers=[msglog.QueuedLogHandler(sys.argv[1], author="ann")])
for number in range(1000):
    logging.info("%d", number)
{ending}
"""


@pytest.mark.parametrize(
    ("ending", "status"), [("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1)], ids=str
)
def test_all_is_written_when_the_program_ends(tmp_path: Path, ending: str, status: int) -> None:
    msglog.init(tmp_path).close()
    done = subprocess.run(
        [sys.executable, "-c", END.format(ending=ending), str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Logging error" in done.stderr) == (status, False)
    with msglog.open(tmp_path) as book:
        assert book.log().count() == 1000


@pytest.mark.parametrize("kind", ["class", "()"])
@pytest.mark.parametrize("name", ["LogHandler", "QueuedLogHandler"])
def test_it_is_configured_by_a_dictionary(
    book: msglog.Logbook, logger: logging.Logger, kind: str, name: str
) -> None:
    where = {kind: f"msglog.{name}", "where": book.path, "tags": ["web"], "level": "INFO"}
    use = {"handlers": ["book"], "level": "DEBUG", "propagate": False}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"book": where},
            "loggers": {logger.name: use},
        }
    )
    logger.info("served")
    logger.debug("not for the book")
    for handler in logger.handlers:
        handler.flush()
    assert [(entry.body, entry.tags) for entry in book.log()] == [("served", ("info", "web"))]


def test_a_queued_handler_is_none_that_logging_makes_queues_for() -> None:
    """As `dictConfig` does from Python 3.12 on for a QueueHandler, whose arguments ours has not."""
    assert not issubclass(msglog.QueuedLogHandler, logging.handlers.QueueHandler)


@pytest.mark.parametrize("level", ["LOUD", 1.5, None])
@pytest.mark.parametrize("kind", [msglog.LogHandler, msglog.QueuedLogHandler])
def test_a_level_that_is_none_leaves_nothing_open(
    book: msglog.Logbook, kind: type[msglog.LogHandler], level: Any
) -> None:
    before = threading.active_count(), sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(msglog.UsageError, match="level"):
        kind(book.path, level=level)
    assert (threading.active_count(), sorted(os.listdir("/proc/self/fd"))) == before


def test_what_is_changed_after_it_was_logged_changes_nothing(
    book: msglog.Logbook, logger: logging.Logger, sizes: list[int]
) -> None:
    handler = msglog.QueuedLogHandler(book)
    logger.addHandler(handler)
    request = ["/served"]
    with book._shared.using():  # nothing can be written meanwhile
        logger.info("first")
        BEGUN.wait()
        logger.info("%s", request, extra={"request": request})
        request.append("/later")
    handler.flush()
    entry = book.log().meta("request").first()
    assert entry is not None
    assert (entry.body, entry.meta["request"]) == ("['/served']", "['/served']")
    assert sizes == [1, 1]


def test_what_is_logged_while_something_is_logged_waits_for_nothing(
    book: msglog.Logbook, logger: logging.Logger
) -> None:
    """As a `__del__` or a handler of a signal does, at any point of what runs just now."""
    handler = msglog.QueuedLogHandler(book)
    logger.addHandler(handler)
    inner = 0

    def anywhere(frame: FrameType, event: str, _: object) -> None:
        nonlocal inner
        if event == "call" and frame.f_globals.get("__name__") == "queue":
            inner += 1
            sys.setprofile(None)
            logger.warning("inner")
            sys.setprofile(anywhere)

    sys.setprofile(anywhere)
    try:
        logger.warning("outer")
    finally:
        sys.setprofile(None)
    handler.close()
    assert book.log().grep("outer").count() == 1
    assert book.log().grep("inner").count() == inner


@pytest.mark.parametrize("leaving", [False, True])
def test_what_a_handler_of_a_signal_logs_in_the_midst_of_a_record_is_written_too(
    book: msglog.Logbook,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    *,
    leaving: bool,
) -> None:
    logger.addHandler(msglog.LogHandler(book))
    whole = sqlite_commit.write
    inner = ["inner", "and more"]

    def write(link: Link, commit: Commit) -> Lost | None:
        if inner:
            logger.warning(inner.pop(0))
            logger.warning(inner.pop(0))
            if leaving:
                sys.exit(5)
        return whole(link, commit)

    monkeypatch.setattr(sqlite_commit, "write", write)
    with pytest.raises(SystemExit) if leaving else contextlib.nullcontext():
        logger.info("outer")
    logger.info("later")
    said = [entry.body for entry in book.log().reverse()]
    assert said == [*([] if leaving else ["outer"]), "inner", "and more", "later"]


def test_a_child_that_is_forked_in_the_midst_of_a_record_writes_its_own(
    book: msglog.Logbook, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.addHandler(msglog.LogHandler(book))
    whole = msglog.LogHandler.write
    children: list[int] = []

    def write(handler: msglog.LogHandler, drafts: list[msglog.Draft]) -> None:
        if not children:
            children.append(os.fork())
            if not children[0]:
                logger.warning("child")
                os._exit(0)
            assert os.waitpid(children[0], 0)[1] == 0
        whole(handler, drafts)

    monkeypatch.setattr(msglog.LogHandler, "write", write)
    logger.info("parent")
    assert [entry.body for entry in book.log().reverse()] == ["parent", "child"]

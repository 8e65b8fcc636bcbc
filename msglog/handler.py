"""Handlers of the standard library's `logging` that write records into a log."""

from __future__ import annotations

import logging
import math
import os
import queue
import sys
import threading
from datetime import UTC, datetime
from logging.handlers import QueueListener

from msglog import argument
from msglog.annotation import TYPE_CHECKING
from msglog.entry import Draft
from msglog.errors import MsglogError
from msglog.key import SECOND
from msglog.logbook import InvalidMessageError, Logbook, open_logbook
from msglog.message import (
    BODY_BYTES_LIMIT,
    META_KEY_BYTES_LIMIT,
    META_LIMIT,
    META_TEXT_BYTES_LIMIT,
    TAG_BYTES_LIMIT,
)
from msglog.refname import DEFAULT_LOG

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from typing import Any

    from msglog.message import MetaValue

BATCH = 500
"""How many records are written in one transaction, at most."""

WAITING = 10_000
"""How many records wait to be written, at most; more are left out and counted."""

FLUSH_SECONDS = 30.0
"""How long `flush` waits at most for a disk or a store that is busy."""

_BUSY_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_INTEGER_LIMIT = 1 << 63
_NEARLY_THE_SAME = 1000
"""Records of one process within so many microseconds keep their order."""

_STANDARD = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime", "taskName"}
)


class _Snapshot:
    """What a record said when it was made: what `extra` gave it may be changed afterwards."""

    __slots__ = ("created", "level", "meta", "text")

    def __init__(self, record: logging.LogRecord, text: str) -> None:
        self.created = record.created
        self.level = str(record.levelname)
        self.meta = _meta(record)
        self.text = text


class LogHandler(logging.Handler):
    """Writes each record as a message: its level is a tag, what was given in `extra` is its meta.

    The text is the formatter's. Under `logger` the meta has the logger's name. A record is durable
    when the call that made it returns, which takes a wait for the disk: where that is too long,
    QueuedLogHandler leaves it to a thread.

    It never raises into the program: what cannot be written is handed to `handleError`, as the
    standard library's handlers do.

    where: the folder of a repository, or a logbook, which is then not closed with the handler.
    tags: of every message, beside the level. author: who writes, None for the logbook's.
    """

    def __init__(
        self,
        where: Logbook | str | PathLike[str],
        *,
        log: str = DEFAULT_LOG,
        level: int | str = logging.NOTSET,
        tags: Iterable[str] = (),
        author: str | None = None,
    ) -> None:
        _check_level(level)
        super().__init__(level)
        self._log = log
        self._author = None if author is None else argument.text(author, "an author")
        self._tags = argument.texts(tags, "the tags")
        self._owned = not isinstance(where, Logbook)
        self._logbook = where if isinstance(where, Logbook) else open_logbook(where)
        self._last = 0
        self._meanwhile: list[Draft] = []
        self._writing = 0
        self._process = os.getpid()
        try:
            self._logbook.add_many((), log=log)  # a wrong name is told to whoever sets up logging
        except BaseException:
            self.close()
            raise

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, and then those that came in the midst of it."""
        if self._process != os.getpid():  # what our parent is in the midst of is for our parent
            self._process, self._writing, self._meanwhile = os.getpid(), 0, []
        try:
            draft = self.draft(_Snapshot(record, self.format(record)))
            self._meanwhile.append(draft)
            if self._writing != threading.get_ident():  # or a handler of a signal has called us
                self._write_all()
        except Exception:  # noqa: BLE001 - whatever it is, the program has nothing to do with it
            self.handleError(record)

    def _write_all(self) -> None:
        """Write what there is, and what comes in the midst of that, even if that is left."""
        while self._meanwhile:
            drafts, self._meanwhile = self._meanwhile, []
            self._writing = threading.get_ident()
            try:
                self.write(drafts)
            except BaseException:
                self._writing = 0
                self._write_all()
                raise
            self._writing = 0

    def draft(self, said: _Snapshot) -> Draft:
        """Return the message that a record becomes."""
        moment = int(said.created * SECOND)
        if self._last - _NEARLY_THE_SAME <= moment <= self._last:
            moment = self._last + 1
        self._last = moment
        seconds, microseconds = divmod(moment, SECOND)
        time = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
        text = _valid(said.text, BODY_BYTES_LIMIT)
        return Draft(
            body=text if text.strip() else "(no text)",
            tags=(_valid(said.level.lower(), TAG_BYTES_LIMIT) or "log", *self._tags),
            meta=said.meta,
            author=self._author,
            time=time.astimezone(),
        )

    def write(self, drafts: list[Draft]) -> None:
        """Write messages in one transaction; raises MsglogError."""
        self._logbook.add_many(drafts, log=self._log)

    def close(self) -> None:
        """Close the logbook, if it is the handler's own."""
        if self._owned:
            self._logbook.close()
        super().close()


class QueuedLogHandler(logging.Handler):
    """Hands messages to a thread that writes them as LogHandler does, many in one transaction.

    To log something takes microseconds and waits for nothing: where more records come than the disk
    takes, those that find the queue full are left out, and a message tells how many.
    `flush` waits until all that was logged before is durable. What still waits when the program
    ends is written then, by `logging.shutdown`; a process that is killed loses it.

    After a fork the child has a queue and a thread of its own, which begin with its first record;
    what its parent had in the queue is the parent's to write.

    It is none of the standard library's QueueHandlers, which `dictConfig` gives queues of its own.

    where, log, level, tags, author: as for LogHandler. waiting: how many records the queue takes.
    """

    def __init__(
        self,
        where: Logbook | str | PathLike[str],
        *,
        log: str = DEFAULT_LOG,
        level: int | str = logging.NOTSET,
        tags: Iterable[str] = (),
        author: str | None = None,
        waiting: int = WAITING,
    ) -> None:
        _check_level(level)
        self._waiting = argument.whole_number(waiting, "waiting")
        # Made before ourselves, since `logging.shutdown` closes what was made last first.
        self._target = LogHandler(where, log=log, tags=tags, author=author)
        super().__init__(level)
        self._begin()

    def _begin(self) -> _Writer:
        """Begin with an empty queue and a new thread, and return it."""
        self._process = os.getpid()
        # Others wait for themselves where a `__del__` or a handler of a signal logs meanwhile.
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        writer = _Writer(self._queue, self._target)
        writer.start()
        self._writer: _Writer | None = writer
        # Children of multiprocessing end without what `atexit` would do, but with this.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self.flush, exitpriority=0)
        return writer

    def emit(self, record: logging.LogRecord) -> None:
        """Put what a record becomes into the queue, or count it as left out if that is full."""
        writer = self._writer
        if writer is None:
            return  # closed
        try:
            if self._process != os.getpid():
                writer = self._begin()
            snapshot = _Snapshot(record, self.format(record))
            if 0 < self._waiting <= self._queue.qsize():
                writer.turned_away += 1  # `handle` holds our lock
            else:
                self._queue.put(snapshot)
        except Exception:  # noqa: BLE001 - as in LogHandler.emit
            self.handleError(record)

    def flush(self) -> None:
        """Wait until what was logged before is durable, FLUSH_SECONDS at most."""
        if self._writer is not None and self._process == os.getpid():
            self._writer.flush()

    def close(self) -> None:
        """Write what waits, and end the thread; what is logged afterwards goes nowhere."""
        writer, self._writer = self._writer, None
        if writer is not None and self._process == os.getpid():
            writer.stop()
            self._target.close()
        super().close()


class _Flush:
    """Something to put into the queue behind what is to be written first."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = threading.Event()


class _Writer(QueueListener):
    """The thread that writes: all that waits, up to BATCH records, in one transaction."""

    def __init__(self, waiting: queue.SimpleQueue[Any], target: LogHandler) -> None:
        super().__init__(waiting)
        self._waiting = waiting
        self.turned_away = 0
        self._lost = 0
        self._told = 0
        self._target = target
        self._batch: list[Draft] = []
        self._ending = threading.Event()

    def dequeue(self, block: bool) -> Any:  # noqa: ANN401, FBT001 - the standard library's
        """Return what comes next; while nothing does, nothing that came is left unwritten."""
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            self._write()
            return self._waiting.get(block)

    def handle(self, record: Any) -> None:  # noqa: ANN401 - the standard library's
        """Take what was in the queue."""
        if isinstance(record, _Flush):
            self._write()
            record.done.set()
            return
        try:
            self._batch.append(self._target.draft(record))
        except Exception:  # noqa: BLE001 - as in LogHandler.emit
            self._target.handleError(logging.makeLogRecord({"msg": record.text}))
        if len(self._batch) >= BATCH:
            self._write()

    def flush(self) -> None:
        """Wait until all that is in the queue is written."""
        marker, thread = _Flush(), self._thread
        self._waiting.put(marker)
        for _ in range(int(FLUSH_SECONDS / _LOOK_SECONDS)):
            if marker.done.wait(_LOOK_SECONDS) or thread is None or not thread.is_alive():
                return

    def enqueue_sentinel(self) -> None:
        """Put in what ends the thread, behind all the rest."""
        self._waiting.put(None)

    def stop(self) -> None:
        """Write all that waits and end the thread."""
        self._ending.set()
        super().stop()
        self._write()

    def _write(self) -> None:
        """Write what has come, and then how many records were left out since that was last said."""
        batch, self._batch = self._batch, []
        if not batch or not self._deliver(batch):
            return
        left_out = self.turned_away + self._lost - self._told
        if left_out:
            text = f"{left_out} {'record was' if left_out == 1 else 'records were'} left out."
            if self._deliver([Draft(text, tags=("warning", "left-out"))], records=0):
                self._told += left_out

    def _deliver(self, batch: list[Draft], *, records: int | None = None) -> bool:
        """Write messages, however long the store is busy; return whether all are written.

        records: how many are left out if they cannot be; None for all of them.
        """
        while True:
            try:
                self._target.write(batch)
            except MsglogError as error:
                if isinstance(error, InvalidMessageError) and len(batch) > 1:
                    delivered = [self._deliver([draft]) for draft in batch]  # which of them it is
                    return all(delivered)
                if not error.temporary or self._ending.is_set():
                    return self._give_up(len(batch) if records is None else records)
                self._ending.wait(_BUSY_SECONDS)
            except Exception:  # noqa: BLE001 - the thread goes on, whatever it is
                return self._give_up(len(batch) if records is None else records)
            else:
                return True

    def _give_up(self, records: int) -> bool:
        """Count records as left out, and say why; the error is being handled."""
        self._lost += records
        text = f"msglog: records that are lost: {records}"
        self._target.handleError(logging.makeLogRecord({"msg": text, "levelname": "ERROR"}))
        return False


def _check_level(level: object) -> None:
    """Refuse a level that is none, before anything is opened; raises ArgumentError."""
    if isinstance(level, str):
        if level not in logging.getLevelNamesMapping():
            raise argument.ArgumentError(
                f"the level cannot be {level[:TAG_BYTES_LIMIT]!r}", why="no such level"
            )
    elif not isinstance(level, int):
        raise argument.ArgumentTypeError("the level", level, "a number or a name is wanted")


def _meta(record: logging.LogRecord) -> dict[str, MetaValue]:
    """Return what a record has beside its text: its logger's name, and what `extra` gave it."""
    meta: dict[str, MetaValue] = {"logger": _valid(str(record.name), META_TEXT_BYTES_LIMIT)}
    for name, value in vars(record).items():
        if name in _STANDARD or value is None or len(meta) >= META_LIMIT:
            continue
        key = _valid(str(name), META_KEY_BYTES_LIMIT)
        if key:
            meta[key] = _meta_value(value)
    return meta


def _meta_value(value: object) -> MetaValue:
    if isinstance(value, bool):
        return value
    if type(value) is int and -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    return _valid(str(value), META_TEXT_BYTES_LIMIT)


def _valid(text: str, limit: int) -> str:
    """Return text as valid Unicode of so many bytes at most."""
    data = text.encode("utf-8", "backslashreplace")
    return data.decode() if len(data) <= limit else data[:limit].decode("utf-8", "ignore")

"""Saving space in a store in a SQLite file: compressed rows, and free pages given back.

In short transactions, like any writer's, beside whoever reads and writes meanwhile.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

from msglog.annotation import TYPE_CHECKING
from msglog.compression import CompressionError, Dictionary, train
from msglog.key import Key, key_object_id
from msglog.message import OBJECT_BYTES_LIMIT
from msglog.objectid import object_id
from msglog.sqlite_file import keep_log_short
from msglog.sqlite_progress import attended
from msglog.store.sqlite_dictionaries import LEFT_PLAIN, PLAIN
from msglog.store.sqlite_schema import FORMAT
from msglog.store.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.store.collection import Beat, StepsDone
    from msglog.store.sqlite_dictionaries import Dictionaries
    from msglog.store.sqlite_link import Link

LEVEL = 9
"""Of zstd; 19 saves 4 bytes a message more, and takes four times as long."""

WORTH = 7 / 8
"""A row is kept compressed if it takes no more than this part of what it was."""

SIZES = ((20_000, 112 << 10), (8_000, 64 << 10), (500, 16 << 10))
"""For how many messages a dictionary of which size pays."""

BETTER = 9 / 10
"""A new dictionary replaces one as large for new messages if they take this much less by it."""

VACUUM_BYTES_LIMIT = 256 << 20
"""A file up to this size is written anew in one go where that gives much back: a few seconds, for
which other writers wait."""

VACUUM_FROM = 1 / 16
"""This part of a file is much."""

_INCREMENTAL = 2
_SLICE_ROWS = 2000
_SLICE_BYTES = 4 << 20
_SLICE_PAGES = 512
_SAMPLES = 10_000
_SAMPLE_BYTES_LIMIT = 4096
_TRIED = 10
_OWN_PATIENCE = 1000


class Condensation:
    """One run over a store."""

    def __init__(self, link: Link, dictionaries: Dictionaries) -> None:
        self._link = link
        self._dictionaries = dictionaries
        self._number = 0
        self._dictionary = Dictionary(b"")

    def run(self, progress: StepsDone | None) -> int:
        """Compress all that is plain, give back free pages; return how many were compressed."""
        self._choose()
        done, seen, last = 0, 0, b""
        total = 0 if progress is None else self._count_plain()
        while keys := self._next_keys(last):
            with self._link.transaction():
                done += self._rewrite(keys)
            last = self._link.beyond(last, keys[-1])
            seen += len(keys)
            if progress is not None:
                progress(seen, total)
        self._give_back(None if progress is None else partial(progress, seen, total))
        return done

    # The dictionary.

    def _choose(self) -> None:
        """Choose what to compress with: the newest dictionary, or a new one where that pays."""
        self._number, size = self._dictionaries.newest()
        dictionary = self._dictionaries.find(self._number) if self._number else None
        if dictionary is None:
            self._number, size, dictionary = 0, 0, Dictionary(b"")
        self._dictionary = dictionary
        plain = self._count_plain()
        fitting = next((fits for least, fits in SIZES if plain >= least), 0)
        if fitting < SIZES[-1][1] or (fitting <= size and plain < SIZES[0][0]):
            return
        samples = self._samples(plain)
        trials = samples[::_TRIED]
        del samples[::_TRIED]
        try:
            made = train(samples, fitting)
        except CompressionError:
            return
        if fitting <= size and _total(Dictionary(made), trials) > BETTER * _total(
            dictionary, trials
        ):
            return
        with self._link.transaction():
            self._number = self._dictionaries.add(made)
        self._dictionary = Dictionary(made)

    def _count_plain(self) -> int:
        return self._link.number("SELECT count(*) FROM messages WHERE dictionary = ?", (PLAIN,))

    def _samples(self, plain: int) -> list[bytes]:
        """Return some of the plain messages: those whose ids, which are as good as random, end low.

        An id's last two bytes decide, so that the samples lie anywhere in the log.
        """
        threshold = min(0xFFFF, _SAMPLES * 0x10000 // plain)
        rows = self._link.select(
            "SELECT data FROM messages WHERE dictionary = ? AND length(data) <= ?"
            " AND substr(key, 39) <= ? LIMIT ?",
            (PLAIN, _SAMPLE_BYTES_LIMIT, threshold.to_bytes(2, "big"), _SAMPLES),
        )
        return [data for (data,) in rows if isinstance(data, bytes)]

    # The rows.

    def _next_keys(self, last: bytes) -> list[bytes]:
        """Return the keys of the next plain rows, of which there are some MiB.

        They may be far apart: that is for a reader to find out, not for a writer.
        """
        rows = self._link.select(
            "SELECT key, length(data) FROM messages"
            " WHERE key > ? AND dictionary = ? ORDER BY key LIMIT ?",
            (last, PLAIN, _SLICE_ROWS),
        )
        keys: list[bytes] = []
        size = 0
        for key, length in rows:
            keys.append(key)
            size += length or 0
            if size >= _SLICE_BYTES:
                break
        return keys

    def _rewrite(self, keys: Sequence[bytes]) -> int:
        """Put compressed rows in the place of plain ones; what is damaged stays as it is.

        They are taken out and put in again, in order: rows that only shrink leave their pages half
        empty.
        """
        rows = self._link.select_in(
            "SELECT key, data, receipt, seen FROM messages WHERE dictionary = 0 AND key IN", keys
        )
        written: list[tuple[bytes, bytes, int, int, int]] = []
        done = 0
        for key, data, receipt, seen in sorted(rows):
            if not isinstance(data, bytes) or object_id(data) != key_object_id(Key(key)):
                continue
            frame = self._dictionary.compress(data, LEVEL)
            if len(frame) > WORTH * len(data) or not self._comes_back(frame, data):
                written.append((key, data, receipt, seen, LEFT_PLAIN))
                continue
            written.append((key, frame, receipt, seen, self._kept_number()))
            done += 1
        execute_many = self._link.connection.executemany
        execute_many("DELETE FROM messages WHERE key = ?", [(row[0],) for row in written])
        execute_many(
            "INSERT INTO messages (key, data, receipt, seen, dictionary) VALUES (?, ?, ?, ?, ?)",
            written,
        )
        return done

    def _comes_back(self, frame: bytes, data: bytes) -> bool:
        try:
            return self._dictionary.expand(frame, OBJECT_BYTES_LIMIT) == data
        except CompressionError:
            return False

    def _kept_number(self) -> int:
        """Return the dictionary's number; the one without content is kept when it is first used."""
        if not self._number:
            self._number = self._dictionaries.add(b"")
        return self._number

    # The file.

    def _give_back(self, beat: Beat | None) -> None:
        """Give free pages back: by writing the file anew where that is quick, or a few at a time.

        `PRAGMA optimize` is left out: all queries go by primary keys.
        """
        link = self._link
        pages = link.number("PRAGMA page_count")
        free = link.number("PRAGMA freelist_count")
        size = (pages - free) * link.number("PRAGMA page_size")
        much = free >= VACUUM_FROM * pages and size <= VACUUM_BYTES_LIMIT
        with attended(link.connection, beat):
            done = much and self._write_anew()
        if not done:
            with attended(link.connection, beat):
                self._shorten()
        self._cut_log()

    def _cut_log(self) -> None:
        """Leave no write-ahead log; of one page if others have the file open; or what they read.

        A checkpoint that truncates is not asked for: where it finds a writer at work it becomes one
        without the writers' lock, see `keep_log_short`.
        """
        link = self._link
        if link.select("PRAGMA journal_mode") != [("wal",)]:
            return
        keep_log_short(link.connection, link.path, limit=0)
        try:
            with self._patience(0):
                link.select("PRAGMA journal_mode = DELETE")  # takes the file for itself
            link.select("PRAGMA journal_mode = WAL")
        except StoreError:
            self._begin_log_anew()

    def _begin_log_anew(self) -> None:
        link = self._link
        before = link.number("PRAGMA journal_size_limit")
        link.select("PRAGMA journal_size_limit = 0")
        try:
            # The first commit after a complete checkpoint begins the log anew, and cuts it.
            with self._patience(0), link.transaction():
                link.select(f"PRAGMA user_version = {FORMAT}")
        except StoreError:
            pass  # busy: the log is used again, or cut later
        finally:
            link.select(f"PRAGMA journal_size_limit = {before}")

    def _write_anew(self) -> bool:
        """Tell whether the file could be written anew: nobody held it, and there was room."""
        with self._patience(_OWN_PATIENCE):
            try:
                # Files of the first format are not kept so yet; it takes effect with the next.
                self._link.select("PRAGMA auto_vacuum = INCREMENTAL")
                self._link.select("VACUUM")
            except StoreError:
                return False
        return True

    def _shorten(self) -> None:
        link = self._link
        if link.number("PRAGMA auto_vacuum") != _INCREMENTAL:
            return
        free = link.number("PRAGMA freelist_count")
        while free:
            with link.translated():
                # As a script: what sqlite3 calls a query is stopped at its first page.
                link.connection.executescript(f"PRAGMA incremental_vacuum({_SLICE_PAGES})")
            keep_log_short(link.connection, link.path)
            left = link.number("PRAGMA freelist_count")
            if left >= free:
                return  # others fill it as fast
            free = left

    @contextmanager
    def _patience(self, milliseconds: int) -> Iterator[None]:
        """Wait only so long for others."""
        link = self._link
        before = link.number("PRAGMA busy_timeout")
        link.select(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            link.select(f"PRAGMA busy_timeout = {before}")


def _total(dictionary: Dictionary, texts: Sequence[bytes]) -> int:
    return sum(len(dictionary.compress(text, LEVEL)) for text in texts)

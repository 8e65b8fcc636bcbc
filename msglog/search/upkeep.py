"""Bringing a search index up to what the logs are now, by the difference of their roots.

So it does not matter how messages came into a log, or went, and nobody has to tell.
"""

from __future__ import annotations

import time
from itertools import islice, repeat

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import replace
from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT
from msglog.key import FIRST_KEY
from msglog.message import Message, decode_object
from msglog.message_scan import scan
from msglog.search.catalogue import BusyCatalogueError, IndexedLog
from msglog.search.folding import fold, meta_words, tag_word
from msglog.store.store import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeAlias

    from msglog.key import Key
    from msglog.repository import Log, Repository
    from msglog.search.catalogue import Catalogue

    Tell: TypeAlias = Callable[[int, int], None]
    """Is told how many messages of how many are indexed."""

MESSAGES_AT_ONCE = 20_000
"""How many messages one transaction adds: what is lost when it is cut off, or waited for."""

CHARACTERS_AT_ONCE = 32 << 20
"""How much text it adds, which is held in memory."""

_READ_AT_ONCE = 256
_LONG = 100_000
"""From so many characters on a text is not kept until there are others."""

_SMALL = 5_000
_WAIT = 0.05
_UNREAD_AT_ONCE = 1_000
_INSERT_TEXT = "INSERT INTO text (rowid, body, author, tags, meta) VALUES (?, ?, ?, ?, ?)"


def catch_up(
    catalogue: Catalogue,
    repository: Repository,
    tell: Tell,
    *,
    patience: float,
    at_once: int = MESSAGES_AT_ONCE,
) -> None:
    """Index what the logs have and the catalogue has not, and forget what they have no more.

    patience: how many seconds another process may do nothing while it holds the catalogue; raises
    BusyCatalogueError. Raises CatalogueError, and IntegrityError where an index cannot be walked.
    """
    work = _Upkeep(catalogue, repository, tell, at_once)
    deadline = time.monotonic() + patience
    seen = -1
    while True:
        try:
            if work.is_done() or work.step():
                return
        except BusyCatalogueError:
            indexed = work.indexed()
            if indexed not in (seen, None):  # it is somebody else who does the very same
                seen = indexed
                deadline = time.monotonic() + patience
            elif time.monotonic() >= deadline:
                raise
            time.sleep(_WAIT)


def is_worn_out(catalogue: Catalogue) -> bool:
    """Tell whether a catalogue is so much about messages that are gone that it is no good."""
    ((gone, entries),) = catalogue.select(
        "SELECT gone, (SELECT total(entries) FROM log) FROM catalogue"
    )
    return bool(gone) and (entries < _SMALL or gone * 4 > entries)


class _Upkeep:
    """The catching up of one process."""

    def __init__(
        self, catalogue: Catalogue, repository: Repository, tell: Tell, at_once: int
    ) -> None:
        self._catalogue = catalogue
        self._repository = repository
        self._tell = tell
        self._at_once = at_once
        self._known: dict[str, IndexedLog] = {}
        self._going: tuple[IndexedLog, Iterator[Key]] | None = None
        self._indexed = self._total = 0

    def indexed(self) -> int | None:
        """Return how many entries there are, and tell it; None if that cannot be read just now."""
        try:
            indexed = sum(log.entries for log in self._catalogue.logs().values())
        except BusyCatalogueError:
            return None
        total = sum(log.count for log in self._repository.logs())
        self._tell(indexed, max(indexed, total))
        return indexed

    def is_done(self) -> bool:
        """Tell whether all logs are indexed and nothing else; asks no lock of anybody."""
        current = {log.name: log.root for log in self._repository.logs()}
        indexed = {
            name: log.target if log.done is None else None
            for name, log in self._catalogue.logs().items()
        }
        return indexed == current and not self._catalogue.unread()

    def step(self) -> bool:
        """Add some messages in one transaction; tell whether that was all."""
        with self._catalogue.transaction():
            # Read once nobody else can write: so it is never older than what the tables know.
            current = {log.name: log for log in self._repository.logs()}
            self._known = self._catalogue.logs()
            self._total = sum(log.count for log in current.values())
            self._forget_logs(current)
            self._indexed = sum(log.entries for log in self._known.values())
            self._read_again()
            room = self._at_once
            for log in current.values():
                room -= self._advance(log, room)
                if room <= 0:
                    return False
            return True

    def _forget_logs(self, current: dict[str, Log]) -> None:
        """Remove what is indexed of logs that are no more; one with a new name keeps it."""
        for name in [name for name in self._known if name not in current]:
            progress = self._known.pop(name)
            heir = next((log for log in current.values() if self._continues(log, progress)), None)
            if heir is not None:
                self._save(replace(progress, name=heir.name))
                continue
            number = (progress.number,)
            self._execute(
                "DELETE FROM unread WHERE id IN (SELECT id FROM entry WHERE log = ?)", number
            )
            self._execute("DELETE FROM entry WHERE log = ?", number)
            self._execute("DELETE FROM log WHERE number = ?", number)
            self._execute("UPDATE catalogue SET gone = gone + ?", (progress.entries,))

    def _continues(self, log: Log, progress: IndexedLog) -> bool:
        """Tell whether a log that is not known has all that one had that is gone."""
        if log.name in self._known or progress.entries == 0 or progress.done is not None:
            return False
        try:
            return next(self._repository.difference(log.root, progress.target), None) is None
        except IntegrityError:
            return False

    def _advance(self, log: Log, room: int) -> int:
        """Index up to so many messages of a log; return how many there were."""
        progress = self._known.get(log.name)
        if progress is None:
            self._execute(
                "INSERT INTO log (name, base, target, done, entries) VALUES (?, ?, ?, NULL, 0)",
                (log.name, EMPTY_ROOT, EMPTY_ROOT),
            )
            ((number,),) = self._catalogue.select("SELECT last_insert_rowid()")
            progress = IndexedLog(number, log.name, EMPTY_ROOT, EMPTY_ROOT, None, 0)
        taken = 0
        while taken < room:
            if progress.done is None:
                if progress.target == log.root:
                    return taken
                progress = self._begin(progress, log)
            try:
                going = self._go_on(progress, room - taken)
            except MissingObjectError:
                # gc has removed what the base was, or the target while nobody went on with it.
                if progress.base is None and progress.target == log.root:
                    raise
                going = self._go_by_entries(progress, log)
            taken += going.entries - progress.entries
            progress = going
        return taken

    def _begin(self, progress: IndexedLog, log: Log) -> IndexedLog:
        """Set out for what a log is now: first forget what it has no more."""
        try:
            gone = list(self._repository.difference(log.root, progress.target))
        except MissingObjectError:
            return self._go_by_entries(progress, log)
        left = progress.entries - self._forget(progress, gone)
        base, target = progress.target, log.root
        return self._save(replace(progress, base=base, target=target, done=FIRST_KEY, entries=left))

    def _go_by_entries(self, progress: IndexedLog, log: Log) -> IndexedLog:
        """Set out for what a log is now, where the index of what it was cannot be read any more."""
        now = self._repository.keys(log.root)
        gone = list(_only_in_first(self._catalogue.keys(progress.number), now))
        self._forget(progress, gone)
        ((left,),) = self._catalogue.select(
            "SELECT count(*) FROM entry WHERE log = ?", (progress.number,)
        )
        self._going = None
        return self._save(
            replace(progress, base=None, target=log.root, done=FIRST_KEY, entries=left)
        )

    def _forget(self, progress: IndexedLog, gone: Sequence[Key]) -> int:
        """Remove the entries of a log for some keys; return how many there were."""
        if not gone:
            return 0
        self._execute("CREATE TEMP TABLE IF NOT EXISTS leaving (key BLOB PRIMARY KEY)")
        self._execute("DELETE FROM temp.leaving")
        self._catalogue.connection.executemany(
            "INSERT INTO temp.leaving VALUES (?)", [(key,) for key in gone]
        )
        chosen = "SELECT id FROM entry WHERE log = ? AND key IN (SELECT key FROM temp.leaving)"
        self._execute(f"DELETE FROM unread WHERE id IN ({chosen})", (progress.number,))  # noqa: S608
        removed = self._execute(
            f"DELETE FROM entry WHERE id IN ({chosen})",  # noqa: S608
            (progress.number,),
        )
        self._execute("UPDATE catalogue SET gone = gone + ?", (removed,))
        return removed

    def _go_on(self, progress: IndexedLog, room: int) -> IndexedLog:
        """Index up to so many messages on the way to the target."""
        keys = self._keys_ahead(progress)
        characters = number = 0
        done: Key | None = progress.done
        while number < room and characters < CHARACTERS_AT_ONCE:
            batch = list(islice(keys, min(_READ_AT_ONCE, room - number)))
            if not batch:
                done = None
                break
            characters += self._add(progress.number, batch)
            number += len(batch)
            done = batch[-1]
            self._indexed += len(batch)
            self._tell(self._indexed, self._total)
        after = self._save(replace(progress, done=done, entries=progress.entries + number))
        self._going = None if done is None else (after, keys)
        return after

    def _add(self, log: int, keys: Sequence[Key]) -> int:
        """Index messages of a log; return how many characters they had."""
        ((first,),) = self._catalogue.select("SELECT next FROM catalogue")
        ids = range(first, first + len(keys))
        insert = self._catalogue.connection.executemany
        insert("INSERT INTO entry VALUES (?, ?, ?)", zip(ids, repeat(log), keys, strict=False))
        characters = 0
        texts: list[tuple[int, str, str, str, str]] = []
        for entry, data in zip(ids, _objects(self._repository, keys), strict=True):
            if data is None:
                self._execute("INSERT INTO unread VALUES (?)", (entry,))
                continue
            texts.append((entry, *_texts(data)))
            characters += len(texts[-1][1])
            if len(texts[-1][1]) > _LONG:
                insert(_INSERT_TEXT, texts)
                texts.clear()
        insert(_INSERT_TEXT, texts)
        self._execute("UPDATE catalogue SET next = ?", (first + len(keys),))
        return characters

    def _keys_ahead(self, progress: IndexedLog) -> Iterator[Key]:
        """Return the keys that are still to be indexed on the way to the target."""
        if self._going is not None and self._going[0] == progress:
            return self._going[1]
        if progress.base is None:
            now = self._repository.keys(progress.target)
            return iter(list(_only_in_first(now, self._catalogue.keys(progress.number))))
        after = FIRST_KEY if progress.done is None else progress.done
        if progress.base == EMPTY_ROOT:
            ahead = self._repository.keys(progress.target, first=after)
        else:
            ahead = self._repository.difference(progress.base, progress.target)
        return (key for key in ahead if key > after)

    def _read_again(self) -> None:
        """Index those messages that could not be read before and now can be."""
        rows = self._catalogue.select(
            "SELECT e.id, e.key FROM unread CROSS JOIN entry AS e ON e.id = unread.id LIMIT ?",
            (_UNREAD_AT_ONCE,),
        )
        keys = [self._catalogue.key(key) for _, key in rows]
        for (entry, _), data in zip(rows, _objects(self._repository, keys), strict=True):
            if data is not None:
                self._execute(_INSERT_TEXT, (entry, *_texts(data)))
                self._execute("DELETE FROM unread WHERE id = ?", (entry,))

    def _save(self, progress: IndexedLog) -> IndexedLog:
        """Write down how far a log is indexed."""
        self._execute(
            "UPDATE log SET name = ?, base = ?, target = ?, done = ?, entries = ? WHERE number = ?",
            (
                progress.name,
                progress.base,
                progress.target,
                progress.done,
                progress.entries,
                progress.number,
            ),
        )
        self._known[progress.name] = progress
        return progress

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._catalogue.connection.execute(sql, parameters).rowcount


def _only_in_first(first: Iterator[Key], second: Iterator[Key]) -> Iterator[Key]:
    """Yield the keys of one sorted sequence that another one has not."""
    other = next(second, None)
    for key in first:
        while other is not None and other < key:
            other = next(second, None)
        if other != key:
            yield key


def _objects(repository: Repository, keys: Sequence[Key]) -> Iterator[bytes | None]:
    """Yield the objects of keys in their order, None for those that cannot be read."""
    done = 0
    try:
        for _, objects in repository.parts(iter(keys), at_first=_READ_AT_ONCE):
            for data in objects:
                done += 1
                yield data
    except IntegrityError:
        pass
    for key in keys[done:]:
        try:
            yield repository.store.read_messages([key])[key]
        except IntegrityError:
            yield None


def _texts(data: bytes) -> tuple[str, str, str, str]:
    """Return what is indexed of a message; what this version cannot understand has no words."""
    plain = scan(data)
    if plain is not None:
        _, _, _, author, body, tags, _ = plain
        meta = ""
    else:
        message = decode_object(data)
        if not isinstance(message, Message):
            return "", "", "", ""
        author, body, tags = message.author, message.body, message.tags
        meta = meta_words(message.meta)
    return fold(body), fold(author), " ".join(map(tag_word, tags)), meta

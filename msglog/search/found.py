"""Messages that were found, as programs get them."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.clock import local_offset, now
from msglog.dataclass import dataclass
from msglog.entry import read_entry
from msglog.layout import SEARCH_NAME
from msglog.search.answer import search
from msglog.search.condition import condition, shown_words
from msglog.search.question import question, time_reader
from msglog.search.snippet import Snippets
from msglog.store.store import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msglog.entry import Entry
    from msglog.repository import Repository
    from msglog.search.answer import Answer
    from msglog.search.catalogue import Hit
    from msglog.shared_repository import Opening, SharedRepository

READ_AT_ONCE = 32
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found; best first, and of equally good ones the newest.

    entry: the message, of the first of its logs. logs: all that it is in and that were looked in.
    score: the larger the better; 0.0 where no words were looked for. snippet: the part of the text
    that fits, on one line. matches: where in it words begin and end that were looked for.
    """

    entry: Entry
    logs: tuple[str, ...]
    score: float
    snippet: str
    matches: tuple[tuple[int, int], ...]


def index_places(repository: Repository, caches: Callable[[], str]) -> list[str]:
    """Return where the index of words may be: beside the store, or in a folder of caches.

    caches: gives that folder, where the first cannot be.
    """
    beside = os.path.join(repository.folder, SEARCH_NAME)
    if os.access(beside if os.path.lexists(beside) else repository.folder, os.W_OK):
        return [beside]
    folder = caches()
    with suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    return [os.path.join(folder, f"search-{repository.store.identity.hex()}.db")]


def read_hits(repository: Repository, hits: Sequence[Hit]) -> Iterator[tuple[Hit, bytes]]:
    """Yield some that were found with their bytes, few at a time if they are large.

    What gc has removed since it was found is left out.
    """
    objects = {}
    with suppress(MissingObjectError):
        keys = sorted(hit.key for hit in hits)
        objects = dict(zip(keys, repository.store.read_some(keys, _READ_BYTES), strict=False))
    for hit in hits:
        data = objects.pop(hit.key, None)
        if data is None:
            try:
                data = repository.store.read_messages([hit.key])[hit.key]
            except MissingObjectError:
                continue
        yield hit, data


def find(
    shared: SharedRepository,
    text: str,
    *,
    logs: Sequence[str],
    limit: int | None,
    caches: Callable[[], str],
) -> Iterator[Found]:
    """Search, and return what yields the messages; they are read when they are gone through.

    Raises QueryError and other UsageErrors, CatalogueError, IntegrityError.
    """
    opening = shared.opening
    with shared.using(opening) as repository:
        query = question(repository, text, logs=logs, read_time=time_reader(now(), local_offset))
        answer = search(
            repository,
            condition(query),
            places=index_places(repository, caches),
            limit=limit,
            tell=lambda _done, _total: None,
        )
    return _go_through(shared, opening, answer, shown_words(query))


def _go_through(
    shared: SharedRepository, opening: Opening, answer: Answer, wanted: str
) -> Iterator[Found]:
    hits = iter(answer)
    with closing(Snippets(wanted)) as snippets:
        while batch := list(islice(hits, READ_AT_ONCE)):
            with shared.using(opening) as repository:
                read = list(read_hits(repository, batch))
            for hit, data in read:
                entry = read_entry(hit.key, data, hit.logs[0])
                snippet = snippets.of(entry.body)
                yield Found(entry, tuple(hit.logs), hit.score, snippet.text, tuple(snippet.marks))

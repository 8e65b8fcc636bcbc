"""Searching a repository: an index that is up to date wherever one can be had, and its hits."""

from __future__ import annotations

from array import array
from contextlib import closing, suppress

from msglog.annotation import TYPE_CHECKING
from msglog.key import KEY_BYTES, Key
from msglog.search.catalogue import (
    Catalogue,
    CatalogueError,
    Hit,
    WornCatalogueError,
    discard,
)
from msglog.search.suggestion import similar_words
from msglog.search.upkeep import catch_up, is_worn_out
from msglog.sqlite_file import LocksError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msglog.repository import Repository
    from msglog.search.condition import Condition
    from msglog.search.upkeep import Tell

PATIENCE_SECONDS = 10.0
"""How long another process may hold the index and do nothing before it is done without."""

_STEP_SECONDS = 2.0


class Answer:
    """What was found, best first.

    All of it is held, in 60 bytes for each, so that nobody waits for whoever reads it.

    unread: how many messages could not be looked into.
    similar: words that may have been meant, if nothing was found.
    """

    def __init__(self, catalogue: Catalogue, asked: Condition, limit: int | None) -> None:
        self.unread = catalogue.unread()
        self._keys = bytearray()
        self._scores = array("d")
        self._places = array("L")
        numbers: dict[tuple[str, ...], int] = {}
        for hit in catalogue.hits(asked, limit):
            self._keys += hit.key
            self._scores.append(hit.score)
            self._places.append(numbers.setdefault(tuple(hit.logs), len(numbers)))
        self._logs = list(numbers)
        self.similar: Sequence[str] = () if numbers else similar_words(catalogue, asked.words)

    def __len__(self) -> int:
        """Return how many messages were found."""
        return len(self._scores)

    def __iter__(self) -> Iterator[Hit]:
        """Yield them."""
        for number, score in enumerate(self._scores):
            key = Key(bytes(self._keys[number * KEY_BYTES : (number + 1) * KEY_BYTES]))
            yield Hit(key, score, self._logs[self._places[number]])


def search(
    repository: Repository,
    asked: Condition,
    *,
    places: Sequence[str],
    limit: int | None,
    tell: Tell,
    anew: bool = False,
    patience: float = PATIENCE_SECONDS,
) -> Answer:
    """Return the messages of a repository that meet a condition, at most limit.

    places: where the file of the index may be, best first; its folder must exist. Where none can
    be used, because it cannot be written, the disk is full or somebody holds it, the index is made
    for this one search. anew: what is there is not to be used. tell: see `msglog.search.upkeep`.
    Raises CatalogueError where not even that can be done, and IntegrityError.
    """
    for path in places:
        for attempt in range(3):
            try:
                if anew and attempt == 0:
                    discard(path)
                step = min(_STEP_SECONDS, patience)
                catalogue = Catalogue.open(path, repository.store.identity, patience=step)
                with closing(catalogue):
                    catch_up(catalogue, repository, tell, patience=patience)
                    if is_worn_out(catalogue):
                        raise WornCatalogueError("the search index is worn out")  # noqa: TRY301
                    return Answer(catalogue, asked, limit)
            except WornCatalogueError:
                with suppress(OSError):
                    discard(path)
            except (CatalogueError, LocksError, OSError):
                break
    catalogue = Catalogue.temporary(repository.store.identity)
    with closing(catalogue):
        catch_up(catalogue, repository, tell, patience=patience)
        return Answer(catalogue, asked, limit)

"""Seeded messages that look real: words as often as in real text, bursts in time, several authors and logs."""

import gzip
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

DOC = Path("/usr/share/doc")
TEXT_BYTES = 8 << 20
WORDS = 20_000
START = 1_600_000_000_000_000
"""The time of the first message, in microseconds since 1970."""

AUTHORS = ("ann", "bob", "carol", "dave", "erin", "beamline-p01", "cryostat", "ci-runner")
LOGS = {"main": 90, "lab/p01": 8, "ops": 2}
"""The logs, with how many of a hundred messages go there; `main` is the one that is listed and added to."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A message to be. time: microseconds since 1970, never less than the one before."""

    log: str
    time: int
    author: str
    body: str
    uuid: bytes


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words with how often they come. source: where from, for the report."""

    source: str
    words: Sequence[str]
    weights: Sequence[int]
    totals: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "totals", list(accumulate(self.weights)))

    @property
    def digest(self) -> str:
        """Tells whether two machines had the same words: the same seed then gives the same messages."""
        text = "\n".join(
            f"{word} {weight}" for word, weight in zip(self.words, self.weights, strict=True)
        )
        return sha256(text.encode()).hexdigest()[:12]


def vocabulary(texts: Iterable[str], source: str) -> Vocabulary:
    """Count the words of texts; the most frequent first, equals by the alphabet."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORD.findall(text))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
    return Vocabulary(source, [word for word, _ in ranked], [count for _, count in ranked])


def machine_vocabulary() -> Vocabulary:
    """Return the words of this machine's package changelogs, or of Python's manual where there are none."""
    texts = list(_changelogs())
    if texts:
        return vocabulary(texts, f"{len(texts)} changelogs of Debian packages")
    from pydoc_data.topics import topics  # noqa: PLC0415 - large, and seldom needed

    return vocabulary(topics.values(), "Python's manual")


def _changelogs() -> Iterator[str]:
    read = 0
    for path in sorted(DOC.glob("*/changelog.Debian.gz")):
        try:
            text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        except (OSError, EOFError):
            continue
        yield text
        read += len(text)
        if read > TEXT_BYTES:
            return


def entries(words: Vocabulary, count: int, seed: int) -> Iterator[Entry]:
    """Yield so many messages of about 200 bytes in order of time; the same for the same arguments."""
    chance = random.Random(seed)
    logs, shares = list(LOGS), list(accumulate(LOGS.values()))
    ranks = list(accumulate(1000 // rank for rank in range(1, len(AUTHORS) + 1)))
    time, author = START, AUTHORS[0]
    for _ in range(count):
        if chance.random() < 0.05:  # a burst is over: hours go by, somebody else begins
            time += int(chance.expovariate(1 / 3_600e6))
            author = chance.choices(AUTHORS, cum_weights=ranks)[0]
        time += 1 + int(chance.expovariate(1 / 20e6))
        log = chance.choices(logs, cum_weights=shares)[0]
        yield Entry(log, time, author, body(words, chance), chance.randbytes(16))


def body(words: Vocabulary, chance: random.Random) -> str:
    """Return one text; its length is spread as people write, around 200 bytes."""
    number = max(3, min(300, int(chance.lognormvariate(3.2, 0.6))))
    return " ".join(chance.choices(words.words, cum_weights=words.totals, k=number))

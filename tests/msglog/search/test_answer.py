"""What a search finds, compared with looking at every message; and with whatever file there is."""

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.errors import LocalError
from msglog.key import Key
from msglog.message import Message, object_key
from msglog.repository import Repository
from msglog.search.answer import Answer, search
from msglog.search.catalogue import Catalogue, CatalogueError
from msglog.search.condition import condition
from msglog.search.query import parse
from msglog.search.seal import unseal
from tests.plumbing.peers import START, add, make_repository, message

WORDS = (
    "pump",
    "Pumps",
    "valve",
    "über",
    "Uber",
    "泵故障",
    "故",
    "x-ray",
    "10",
    "İ",
    "naïve",
)
AUTHORS = ("ann", "Ann Lee", "bob", "bo-b")
TAGS = ("beam", "Beam-2", "泵", "a b")
METAS = {
    "run": st.sampled_from([7, 7.0, 70, "7", "Seven", "seven eight", True, -0.5, "", "007"]),
    "Run no": st.sampled_from(["a=b", "泵", 7]),
    "ru": st.just(7),
}
LOGS = ("main", "lab/a", "lab/b")


@dataclass(frozen=True)
class Written:
    """A message and the logs that it is in."""

    message: Message
    logs: frozenset[str]

    def places(self) -> Iterator["Written"]:
        """Yield it once for each log: a query is about a message in a log."""
        for log in self.logs:
            yield Written(self.message, frozenset((log,)))

    @property
    def key(self) -> Key:
        return object_key(self.message.encode())


@dataclass(frozen=True)
class Asked:
    """A query as a text, and whether a message is as it says."""

    text: str
    holds: Callable[[Written], bool]


def tokens(text: str) -> list[str]:
    """Return the words of a text by rules of our own: no index, no SQLite."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", text).lower()
        if not "\u0300" <= character <= "\u036f"
    )
    return re.findall(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+", plain)


def has_phrase(text: str, phrase: str, *, prefix: bool) -> bool:
    there, wanted = tokens(text), tokens(phrase)
    for start in range(len(there) - len(wanted) + 1):
        part = there[start : start + len(wanted)]
        last = part[-1].startswith(wanted[-1]) if prefix else part[-1] == wanted[-1]
        if part[:-1] == wanted[:-1] and last:
            return True
    return False


def in_body(words: list[str], *, prefix: bool, quoted: bool) -> Asked:
    phrase = " ".join(words)
    star = "*" if prefix else ""
    text = f'"{phrase}"{star}' if quoted or len(words) > 1 else f"{phrase}{star}"
    return Asked(text, lambda written: has_phrase(written.message.body, phrase, prefix=prefix))


def by(name: str, *, prefix: bool) -> Asked:
    text = f'author:"{name}"{"*" if prefix else ""}'
    return Asked(text, lambda written: has_phrase(written.message.author, name, prefix=prefix))


def tagged(tag: str, *, prefix: bool) -> Asked:
    def holds(written: Written) -> bool:
        return any(
            has.casefold().startswith(tag.casefold())
            if prefix
            else has.casefold() == tag.casefold()
            for has in written.message.tags
        )

    return Asked(f'tag:"{tag}"{"*" if prefix else ""}', holds)


def has_meta(name: str, *, prefix: bool) -> Asked:
    def holds(written: Written) -> bool:
        names = [has.casefold() for has in written.message.meta]
        wanted = name.casefold()
        return any(has.startswith(wanted) if prefix else has == wanted for has in names)

    return Asked(f'meta:"{name}"{"*" if prefix else ""}', holds)


def with_meta(name: str, value: str, *, prefix: bool, inside: bool) -> Asked:
    def holds(written: Written) -> bool:
        for has, its in written.message.meta.items():
            if has.casefold() != name.casefold():
                continue
            text = str(its).casefold()
            if text.startswith(value.casefold()) if prefix else text == value.casefold():
                return True
            number = not isinstance(its, bool | str) and not prefix
            if number and value.lstrip("-").replace(".", "", 1).isdigit() and float(value) == its:
                return True
        return False

    star = "*" if prefix else ""
    quoted = f'{name}="{value}"' if inside and " " not in name else f'"{name}={value}"'
    return Asked(f"meta:{quoted}{star}", holds)


def in_log(pattern: str) -> Asked:
    def holds(written: Written) -> bool:
        return any(
            log.startswith(pattern[:-1]) if pattern.endswith("*") else log == pattern
            for log in written.logs
        )

    return Asked(f"log:{pattern}", holds)


def bounded(minutes: int, *, since: bool) -> Asked:
    time = START + minutes
    if since:
        return Asked(f"since:{time}", lambda written: written.message.time >= time)
    return Asked(f"until:{time}", lambda written: written.message.time <= time)


def negated(part: Asked, sign: str) -> Asked:
    text = f"({part.text})" if " " in part.text or part.text[0] == "-" else part.text
    return Asked(f"{sign}{text}", lambda written: not part.holds(written))


def both(parts: list[Asked]) -> Asked:
    text = " ".join(f"({part.text})" if " OR " in part.text else part.text for part in parts)
    return Asked(text, lambda written: all(part.holds(written) for part in parts))


def either(parts: list[Asked]) -> Asked:
    text = " OR ".join(f"({part.text})" if " " in part.text else part.text for part in parts)
    return Asked(text, lambda written: any(part.holds(written) for part in parts))


WRITTEN = st.builds(
    Written,
    st.builds(
        Message,
        uuid=st.binary(min_size=16, max_size=16),
        time=st.integers(START, START + 20),
        offset=st.just(0),
        author=st.sampled_from(AUTHORS),
        body=st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
        tags=st.sets(st.sampled_from(TAGS)).map(lambda tags: tuple(sorted(tags))),
        meta=st.fixed_dictionaries({}, optional=METAS),
    ),
    st.frozensets(st.sampled_from(LOGS), min_size=1),
)
YES = st.booleans()
LEAVES = st.one_of(
    st.builds(in_body, st.lists(st.sampled_from(WORDS), min_size=1, max_size=2), prefix=YES, quoted=YES),
    st.builds(by, st.sampled_from(("ann", "lee", "bo b", "b")), prefix=YES),
    st.builds(tagged, st.sampled_from(("beam", "BEAM-2", "泵", "a")), prefix=YES),
    st.builds(has_meta, st.sampled_from(("run", "RUN NO", "ru", "r")), prefix=YES),
    st.builds(with_meta, st.sampled_from(("run", "Run no")), st.sampled_from(("7", "7.0", "007", "SEVEN", "seven e", "true", "-0.5", "", "a=b", "泵")), prefix=YES, inside=YES),
    st.builds(in_log, st.sampled_from(("main", "lab/a", "lab/*", "l*"))),
    st.builds(bounded, st.integers(0, 20), since=YES),
)  # fmt: skip
ASKED = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(negated, parts, st.sampled_from(("-", "NOT "))),
        st.lists(parts, min_size=1, max_size=3).map(both),
        st.lists(parts, min_size=1, max_size=3).map(either),
    ),
    max_leaves=6,
)


def find(repository: Repository, text: str, **options: object) -> Answer:
    asked = condition(parse(text, lambda time, _: int(time)))
    given: dict[str, object] = {"places": [], "limit": None, "tell": lambda *_: None, **options}
    return search(repository, asked, **given)  # type: ignore[arg-type]


@settings(max_examples=100)
@given(st.lists(WRITTEN, max_size=12), st.lists(ASKED, min_size=1, max_size=3))
def test_it_finds_what_looking_at_each_message_finds(
    written: list[Written], asked: list[Asked]
) -> None:
    repository = make_repository(1)
    for log in LOGS[1:]:
        repository.create_log(log, time=0)
    for one in written:
        for log in one.logs:
            add(repository, one.message.encode(), log=log)
    for question in asked:
        expected: dict[Key, set[str]] = {}
        for one in written:
            for place in one.places():
                if question.holds(place):
                    expected.setdefault(one.key, set()).update(place.logs)
        hits = list(find(repository, question.text))
        assert {hit.key: set(hit.logs) for hit in hits} == expected, question.text
        assert len(hits) == len(expected)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        for limit in (0, 1, 3):
            best = [hit.key for hit in find(repository, question.text, limit=limit)]
            assert best == [hit.key for hit in hits][:limit]


def test_the_better_is_before_and_of_equals_the_newer() -> None:
    repository = make_repository(1)
    add(
        repository,
        message(1, body="pump"),
        message(2, body="pump " + "and many other words " * 10),
        message(4, body="pump"),
        *(message(number, body="something else") for number in range(5, 30)),
    )
    hits = list(find(repository, "pump"))
    bodies = ("pump", "pump", "pump " + "and many other words " * 10)
    expected = [message(number, body=body) for number, body in zip((4, 1, 2), bodies, strict=True)]
    assert [hit.key for hit in hits] == list(map(object_key, expected))
    assert hits[0].score == hits[1].score > hits[2].score > 0
    assert [hit.score for hit in find(repository, "author:ann")] == [0.0] * 28


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository = Repository.create(tmp_path / "r", identity=bytes(16), time=START)
    add(repository, *map(message, range(60)))
    repository.close()
    return tmp_path / "r"


@pytest.fixture
def repository(folder: Path) -> Iterator[Repository]:
    opened = Repository.open(folder)
    yield opened
    opened.close()


def numbers(
    repository: Repository, path: Path, text: str = '"message 7"', **options: object
) -> int:
    return len(find(repository, text, places=[str(path)], patience=0.0, **options))


def damage(path: Path, data: bytes) -> None:
    """Overwrite an index and its seal, so that SQLite has to notice."""
    path.write_bytes(data)
    unseal(str(path))


def test_the_file_is_used_again(repository: Repository, folder: Path) -> None:
    path = folder / "search.db"
    told: list[int] = []
    assert numbers(repository, path, tell=lambda done, _: told.append(done)) == 1
    assert told == [60]
    add(repository, message(60))
    assert numbers(repository, path, "quick", tell=lambda done, _: told.append(done)) == 61
    assert told == [60, 61]
    assert (
        numbers(repository, path, "quick", tell=lambda done, _: told.append(done), anew=True) == 61
    )
    assert told == [60, 61, 61]


def test_the_store_is_not_touched(repository: Repository, folder: Path) -> None:
    before = (folder / "store.db").read_bytes()
    numbers(repository, folder / "search.db")
    assert (folder / "store.db").read_bytes() == before


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 5000, 20_000])
def test_a_file_cut_off_anywhere_is_made_anew(
    repository: Repository, folder: Path, size: int
) -> None:
    path = folder / "search.db"
    numbers(repository, path)
    damage(path, path.read_bytes()[:size])
    assert numbers(repository, path, "quick") == 60
    assert numbers(repository, path, "quick") == 60


def test_any_page_that_is_overwritten_is_noticed_where_it_matters(
    repository: Repository, folder: Path
) -> None:
    path = folder / "search.db"
    numbers(repository, path)
    whole = path.read_bytes()
    for start in range(0, len(whole), 4096):
        damage(path, whole[:start] + bytes(4096) + whole[start + 4096 :])
        assert numbers(repository, path, "quick") == 60
        assert numbers(repository, path) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA user_version = 99",
        "DROP TABLE entry",
        "DELETE FROM text_data WHERE id = 10",
        "DELETE FROM text_config",
        "UPDATE text_config SET v = 99 WHERE k = 'version'",
        "DELETE FROM text_docsize",
        "UPDATE entry SET key = 'x'",
        "UPDATE entry SET key = x'00'",
        "UPDATE entry SET log = 99",
        "UPDATE log SET number = 99",
        "UPDATE log SET target = x'00'",
        "UPDATE catalogue SET next = 1",
    ],
)
def test_whatever_is_wrong_in_it_is_made_anew(
    repository: Repository, folder: Path, sql: str
) -> None:
    path = folder / "search.db"
    numbers(repository, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)
    unseal(str(path))
    add(repository, message(60))
    assert numbers(repository, path, "quick") == 61
    assert numbers(repository, path, "quick") == 61


def test_a_journal_that_was_left_of_another_file_does_no_harm(
    repository: Repository, folder: Path
) -> None:
    path = folder / "search.db"
    with closing(Catalogue.open(str(path), bytes(16), patience=0)) as catalogue:
        with catalogue.transaction():
            catalogue.connection.execute("INSERT INTO unread VALUES (5)")
        shutil.copy(f"{path}-wal", folder / "kept")
    path.unlink()
    (folder / "kept").rename(f"{path}-wal")
    assert numbers(repository, path, "quick") == 60


def test_the_index_of_another_repository_is_not_believed(
    repository: Repository, folder: Path
) -> None:
    path = folder / "search.db"
    Catalogue.open(str(path), bytes(range(16)), patience=0).close()
    assert numbers(repository, path, "quick") == 60


@pytest.mark.parametrize("name", ["missing/search.db", "folder", "link"])
def test_where_no_file_can_be_it_is_done_without(
    repository: Repository, folder: Path, name: str
) -> None:
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("/dev/null")
    assert numbers(repository, folder / name, "quick") == 60
    names = {path.name for path in folder.iterdir()}
    assert names <= {"folder", "link", "store.db", "store.db-shm", "store.db-wal"}


def test_the_second_place_is_used_where_the_first_cannot_be(
    repository: Repository, folder: Path
) -> None:
    places = [str(folder / "missing" / "search.db"), str(folder / "other.db")]
    assert len(find(repository, "quick", places=places)) == 60
    assert (folder / "other.db").exists()


def test_somebody_who_holds_it_for_ever_is_done_without(
    repository: Repository, folder: Path
) -> None:
    path = folder / "search.db"
    with closing(Catalogue.open(str(path), bytes(16), patience=0)) as holder, holder.transaction():
        assert numbers(repository, path, "quick") == 60


def test_where_the_disk_is_full_it_is_done_without(
    repository: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "search.db"
    opened = Catalogue.open
    add(repository, *map(message, range(60, 900)))

    def small(path: str, identity: bytes, *, patience: float) -> Catalogue:
        catalogue = opened(path, identity, patience=patience)
        ((pages,),) = catalogue.select("PRAGMA page_count")
        catalogue.select(f"PRAGMA max_page_count = {pages}")
        return catalogue

    monkeypatch.setattr(Catalogue, "open", small)
    assert numbers(repository, path, "quick") == 900
    with closing(opened(str(path), bytes(16), patience=0)) as catalogue:
        assert catalogue.select("SELECT count(*) FROM entry") == [(0,)]
    monkeypatch.undo()
    assert numbers(repository, path, "quick") == 900


def test_where_nothing_can_be_had_it_is_said_in_one_line(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Catalogue.temporary
    add(repository, *map(message, range(60, 900)))

    def small(identity: bytes) -> Catalogue:
        catalogue = made(identity)
        ((pages,),) = catalogue.select("PRAGMA page_count")
        catalogue.select(f"PRAGMA max_page_count = {pages}")
        return catalogue

    monkeypatch.setattr(Catalogue, "temporary", small)
    with pytest.raises(CatalogueError) as caught:
        find(repository, "quick")
    assert isinstance(caught.value, LocalError)
    assert "full" in str(caught.value)


def test_many_hits_of_few_logs_take_little_room() -> None:
    repository = make_repository(1)
    add(repository, *(message(number) for number in range(500)))
    found = find(repository, "quick")
    assert len(found) == 500
    assert {tuple(hit.logs) for hit in found} == {("main",)}
    assert sorted(hit.key for hit in found) == list(repository.keys(repository.log("main").root))


KILLED = """
import os, sys
from msglog.repository import Repository
from msglog.search.answer import search
from msglog.search.condition import condition
from msglog.search.query import parse
from msglog.search.seal import unseal
left = int(sys.argv[3])
def tell(done, total):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
import msglog.search.upkeep as upkeep
upkeep.MESSAGES_AT_ONCE = 256
upkeep.catch_up.__kwdefaults__["at_once"] = 256
search(Repository.open(sys.argv[1]), condition(parse("quick", lambda *_: 0)), places=[sys.argv[2]],
       limit=1, tell=tell)
"""


def test_one_that_was_killed_leaves_what_the_next_goes_on_with(
    repository: Repository, folder: Path
) -> None:
    add(repository, *map(message, range(60, 900)))
    path = folder / "search.db"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(path), "3"], check=False, env=os.environ
    )
    assert done.returncode == -9
    told: list[int] = []
    assert numbers(repository, path, "quick", tell=lambda done, _: told.append(done)) == 900
    assert told[0] > 600  # what was committed before is not done again


@pytest.mark.parametrize("sealed", [True, False])
def test_random_bytes_anywhere(repository: Repository, folder: Path, *, sealed: bool) -> None:
    path = folder / "search.db"
    numbers(repository, path)
    whole, seal = path.read_bytes(), Path(f"{path}-seal").read_bytes()
    chance = random.Random(7)
    for _ in range(30):
        data = bytearray(whole)
        start = chance.randrange(len(data))
        data[start : start + 16] = chance.randbytes(len(data[start : start + 16]))
        damage(path, bytes(data))
        if sealed:
            Path(f"{path}-seal").write_bytes(seal)
            assert numbers(repository, path, "quick") == 60
        else:  # whatever it says, it says it
            assert all(len(hit.key) == 40 for hit in find(repository, "quick", places=[str(path)]))
    assert numbers(repository, path, "quick", anew=True) == 60

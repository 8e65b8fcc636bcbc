"""The peer that is msglog itself, and the quick ways to fill it."""

from itertools import islice
from pathlib import Path

from msglog.message import decode_object
from msglog.repository import Repository
from tests.bench.command import timed
from tests.bench.corpus import entries, vocabulary
from tests.bench.msglog import Msglog
from tests.bench.stock import copy_store, fill, honest_messages

WORDS = vocabulary(["the cat and the dog", "the end of it"], "test")


def test_filling_by_the_library_and_by_the_command_gives_the_same_log(peer: Msglog) -> None:
    made = list(entries(WORDS, 300, 1))
    peer.fill(made)
    repository = Repository.open(peer.repository)
    before = {log.name: log for log in repository.logs()}
    repository.close()
    assert sum(log.count for log in before.values()) == 300
    timed([peer.run("logs", "new", "again")])
    timed(peer.fill_by_command([entry for entry in made if entry.log == "main"], "again"))
    repository = Repository.open(peer.repository)
    assert repository.log("again").root == before["main"].root
    repository.close()


def test_honest_messages_are_what_a_log_may_hold_and_in_order() -> None:
    made = list(islice(honest_messages(WORDS, 1), 500))
    assert made == list(islice(honest_messages(WORDS, 1), 500))
    keys = [key for key, _ in made]
    assert keys == sorted(set(keys))
    assert len({decode_object(data).uuid for _, data in made}) == 500


def test_a_copied_store_keeps_the_identity_of_where_it_is_put(tmp_path: Path) -> None:
    for name, identity in (("one", b"1" * 16), ("two", b"2" * 16)):
        Repository.create(tmp_path / name, identity=identity, time=0).close()
    one = Repository.open(tmp_path / "one")
    fill(one, honest_messages(WORDS, 1), 70)
    log = one.log("main")
    one.close()
    copy_store(tmp_path / "one", tmp_path / "two")
    two = Repository.open(tmp_path / "two")
    assert (two.store.identity, two.log("main")) == (b"2" * 16, log)
    assert sum(1 for _ in two.messages(two.keys(log.root))) == 70
    two.close()

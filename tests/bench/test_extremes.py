"""Unusual logs, as far as no sshd is needed for them."""

from msglog.repository import Repository
from tests.bench import extremes
from tests.bench.corpus import vocabulary
from tests.bench.extremes import IN_EACH, LARGE, LARGE_BYTES, Extremes
from tests.bench.msglog import Msglog
from tests.bench.result import Result
from tests.bench.site import Site

WORDS = vocabulary(["the cat and the dog", "the end of it"], "test")


def unusual(site: Site) -> Extremes:
    return Extremes(site, WORDS, 1, Result(), lambda _: None)


def test_many_logs_have_their_messages_each(site: Site, peer: Msglog) -> None:
    peer.begin()
    unusual(site)._make_logs(peer.repository, 5)
    repository = Repository.open(peer.repository)
    assert [log.count for log in repository.logs()] == [IN_EACH] * 5
    assert len({log.root for log in repository.logs()}) == 5
    repository.close()


def test_large_messages_have_exactly_a_mebibyte(site: Site) -> None:
    made = list(unusual(site)._large())
    assert {len(entry.body.encode()) for entry in made} == {LARGE_BYTES}
    assert len({entry.body for entry in made}) == len(made) == LARGE
    assert extremes.LARGE_BYTES == 1 << 20

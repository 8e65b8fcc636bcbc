from contextlib import closing

import pytest

from msglog.search.catalogue import Catalogue
from msglog.search.suggestion import similar_words
from msglog.search.upkeep import catch_up
from tests.plumbing.peers import add, make_repository, message


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["pmup"], ["pump"]),
        (["pumpes"], ["pumped", "pumps"]),
        (["PÜMP"], []),
        (["Vacum pump"], ["vacuum"]),
        (["vacum", "pimp"], ["vacuum", "pump"]),
        (["pump"], []),
        (["xyzzy"], []),
        (["pu"], []),
        (["annn"], []),
        (["\U0010ffff\U0010ffff\U0010ffff"], []),
        (["\x1f泵\x1f"], []),
        ([], []),
    ],
)
def test_what_may_have_been_meant(texts: list[str], expected: list[str]) -> None:
    repository = make_repository(1)
    bodies = ("the pump", "pumps are pumped", "vacuum", "泵")
    add(repository, *(message(n, author="anna", body=body) for n, body in enumerate(bodies)))
    with closing(Catalogue.temporary(repository.store.identity)) as catalogue:
        catch_up(catalogue, repository, lambda *_: None, patience=0)
        found = similar_words(catalogue, texts)
    assert set(expected) <= set(found)
    assert bool(found) == bool(expected)
    assert len(found) <= 3

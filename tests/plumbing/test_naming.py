"""What names on a plumbing command line stand for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.index.node import EMPTY_NODE, EMPTY_ROOT
from msglog.key import key_object_id
from msglog.objectid import object_id
from msglog.repository import Repository
from msglog.revision import ForgottenValueError
from msglog.store.store import Commit, Ref, RefUpdate
from plumbing.naming import (
    CANDIDATES_LIMIT,
    AmbiguousNameError,
    UnknownNameError,
    find_object,
    read_object,
    resolve,
)
from tests.plumbing.running import fill, message


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    fill(tmp_path / ".msglog", 3000)
    opened = Repository.open(tmp_path / ".msglog")
    yield opened
    opened.close()


def test_a_full_id_stands_for_itself_held_or_not(repository: Repository) -> None:
    assert resolve(repository, "ab" * 32) == bytes.fromhex("ab" * 32)


@pytest.mark.parametrize("name", ["a\udcff", "a\0", "\udcff@{1}", "ma\u0131n"])
def test_what_is_no_text_or_no_name_is_unknown(repository: Repository, name: str) -> None:
    """A byte that is not UTF-8 comes from the shell as half of a character."""
    with pytest.raises(UnknownNameError):
        resolve(repository, name)


def test_logs_refs_and_tracking_refs(repository: Repository) -> None:
    root = repository.log("main").root
    other = object_id(b"other")
    update = RefUpdate("refs/remotes/origin/main", None, Ref(other, 1))
    repository.store.commit(Commit(1, "fetch", refs=[update]))
    assert resolve(repository, "main") == resolve(repository, "refs/logs/main") == root
    assert resolve(repository, "origin/main") == other
    assert resolve(repository, "refs/remotes/origin/main") == other


def test_what_a_log_was_before(repository: Repository) -> None:
    before = repository.log("main").root
    key, data = message(5000)
    after = repository.add("main", {key: data}, time=9).root
    assert resolve(repository, "main@{0}") == after
    assert resolve(repository, "main@{1}") == before
    assert resolve(repository, "refs/logs/main@{2}") == EMPTY_ROOT
    with pytest.raises(ForgottenValueError, match="remembers 3 values"):
        resolve(repository, "main@{3}")
    for name in ("main@{-1}", "main@{x}", "main@{", "other@{0}", "main@{9999999999}"):
        with pytest.raises(UnknownNameError):
            resolve(repository, name)


def test_the_beginning_of_a_message_or_node_id(repository: Repository) -> None:
    key = next(repository.keys(repository.log("main").root))
    oid = key_object_id(key)
    assert resolve(repository, oid.hex()[:12].upper()) == oid
    assert find_object(repository, oid.hex()).kind == "message"
    root = repository.log("main").root
    assert resolve(repository, root.hex()[:12]) == root
    assert find_object(repository, root.hex()[:12]).kind == "node"
    assert find_object(repository, root.hex()).kind == "node"


def test_the_empty_root_is_everywhere(repository: Repository) -> None:
    found = find_object(repository, EMPTY_ROOT.hex())
    assert read_object(repository, found) == EMPTY_NODE
    assert find_object(repository, EMPTY_ROOT.hex()[:12]) == found


def test_an_ambiguous_beginning_lists_candidates_of_both_kinds(repository: Repository) -> None:
    found: dict[str, int] = {}
    for key in repository.keys(repository.log("main").root):
        digits = key_object_id(key).hex()[:4]
        found[digits] = found.get(digits, 0) + 1
    digits = next(text for text, number in found.items() if number > 1)
    with pytest.raises(AmbiguousNameError) as caught:
        resolve(repository, digits)
    assert caught.value.exit_status == 2
    assert len(caught.value.candidates) >= 2
    for candidate in caught.value.candidates[:CANDIDATES_LIMIT]:
        assert candidate.oid.hex().startswith(digits)
        assert f"{candidate.kind} {candidate.oid.hex()}" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "abc", "nothing", "xyzw1234", "0" * 12, "../x", "a\nb", "refs/logs/", "\x1b[31m"]
)
def test_what_names_nothing(repository: Repository, name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve(repository, name)
    assert caught.value.exit_status == 1
    assert str(caught.value).isprintable()


def test_a_full_id_that_is_not_here_is_no_object(repository: Repository) -> None:
    with pytest.raises(UnknownNameError):
        find_object(repository, "ab" * 32)


def test_a_mistyped_name_is_guessed(repository: Repository) -> None:
    update = RefUpdate("refs/remotes/origin/lab", None, Ref(EMPTY_ROOT, 0))
    repository.store.commit(Commit(1, "fetch", refs=[update]))
    for name, hint in (
        ("mian", "Did you mean main?"),
        ("orgin/lab", "Did you mean origin/lab?"),
        ("xyzzy", ""),
    ):
        with pytest.raises(UnknownNameError) as caught:
            resolve(repository, name)
        assert caught.value.hint == hint

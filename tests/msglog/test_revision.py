"""What is named to be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.refname import InvalidNameError
from msglog.repository import Repository, UnknownLogError
from msglog.revision import ForgottenValueError, Revision, find_revision, split_age
from msglog.store.store import Commit, Ref, RefUpdate
from tests.plumbing.running import fill, message


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    fill(tmp_path / ".msglog", 30)
    opened = Repository.open(tmp_path / ".msglog")
    yield opened
    opened.close()


def track(repository: Repository, ref: str) -> None:
    """Have a remote that has what main has now."""
    log = repository.log("main")
    update = RefUpdate(f"refs/remotes/{ref}", None, Ref(log.root, log.count))
    repository.store.commit(Commit(1, "fetch", refs=[update]))


def add(repository: Repository, *numbers: int) -> None:
    repository.add("main", dict(map(message, numbers)), time=9)


def test_a_log_here_goes_before_one_at_a_remote(repository: Repository) -> None:
    track(repository, "lab/main")
    there = repository.log("main").root
    add(repository, 100)
    assert find_revision(repository, "main") == Revision(
        "main", "main", repository.log("main").root
    )
    assert find_revision(repository, "lab/main") == Revision("lab/main", "main", there)
    repository.create_log("lab/main", time=1)
    assert find_revision(repository, "lab/main") == Revision("lab/main", "lab/main", EMPTY_ROOT)
    track(repository, "My.Lab/beam/line")
    assert find_revision(repository, "My.Lab/beam/line").log == "beam/line"


def test_what_one_has_and_another_lacks(repository: Repository) -> None:
    track(repository, "origin/main")
    add(repository, 100, 101)
    ahead = find_revision(repository, "origin/main..main")
    assert (ahead.log, ahead.count(repository)) == ("main", 2)
    assert find_revision(repository, "origin/main..").root == ahead.root
    assert find_revision(repository, "..origin/main").count(repository) == 0
    assert find_revision(repository, "main@{1}..").count(repository) == 2
    assert find_revision(repository, "main").count(repository) == 32
    repository.create_log("other", time=1)
    assert find_revision(repository, "other..main").count(repository) == 32
    assert find_revision(repository, "main..other").count(repository) == 0


def test_what_there_is_not(repository: Repository) -> None:
    track(repository, "origin/main")
    with pytest.raises(UnknownLogError) as unknown:
        find_revision(repository, "orgin/main")
    assert (
        unknown.value.hint
        == "Did you mean origin/main? Else make it with `msglog logs new orgin/main`."
    )
    with pytest.raises(UnknownLogError) as unknown:
        find_revision(repository, "..origin/lab")
    assert "make it" not in unknown.value.hint  # that would not have the remote have it
    with pytest.raises(UnknownLogError) as unknown:
        find_revision(repository, "usb/main..", remotes=lambda: ["usb"])
    assert unknown.value.hint == "`msglog fetch usb` finds out what is there."
    repository.create_log("beamline/shifts", time=1)
    with pytest.raises(UnknownLogError) as unknown:
        find_revision(repository, "beamline/shift")
    assert unknown.value.hint.startswith("Did you mean beamline/shifts? Else make it with")
    for name in ("", "main@{x}", "a b", "main..a b", "Origin/", "/main", "Origin/../x"):
        with pytest.raises((InvalidNameError, UnknownLogError)):
            find_revision(repository, name)
    with pytest.raises(ForgottenValueError, match="main remembers 2 values"):
        find_revision(repository, "main@{2}..main")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("main@{1}", ("main", 1)),
        ("a/b@{007}", ("a/b", 7)),
        ("main@{1}@{2}", ("main@{1}", 2)),
        ("main", ("main", None)),
        ("@{1}", ("@{1}", None)),
        ("main@{}", ("main@{}", None)),
        ("main@{1", ("main@{1", None)),
        ("main@1}", ("main@1}", None)),
        ("main@{-1}", ("main@{-1}", None)),
        ("main@{²}", ("main@{²}", None)),
        ("main@{1234567890}", ("main@{1234567890}", None)),
    ],
)
def test_an_age(name: str, expected: tuple[str, int | None]) -> None:
    assert split_age(name) == expected

"""`for-each-ref`: `<root>\\t<ref>` and nothing else."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.objectid import object_id
from msglog.repository import Repository
from msglog.store.store import Commit, Ref, RefUpdate
from plumbing import for_each_ref
from plumbing.for_each_ref import _number
from tests.plumbing.running import fill, run

OTHER = object_id(b"other")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".msglog"
    fill(folder, 0)
    fill(folder, 0, log="team/ops")
    fill(folder, 0, log="team")
    repository = Repository.open(folder)
    update = RefUpdate("refs/remotes/origin/main", None, Ref(OTHER, 7))
    repository.store.commit(Commit(1, "fetch", refs=[update]))
    repository.close()
    return folder


def names(folder: Path, *words: str) -> list[str]:
    return [line.split("\t")[1] for line in run(for_each_ref, folder, *words).lines]


def test_all_refs_by_name(folder: Path) -> None:
    empty = EMPTY_ROOT.hex()
    assert run(for_each_ref, folder).output.decode() == (
        f"{empty}\trefs/logs/main\n"
        f"{empty}\trefs/logs/team\n"
        f"{empty}\trefs/logs/team/ops\n"
        f"{OTHER.hex()}\trefs/remotes/origin/main\n"
    )
    assert run(for_each_ref, folder, as_json=True).records[-1] == {
        "ref": "refs/remotes/origin/main",
        "root": OTHER.hex(),
        "count": 7,
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["refs/remotes"], ["refs/remotes/origin/main"]),
        (["refs/remotes/"], ["refs/remotes/origin/main"]),
        (["refs/logs/team"], ["refs/logs/team", "refs/logs/team/ops"]),
        (["refs/logs/te"], []),
        (["refs/logs/te*"], ["refs/logs/team", "refs/logs/team/ops"]),
        (["*/main"], ["refs/logs/main", "refs/remotes/origin/main"]),
        (["refs/logs/main", "refs/remotes"], ["refs/logs/main", "refs/remotes/origin/main"]),
        (["--count", "2"], ["refs/logs/main", "refs/logs/team"]),
        (["--count=0"], []),
        (["REFS"], []),
    ],
)
def test_patterns_and_counts(folder: Path, words: list[str], found: list[str]) -> None:
    assert names(folder, *words) == found


@pytest.mark.parametrize("text", ["-1", "x", "", "1_0", "٣", "9" * 10, "+5"])
def test_a_count_is_a_plain_number(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        _number(text)

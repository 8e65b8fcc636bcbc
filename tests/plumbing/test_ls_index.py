"""`ls-index`: one line a node."""

from pathlib import Path

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.repository import Repository, UnknownLogError
from plumbing import ls_index
from plumbing.ls_index import TwoIndexesError
from tests.plumbing.running import fill, run


def test_an_index_of_two_levels(tmp_path: Path) -> None:
    folder = tmp_path / ".msglog"
    fill(folder, 100)
    repository = Repository.open(folder)
    root = repository.log("main").root.hex()
    repository.close()
    lines = run(ls_index, folder).lines
    assert lines[0] == f"inner 9 8005af310 100 {root}"
    assert len(lines) > 2
    assert all(line.startswith("  leaf ") for line in lines[1:])
    assert sum(int(line.split()[3]) for line in lines[1:]) == 100
    assert run(ls_index, folder, "--log", "main").lines == lines
    assert run(ls_index, folder, root[:12]).lines == lines
    # A subtree can be listed too; it is its own root.
    assert run(ls_index, folder, lines[1].split()[4]).lines == [lines[1].strip()]
    records = run(ls_index, folder, as_json=True).records
    assert [record["id"] for record in records] == [line.split()[4] for line in lines]
    assert records[0] == {
        "level": 0,
        "kind": "inner",
        "depth": 9,
        "prefix": "8005af310",
        "count": 100,
        "id": root,
    }


@pytest.mark.parametrize("count", [1, 64])
def test_a_single_leaf(tmp_path: Path, count: int) -> None:
    fill(tmp_path / ".msglog", count)
    (line,) = run(ls_index, tmp_path / ".msglog").lines
    kind, depth, prefix, found, _ = line.split()
    assert (kind, int(depth), int(found)) == ("leaf", len(prefix), count)
    assert int(depth) == (80 if count == 1 else 9)


def test_an_index_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(TwoIndexesError) as caught:
        run(ls_index, tmp_path / ".msglog", "--log", "main", "main")
    assert caught.value.exit_status == 2


def test_an_empty_log(tmp_path: Path) -> None:
    fill(tmp_path / ".msglog", 0)
    assert run(ls_index, tmp_path / ".msglog").lines == [f"leaf 0 - 0 {EMPTY_ROOT.hex()}"]


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    fill(tmp_path / ".msglog", 0)
    with pytest.raises(UnknownLogError):
        run(ls_index, tmp_path / ".msglog", "--log", "other")

"""`diff-index`: the two one-sided differences, in the order of the log."""

from pathlib import Path

import pytest

from msglog.key import key_object_id
from msglog.repository import Repository
from plumbing import diff_index
from tests.plumbing.running import fill, message, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".msglog"
    fill(folder, 200)
    fill(folder, 200, log="other")
    repository = Repository.open(folder)
    repository.add("main", dict([message(1000)]), time=1)
    repository.add("other", dict([message(999), message(-5)]), time=1)
    repository.close()
    return folder


def hexid(number: int) -> str:
    return key_object_id(message(number)[0]).hex()


def test_both_directions_in_order(folder: Path) -> None:
    assert run(diff_index, folder, "main", "other").lines == [
        f"+ 2020-09-13T12:26:35.000000+00:00 {hexid(-5)}",
        f"+ 2020-09-13T12:43:19.000000+00:00 {hexid(999)}",
        f"- 2020-09-13T12:43:20.000000+00:00 {hexid(1000)}",
    ]
    assert [line[0] for line in run(diff_index, folder, "other", "main").lines] == ["-", "-", "+"]
    assert run(diff_index, folder, "main@{1}", "main", as_json=True).records == [
        {"change": "+", "time": "2020-09-13T12:43:20.000000+00:00", "id": hexid(1000)}
    ]


def test_the_exit_status_tells_only_when_asked(folder: Path) -> None:
    assert run(diff_index, folder, "main", "other").status == 0
    assert run(diff_index, folder, "--exit-code", "main", "other").status == 1
    same = run(diff_index, folder, "--exit-code", "main", "refs/logs/main")
    assert (same.status, same.output) == (0, b"")

"""`rev-parse`: names in, full ids out."""

from pathlib import Path

import pytest

from msglog.key import key_object_id
from msglog.repository import Repository
from plumbing import rev_parse
from plumbing.naming import UnknownNameError
from tests.plumbing.running import fill, run


def test_names_in_the_order_given(tmp_path: Path) -> None:
    folder = tmp_path / ".msglog"
    keys = fill(folder, 10)
    repository = Repository.open(folder)
    root = repository.log("main").root.hex()
    repository.close()
    oid = key_object_id(keys[3]).hex()
    assert run(rev_parse, folder, oid[:10], "main", "refs/logs/main").lines == [oid, root, root]
    assert run(rev_parse, folder, "--short", oid).lines == [oid[:7]]
    assert run(rev_parse, folder, "main", as_json=True).records == [{"name": "main", "id": root}]


def test_one_unknown_name_prints_nothing(tmp_path: Path) -> None:
    fill(tmp_path / ".msglog", 1)
    with pytest.raises(UnknownNameError, match="nothing"):
        run(rev_parse, tmp_path / ".msglog", "main", "nothing")

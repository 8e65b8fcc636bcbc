"""The repository that plumbing works on is given, never looked for."""

from pathlib import Path

import pytest

from msglog.store.store import StoreError
from plumbing import for_each_ref
from plumbing.local_repository import NoRepositoryError
from tests.plumbing.running import fill, run


def test_none_given_is_a_local_failure_with_a_hint(tmp_path: Path) -> None:
    fill(tmp_path / ".msglog", 1)
    with pytest.raises(NoRepositoryError) as caught:
        run(for_each_ref, None, directory=tmp_path)
    assert caught.value.exit_status == 7
    assert "msglog init" in str(caught.value)


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        run(for_each_ref, tmp_path / ".msglog")
    assert caught.value.exit_status == 7
    assert list(tmp_path.iterdir()) == []

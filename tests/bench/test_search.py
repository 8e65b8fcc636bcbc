"""That the measurement of search runs and says what its record quotes."""

import shutil
from pathlib import Path

import pytest

from tests.bench.corpus import entries, vocabulary
from tests.bench.search import QUERIES, measure


def test_it_says_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    words = vocabulary(["the upstream release of the quaternion and its compiler"], "a sentence")
    measure(tmp_path, entries(words, 60, 1), 60)
    said = capsys.readouterr().out
    assert "first search" in said
    assert "bytes a message, index" in said
    assert "one more about" not in said
    for name, query in QUERIES:
        assert f"{name}: {query} (" in said
    assert "by list --grep" in said
    assert "notmuch" not in said

"""What guides show is what happens."""

import shutil
from pathlib import Path

import pytest

from tests.docs.console import ROOT, examples, play

PAGES = [
    page
    for folder in ("docs", "docs/guides")
    for page in sorted((ROOT / folder).glob("*.md"))
    if examples(page)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_guide_shows_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notes"
    shutil.copytree(ROOT / "docs" / "examples", folder)
    monkeypatch.chdir(folder)
    home = {"HOME": str(tmp_path), "MSGLOG_AUTHOR": "ann", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    play(page, tmp_path / "bin", home)


def test_these_have_examples() -> None:
    assert {"provenance"} <= {page.stem for page in PAGES}

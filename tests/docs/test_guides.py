"""What guides show is what happens."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.docs.console import ROOT, play

PAGES = [
    page
    for folder in ("docs", "docs/guides")
    for page in sorted((ROOT / folder).glob("*.md"))
    if "\n$ " in page.read_text()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_guide_shows_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notes"
    shutil.copytree(ROOT / "docs" / "examples", folder)
    monkeypatch.chdir(folder)
    make_old_database(folder / "old.db")
    home = {"HOME": str(tmp_path), "MSGLOG_AUTHOR": "ann", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    play(page, tmp_path / "bin", home)


def make_old_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        old.execute(
            "CREATE TABLE db_msg (id INTEGER PRIMARY KEY, uuid TEXT, message TEXT, time TEXT)"
        )
        rows = [
            (f"{number:032x}", text, f"2024-07-0{number} 12:00:00")
            for number, text in enumerate(("first light", "msg from user 1"), 1)
        ]
        old.executemany("INSERT INTO db_msg (uuid, message, time) VALUES (?, ?, ?)", rows)
        old.commit()


def test_these_have_examples() -> None:
    assert {"migrating", "provenance"} <= {page.stem for page in PAGES}

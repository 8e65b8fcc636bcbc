"""Paths without detours mean what they meant."""

import os
from pathlib import Path

from msglog.pathname import tidy


def test_detours_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert tidy(f"{tmp_path}/a/../b/.") == str(tmp_path / "b")
    assert tidy(f"{tmp_path}/a/../nothing/x") == str(tmp_path / "nothing" / "x")
    assert tidy(f"{tmp_path}/nothing") == f"{tmp_path}/nothing"


def test_a_link_before_two_dots_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    for name in ("x", "away"):
        assert tidy(f"{tmp_path}/link/../{name}") == str(tmp_path / "far" / name)
    (tmp_path / "away").mkdir()
    assert tidy(f"{tmp_path}/link/../away") == str(tmp_path / "far" / "away")
    assert os.path.samefile(tidy(f"{tmp_path}/link/."), tmp_path / "link")
    assert tidy(f"{tmp_path}/link/.") == str(tmp_path / "link")

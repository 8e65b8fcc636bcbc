"""Pictures of terminals show what msglog printed there."""

import re
import runpy
from html import unescape
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "site" / "screenshots.py"
PAGES = Path(__file__).parents[2] / "docs"


def test_a_picture_is_what_was_printed_in_colour() -> None:
    pictures = runpy.run_path(str(SCRIPT))["take"]("share")
    assert list(pictures) == ["light", "dark"]
    for svg in pictures.values():
        text = unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)<", svg))).replace("\xa0", " ")
        for shown in ("$ ", "msglog push", "1 ahead, 0 behind", "origin main: 1 pushed, 3 in all"):
            assert shown in text
        assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", svg))) >= 4
        assert "url(http" not in svg
        assert "@font-face" not in svg
        assert 'stroke="rgba(127,127,127' in svg


def test_the_pages_show_pictures_that_are_taken() -> None:
    shots = runpy.run_path(str(SCRIPT))["SHOTS"]
    shown = {
        picture
        for page in PAGES.rglob("*.md")
        for picture in re.findall(r"\(screenshots/([\w-]+\.svg#[\w-]+)\)", page.read_text())
    }
    assert shown
    assert shown == {
        f"{name}-{theme}.svg#only-{theme}" for name in shots for theme in ("light", "dark")
    }

"""What the site has beside the pages in docs/: the navigation, and links out of docs/."""

from __future__ import annotations

import posixpath
import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
FIRST = ["vps", "server-account", "devices", "hpc", "instruments", "migrating", "provenance"]
"""The guides that come before the others."""

_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)#:\s]+)(?:#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page where it belongs, so that a new one needs no list."""
    guides = sorted(_pages("guides"), key=_position)
    config.nav = [
        {"Home": "index.md"},
        {"Tutorial": "tutorial.md"},
        {"Guides": [*guides, {"Deployment": sorted(_pages("deploy"))}]},
        {"Commands": ["commands/help.md", *_commands()]},
        {"Python": "api.md"},
        {"Reference": ["format.md", "protocol.md", "security.md", "reliability.md", "json.md"]},
        {
            "Design": [
                "adr/README.md",
                *(page for page in _pages("adr") if "README" not in page),
                "performance.md",
                "scaling.md",
                *_pages("performance"),
            ]
        },
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the screenshots anew."""
    sys.path.insert(0, str(ROOT))
    screenshots = runpy.run_path(str(ROOT / "docs" / "site" / "screenshots.py"))
    for name in screenshots["SHOTS"]:
        for theme, svg in screenshots["take"](name).items():
            path = f"screenshots/{name}-{theme}.svg"
            files.append(File.generated(config, path, content=svg))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to what is in the repository and not on the site into text."""
    del config
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def shown(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match["target"]))
        on_site = files.get_file_from_path(path.removeprefix("docs/")) is not None
        return match[0] if on_site or not (ROOT / path).exists() else match["text"]

    return _LINK.sub(shown, markdown)


def _commands() -> list[dict[str, list[str]]]:
    """Return the pages of the commands as `msglog help` groups them."""
    sys.path.insert(0, str(ROOT))
    commands = runpy.run_path(str(ROOT / "porcelain" / "commands.py"))
    groups: dict[str, list[str]] = {group: [] for group in commands["GROUPS"]}
    for name, command in commands["COMMANDS"].items():
        if name != "help":
            groups[command.group].append(f"commands/{name}.md")
    return [{group: pages} for group, pages in groups.items()]


def _pages(folder: str) -> list[str]:
    return [f"{folder}/{page.name}" for page in sorted((ROOT / "docs" / folder).glob("*.md"))]


def _position(page: str) -> tuple[int, str]:
    name = Path(page).stem
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)

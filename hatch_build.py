"""What the wheel has beside the packages: manual pages, made of what the commands declare."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the pages before a wheel is built, and has it install them as share/man/man1."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the pages; an editable installation has none."""
        if self.target_name != "wheel" or version == "editable":
            return
        sys.path.insert(0, self.root)
        try:
            from porcelain.manual import escape, pages  # noqa: PLC0415 - it is not there before

            docs = Path(self.root, "docs")
            reader = docs / "site" / "prose.py"  # which the container's build goes without
            read = runpy.run_path(str(reader))["read"] if reader.exists() else None

            def prose(command: str) -> Any:  # noqa: ANN401 - a Prose of the reader's
                page = docs / "commands" / f"{command}.md"
                return read(page.read_text(), escape) if read and page.exists() else None

            made = list(pages(prose))
        finally:
            sys.path.remove(self.root)
        folder = Path(self.root, "build", "man")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made:
            (folder / name).write_text(text)
            build_data["shared_data"][str(folder / name)] = f"share/man/man1/{name}"

"""Every command is documented, and what its page shows is what it does."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from porcelain.commands import COMMANDS, GROUPS, load, summary
from tests.porcelain.conftest import CommandLine

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "commands"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGING = re.compile(
    r"(?P<id>\b[0-9a-f]{7,64}\b)|(?P<any>\.\.\.)"
    r"|\b(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{6})?)?)"
)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_in_the_list_has_help_and_a_page(empty: CommandLine, name: str) -> None:
    command = COMMANDS[name]
    assert command.group in GROUPS
    line = next(line for line in empty.ok("help").splitlines() if line.startswith(f"  {name} "))
    assert summary(load(name)) in line
    assert empty.ok(name, "--help") == empty.ok("help", name)
    assert empty.ok(name, "--help").startswith(f"usage: msglog {name} ")
    assert (PAGES / f"{name}.md").read_text().startswith(f"# msglog {name}\n")


def test_there_is_no_page_without_a_command() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} <= set(COMMANDS)


def examples(page: Path) -> list[tuple[str, str]]:
    """Return the commands of a page and what they show."""
    found: list[tuple[str, str]] = []
    for block in _BLOCK.findall(page.read_text()):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def pattern(shown: str, ids: dict[str, str]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return what output must match: ids and times may be others, `...` is anything."""
    parts: list[str] = []
    groups: dict[str, str] = {}
    end = 0
    for match in _CHANGING.finditer(shown):
        parts.append(re.escape(shown[end : match.start()]))
        end = match.end()
        if match["any"]:
            parts.append(r"(?:.|\n)*" if shown[match.start() - 1 : end + 1] == "\n...\n" else ".*")
        elif match["time"]:
            parts.append(re.sub(r"\d", r"\\d", re.escape(match["time"])))
        elif match["id"] in ids:
            parts.append(ids[match["id"]])
        else:
            group = f"id{len(groups)}"
            groups[group] = match["id"]
            parts.append(f"(?P<{group}>[0-9a-f]{{{len(match['id'])}}})")
    return re.compile("".join([*parts, re.escape(shown[end:])])), groups


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_happens(empty: CommandLine, page: Path) -> None:
    programs = empty.folder.parent / "bin"
    programs.mkdir()
    script = "import sys; from porcelain.cli import run; sys.exit(run())"
    program = programs / "msglog"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{script}" "$@"\n')
    program.chmod(0o755)
    environment = {
        **empty.environment,
        "PATH": f"{programs}:{os.defpath}:{empty.environment['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ids: dict[str, str] = {}
    found = examples(page)
    assert found, "a page has an example"
    for command, shown in found:
        typed = command
        for old, new in ids.items():
            typed = typed.replace(old, new)
        done = subprocess.run(
            ["sh", "-c", typed],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
        output = done.stdout.decode()
        expected, groups = pattern(shown, ids)
        match = expected.fullmatch(output)
        assert match, f"{command}shows:\n{output}where the page has:\n{shown}"
        ids.update({name: match[group] for group, name in groups.items()})

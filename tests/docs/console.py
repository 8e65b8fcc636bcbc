"""Pages with examples of commands, typed as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGING = re.compile(
    r"(?P<id>\b[0-9a-f]{7,64}\b)|(?P<any>\.\.\.)"
    r"|\b(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{6})?)?)"
)


def examples(page: Path) -> list[tuple[str, str]]:
    """Return the commands of a page and what they show."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.findall(page.read_text()):
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


def make_programs(folder: Path) -> None:
    """Put `msglog` and `python` into a new folder: those of the tests."""
    folder.mkdir()
    script = "import sys; from porcelain.cli import run; sys.exit(run())"
    for name, words in (("msglog", f' -c "{script}"'), ("python", "")):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{words} "$@"\n')
        program.chmod(0o755)


def play(page: Path, programs: Path, environment: Mapping[str, str]) -> None:
    """Type the commands of a page in the current folder, and compare what they print.

    programs: a folder that is made for `msglog` and `python`.
    """
    make_programs(programs)
    whole = {
        **environment,
        "PATH": f"{programs}:{os.defpath}:{environment['PATH']}",
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
            env=whole,
            check=False,
        )
        output = done.stdout.decode()
        expected, groups = pattern(shown, ids)
        match = expected.fullmatch(output)
        assert match, f"{command}shows:\n{output}where the page has:\n{shown}"
        ids.update({name: match[group] for group, name in groups.items()})

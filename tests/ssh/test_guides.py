"""Guides for several machines, typed as they stand there; one sshd is the server of all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.console import BLOCK, ROOT, pattern
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import running_sshd

GUIDES = ["devices", "hpc", "instruments", "vps"]
SECONDS = 60.0
PROMPT = re.compile(r"^(?P<machine>[a-z]+)\$ ")
SHARED = {"node": "login"}
"""Machines that have the home of another one."""


def steps(page: Path) -> list[tuple[str, str, str]]:
    """Return where each command is typed, the command, and what it shows."""
    found: list[tuple[str, str, str]] = []
    for block in BLOCK.findall(page.read_text()):
        for line in block.splitlines(keepends=True):
            prompt = PROMPT.match(line)
            if prompt is None:
                machine, command, shown = found[-1]
                found[-1] = (machine, command, shown + line)
            else:
                found.append((prompt["machine"], line[prompt.end() :], ""))
    return found


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_shows_what_happens(name: str, tmp_path: Path, account_store: AccountStore) -> None:
    variables = account_store.variables()
    server = tmp_path / "home" / "server"
    server.mkdir(mode=0o700, parents=True)
    with running_sshd(tmp_path, extra=[f"SetEnv HOME={server}"]) as sshd:
        homes = {"server": server}
        typed = steps(ROOT / "docs" / "guides" / f"{name}.md")
        for machine in dict.fromkeys(SHARED.get(step[0], step[0]) for step in typed):
            if machine != "server":
                user = sshd.make_user(machine)
                homes[machine] = user.home
                (server / f"{machine}.pub").write_text(f"{user.public_key}\n")
        folders: dict[str, Path] = {}
        ids: dict[str, str] = {}
        for machine, command, shown in typed:
            home = homes[SHARED.get(machine, machine)]
            folder = folders.get(machine, home)
            line = command.replace("server@log.example.org", "server")
            for old, new in ids.items():
                line = line.replace(old, new)
            done = subprocess.run(
                ["sh", "-c", f"{line}pwd >'{tmp_path}/now'"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={
                    "HOME": str(home),
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                    "LC_ALL": "C.UTF-8",
                    "TZ": "UTC",
                    "TMPDIR": str(tmp_path),
                    **variables,
                },
                timeout=SECONDS,
                check=False,
            )
            folders[machine] = Path((tmp_path / "now").read_text().removesuffix("\n"))
            output = done.stdout.decode().replace(str(tmp_path), "")
            if variables:  # the page shows where an account in files is
                place = "in /home/server/.msglog-server\n"
                expected, groups = pattern(shown.replace(place, "in ...\n"), ids)
            else:
                expected, groups = pattern(shown, ids)
            match = expected.fullmatch(output)
            assert match, f"{machine}$ {command}shows:\n{output}where the page has:\n{shown}"
            ids.update({old: match[group] for group, old in groups.items()})

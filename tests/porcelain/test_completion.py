import subprocess

import pytest

from porcelain.commands import COMMANDS
from tests.porcelain.conftest import CommandLine


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["msglog", "statu"], "status"),
        (["msglog", "add", "--reply"], "--reply-to"),
        (["msglog", "remote", "set"], "set-url"),
    ],
)
def test_bash_completes_commands_and_options(
    empty: CommandLine, words: list[str], completed: str
) -> None:
    script = empty.ok("completion", "bash")
    asked = (
        f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        '_shtab_msglog; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{completed}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_command_is_in_it(empty: CommandLine, shell: str) -> None:
    script = empty.ok("completion", shell)
    assert [name for name in COMMANDS if name not in script] == []


def test_an_unknown_shell(empty: CommandLine) -> None:
    empty.fails(2, "completion", "cmd")

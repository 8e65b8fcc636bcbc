"""Completion in the shells themselves: of commands, options and names."""

import os
import pty
import re
import select
import shlex
import subprocess
from pathlib import Path

import pytest

from porcelain.commands import COMMANDS
from tests.docs.console import ROOT, make_programs
from tests.porcelain.conftest import CommandLine

SECONDS = 30.0
EVIL = "$(touch evil)"
TYPED = [
    ("msglog statu", ["status"]),
    ("msglog remote set", ["set-url"]),
    ("msglog add --reply", ["--reply-to"]),
    ("msglog push ori", ["origin"]),
    ("msglog push origin lab", ["lab/p01"]),
    ("msglog list --tag fau", ["fault"]),
    ("msglog list --tag ", ["fault"]),
    ("msglog list --log m", ["main"]),
    ("msglog logs delete la", ["lab/p01"]),
    ("msglog remote rename or", ["origin"]),
    ("msglog show {id5}", ["{id}"]),
    ("msglog add --reply-to {id5}", ["{id}"]),
    ("msglog add --file fi", ["file.txt"]),
    ("msglog help stat", ["stats", "status"]),
    ("msglog help logs ren", ["rename"]),
    ("msglog help admin pol", ["policy"]),
    ("msglog help admin user set", ["set-role"]),
    ("msglog help --man remote get", ["get-url"]),
    ("msglog config get user.", ["user.author"]),
    ("msglog config set remote.origin.u", ["remote.origin.url"]),
    ("msglog list --date rel", ["relative"]),
    ("msglog admin user add ann --role wr", ["write"]),
    ("msglog admin user set-role ann app", ["append"]),
    ("msglog admin grant ann re", ["read"]),
    ("msglog list --log=m", ["--log=main"]),
    ("msglog list --tag=", ["--tag=fault"]),
    ("msglog list --date=rel", ["--date=relative"]),
    ("msglog add --log=main --tag fau", ["fault"]),
]
"""What is typed, and what it is completed to."""


@pytest.fixture
def shell(empty: CommandLine) -> dict[str, str]:
    """The environment of a shell in a repository with names in it."""
    empty.ok("init", "-q")
    empty.ok("logs", "new", "lab/p01")
    empty.ok("remote", "add", "origin", "../server")
    empty.ok("add", "one", "--tag", "fault", "--tag", EVIL, "--tag", "two words")
    empty.ok("add", EVIL, "--author", EVIL)
    (empty.folder / "file.txt").touch()
    make_programs(empty.folder.parent / "bin")
    return {
        **empty.environment,
        "PATH": f"{empty.folder.parent / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
    }


def filled(cli: CommandLine) -> list[tuple[str, list[str]]]:
    """Return TYPED with an id that is there."""
    oid = cli.ok("list", "-n", "1", "--format", "%h").strip()
    assert len(oid) == 7
    values = {"id": oid, "id5": oid[:5]}
    return [
        (line.format(**values), [word.format(**values) for word in words]) for line, words in TYPED
    ]


def run(
    program: list[str], script: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a script from a file: it is longer than one argument may be."""
    file = Path(environment["HOME"], "script")
    file.write_text("\n".join(script))
    return subprocess.run([*program, file], capture_output=True, env=environment, check=True)


def test_bash(empty: CommandLine, shell: dict[str, str]) -> None:
    script = [empty.ok("completion", "bash")]
    expected = filled(empty)
    for line, _ in expected:
        words = [word for word in re.split(r" |(=)", line) if word is not None]
        script.append(
            f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}"
        )
        script.append('_msglog 2>/dev/null; echo "${COMPREPLY[@]}"')
    done = run(["bash", "--norc"], script, shell)
    found = [line.split() for line in done.stdout.decode().splitlines()]
    # What is before a = is another word to bash.
    wanted = [[word.rpartition("=")[2] for word in words] for _, words in expected]
    assert [(line, words) for (line, _), words in zip(expected, found, strict=True)] == [
        (line, words) for (line, _), words in zip(expected, wanted, strict=True)
    ]
    assert not Path("evil").exists()


def test_fish(empty: CommandLine, shell: dict[str, str]) -> None:
    expected = filled(empty)
    script = [empty.ok("completion", "fish")]
    script += [f"complete -C {shlex.quote(line)}; echo ---" for line, _ in expected]
    done = run(["fish", "--no-config"], script, shell)
    parts = done.stdout.decode().split("---\n")[:-1]
    found = [[row.partition("\t")[0] for row in part.splitlines()] for part in parts]
    assert [(line, words) for (line, _), words in zip(expected, found, strict=True)] == expected
    assert not Path("evil").exists()


ZSH = """
autoload -U compinit; compinit -u -D
eval "$(msglog completion zsh)"
show() { zle complete-word; print -r -- "$BUFFER" >> shown; BUFFER=; print -r -- D""ONE }
leave() { exit }
zle -N show; zle -N leave
bindkey '^X' show; bindkey '^E' leave
PS1="READY "
"""


def read_until(terminal: int, mark: bytes | None) -> None:
    """Read what a terminal shows until a mark, or until all have left it."""
    seen = b""
    while mark is None or mark not in seen:
        assert select.select([terminal], [], [], SECONDS)[0], seen
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # they have
            assert mark is None, seen
            return


def test_zsh(empty: CommandLine, shell: dict[str, str]) -> None:
    """On a terminal, which it has to have: a key shows what the line was completed to."""
    expected = [one for one in filled(empty) if len(one[1]) == 1 and not one[0].endswith("--reply")]
    (empty.folder / ".zshrc").write_text(ZSH)
    pid, terminal = pty.fork()
    if not pid:
        os.execvpe("zsh", ["zsh", "-d", "-i"], {**shell, "ZDOTDIR": str(empty.folder)})
    read_until(terminal, b"READY")
    for line, _ in expected:
        os.write(terminal, f"{line}\x18".encode())
        read_until(terminal, b"DONE")
    os.write(terminal, b"\x05")
    read_until(terminal, None)
    assert os.waitpid(pid, 0)[1] == 0
    os.close(terminal)
    shown = (empty.folder / "shown").read_text().splitlines()
    assert [line.split()[-1:] for line in shown] == [words for _, words in expected]
    assert not Path("evil").exists()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "tcsh"])
def test_every_command_is_in_it(empty: CommandLine, name: str) -> None:
    script = empty.ok("completion", name)
    assert [command for command in COMMANDS if command not in script] == []


def test_an_unknown_shell(empty: CommandLine) -> None:
    empty.fails(2, "completion", "cmd")


@pytest.mark.parametrize("shell_name", ["zsh", "fish"])
def test_actions_are_described_alike(empty: CommandLine, shell_name: str) -> None:
    script = empty.ok("completion", shell_name)
    for sentence in ("Make an empty log.", "Add a remote.", "Add a user without keys."):
        assert sentence not in script
    for described in ("make an empty log", "add a remote", "add a user"):
        assert described in script

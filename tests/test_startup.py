"""What the commands that must start quickly may not import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "paramiko",
    "rich",
    "rich_argparse",
    "shtab",
    "tomlkit",
    "platformdirs",
    "zstandard",
    "logging",
    "subprocess",
    "asyncio",
    "cryptography",
    "hypothesis",
}

PROGRAM = """
import os, sys
from porcelain.cli import main
status = main(sys.argv[1:], os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
sys.stderr.write("\\n" + " ".join(sorted(name for name in sys.modules if "." not in name)))
sys.exit(status)
"""


def modules(folder: Path, *words: str) -> set[str]:
    """Run a command with nothing on its input, and return the top-level modules that it had."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return set(done.stderr.decode().rpartition("\n")[2].split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for words in (("init",), ("add", "one"), ("init", "other"), ("remote", "add", "o", "./other")):
        modules(tmp_path, *words)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("receive-pack", "--direct", "."),
        ("add", "two"),
        ("list", "-n", "20"),
        ("list", "--json"),
        ("status",),
        ("ls-remote", "o"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(folder: Path, words: tuple[str, ...]) -> None:
    loaded = modules(folder, *words)
    assert "cbor2" in loaded or "sqlite3" in loaded
    assert not loaded & HEAVY


def test_a_server_account_serves_without_anything_heavy(tmp_path: Path) -> None:
    account = str(tmp_path / "account")
    modules(tmp_path, "admin", "init", account)
    modules(tmp_path, "admin", "user", "add", "ann", "--role", "write", "--account", account)
    assert not modules(tmp_path, "receive-pack", "ann", "--account", account) & HEAVY


def test_compressed_messages_are_read_without_the_package_around_zstd(folder: Path) -> None:
    lines = "".join(f"message {number} of many that resemble each other\n" for number in range(600))
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "add", "-q", "--batch"],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        input=lines.encode(),
        capture_output=True,
        check=True,
    )
    assert not modules(folder, "gc") & HEAVY
    assert not modules(folder, "list", "-n", "20") & HEAVY

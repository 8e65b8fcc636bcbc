"""Processes that see another file system, or are on another machine, than they really are."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from msglog.sqlite_file import kind_of, mount_of

SOURCE = Path(__file__).with_name("disk.c")
PROGRAM = """
import os, sys
from porcelain.cli import main
sys.exit(main(sys.argv[1:], os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer))
"""
ADDER = """
import io, os, sys
from porcelain.cli import main
for number in range(int(sys.argv[2])):
    out, err = io.BytesIO(), io.BytesIO()
    words = ["add", f"{sys.argv[1]} {number}"]
    status = main(words, os.environ, io.BytesIO(), out, err)
    if status:
        sys.exit(f"{number}: {status}: {err.getvalue().decode()}")
"""


def build(folder: Path) -> Path:
    """Compile what is preloaded, into a folder."""
    library = folder / "disk.so"
    words = [
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Werror",
        "-o",
        str(library),
        str(SOURCE),
        "-ldl",
    ]
    subprocess.run(words, check=True)
    return library


def table(folder: Path, kind: str, options: str = "rw") -> bytes:
    """Return /proc/self/mountinfo, in which a folder lies on another kind of file system."""
    line = mount_of(str(folder))
    assert kind_of(line)
    other = line.partition(b" - ")[0] + f" - {kind} server:/home {options}".encode()
    return Path("/proc/self/mountinfo").read_bytes().replace(line, other)


@dataclass
class Machine:
    """A machine on which a folder lies on such a file system.

    host: its name. locks, links, delay: see disk.c.
    """

    library: Path
    folder: Path
    kind: str = "nfs4"
    options: str = "rw,local_lock=none"
    host: str = "one"
    locks: str = ""
    links: str = ""
    delay: int = 0

    def environment(self) -> dict[str, str]:
        mounts = self.folder.with_name(f"mounts-{self.host}-{self.kind}")
        mounts.write_bytes(table(self.folder, self.kind, self.options))
        return {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "LD_PRELOAD": str(self.library),
            "DISK_MOUNTS": str(mounts),
            "DISK_HOST": self.host,
            "DISK_LOCKS": self.locks,
            "DISK_LINKS": self.links,
            "DISK_DELAY": str(self.delay),
        }

    def run(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command there, which must end so."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done

    def python(self, program: str, *words: str) -> str:
        """Run a program there, and return what it prints."""
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            env=self.environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        ).stdout

    def adding(self, name: str, count: int) -> "subprocess.Popen[str]":
        """Begin to add so many messages, each by a command of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", ADDER, name, str(count)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

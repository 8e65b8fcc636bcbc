"""What the figures were taken on, without the name of the machine or of anybody."""

import os
import platform
import re
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.bench.command import output

LIBRARIES = ("cbor2", "paramiko", "cryptography", "zstandard")


def busy_seconds(statistics: Path = Path("/proc/stat")) -> float:
    """Return how long all processors have worked since the machine started, in seconds.

    Of the first line (proc_stat(5)): user, nice, system, irq and softirq; not idle, not waiting.
    """
    ticks = [int(word) for word in statistics.read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq = ticks[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def describe(folder: Path) -> dict[str, str]:
    """Return the machine's parts and the versions of programs. folder: where the benchmark works."""
    described = {
        "processor": _processor(Path("/proc/cpuinfo")),
        "cores": str(os.cpu_count()),
        "memory": _memory(Path("/proc/meminfo")),
        "system": _system(Path("/etc/os-release")),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "file system": output("stat", "-f", "-c", "%T", str(folder)),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "OpenSSH": _first(r"OpenSSH_[\w.]+", output("ssh", "-V")),
        "git": _first(r"[\d.]+\d", output("git", "--version")),
        "fossil": _first(r"version ([\d.]+\d)", output("fossil", "version")),
        "muchsync": _first(r"[\d.]+", output("muchsync", "--version")),
        "notmuch": _first(r"[\d.]+", output("notmuch", "--version")),
        "msglog": _revision(),
    }
    for name in LIBRARIES:
        try:
            described[name] = version(name)
        except PackageNotFoundError:
            continue
    return {name: value for name, value in described.items() if value}


def _processor(path: Path) -> str:
    try:
        return _first(r"^model name\s*:\s*(.+)$", path.read_text()) or platform.machine()
    except OSError:
        return platform.machine()


def _memory(path: Path) -> str:
    try:
        kibibytes = _first(r"^MemTotal:\s*(\d+) kB$", path.read_text())
    except OSError:
        return ""
    return f"{int(kibibytes) / 2**20:.0f} GiB" if kibibytes else ""


def _system(path: Path) -> str:
    try:
        return _first(r'^PRETTY_NAME="?([^"\n]+)"?$', path.read_text())
    except OSError:
        return ""


def _revision() -> str:
    root = Path(__file__).parents[2]
    words = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    named = done.stdout.strip()
    return f"{version('msglog')} ({named})" if named else version("msglog")


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[found.lastindex or 0] if found else ""

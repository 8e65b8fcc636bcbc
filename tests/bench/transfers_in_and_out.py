"""Measures imports and exports: `python -m tests.bench.transfers_in_and_out [MESSAGES]`.

Each is a command in a process of its own; prints the seconds of the processor that it took, the
messages in such a second, and its peak memory. Not a test: its figures are for decision records.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from msglog.message import Message, object_key
from msglog.repository import Repository
from tests.bench.corpus import Entry, entries, machine_vocabulary

SIZE = 1_000_000
AT_ONCE = 50_000
PROGRAM = "import sys; from porcelain.cli import run; sys.exit(run())"
SECOND = 1_000_000
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss)
process.returncode = 0
"""
"""Runs between us and a command, whose memory would else count from what ours was at the fork."""


def main(size: int) -> None:
    words = machine_vocabulary()
    print(f"{size:,} messages, words from {words.source}", flush=True)
    with tempfile.TemporaryDirectory(prefix="msglog-in-and-out-") as folder:
        measure(Path(folder), lambda: entries(words, size, 1), size)


def measure(folder: Path, stream: Callable[[], Iterable[Entry]], size: int) -> None:
    source = folder / "source"
    fill(source / ".msglog", stream())
    for name in ("jsonl", "csv", "md"):
        run(source, f"export as {name}", size, "export", "--format", name, "-o", f"../out.{name}")
    written = {
        "syslog": write(folder / "syslog", map(syslog, stream())),
        "journal, JSON": write(folder / "journal.json", map(as_json, stream())),
        "journal, export": write(folder / "journal.export", map(exported, stream())),
    }
    for name, path in {"JSON Lines": folder / "out.jsonl", **written}.items():
        print(f"{name}: {path.stat().st_size / 1e6:.0f} MB", flush=True)
    imports: list[tuple[str, Path, tuple[str, ...]]] = [
        ("JSON Lines", folder / "out.jsonl", ()),
        ("JSON Lines, --keep-going", folder / "out.jsonl", ("--keep-going",)),
        ("syslog", written["syslog"], ("--format", "syslog", "--year", "2020")),
        ("journal, JSON", written["journal, JSON"], ()),
        ("journal, export", written["journal, export"], ()),
    ]
    for number, (name, path, options) in enumerate(imports):
        target = folder / f"target{number}"
        target.mkdir()
        subprocess.run([*command(), "-C", str(target), "init", "-q"], check=True)
        run(target, f"import of {name}", size, "import", str(path), *options)
        if not number:
            run(target, f"import of {name}, once more", size, "import", str(path))
            run(target, "export as jsonl again", size, "export", "-o", "../again.jsonl")
            assert (folder / "again.jsonl").read_bytes() == path.read_bytes()


def fill(folder: Path, stream: Iterable[Entry]) -> None:
    repository = Repository.create(folder, identity=bytes(16), time=0)
    rest = iter(stream)
    while batch := list(islice(rest, AT_ONCE)):
        objects = [Message(one.uuid, one.time, 0, one.author, one.body).encode() for one in batch]
        repository.add("main", {object_key(data): data for data in objects}, time=0)
    repository.close()


def write(path: Path, texts: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(texts)
    return path


def syslog(entry: Entry) -> bytes:
    when = datetime.fromtimestamp(entry.time // SECOND, UTC)
    text = " ".join(entry.body.split())
    return f"{when:%b %d %H:%M:%S} gate {entry.author}[{entry.uuid[0]}]: {text}\n".encode()


def journal(entry: Entry) -> dict[str, str]:
    """Return an entry with as many fields as journald gives one."""
    return {
        "__CURSOR": f"s=1;i={entry.uuid.hex()}",
        "__REALTIME_TIMESTAMP": str(entry.time),
        "__MONOTONIC_TIMESTAMP": str(entry.time % 10**9),
        "_BOOT_ID": "0" * 32,
        "_HOSTNAME": "gate",
        "_PID": str(entry.uuid[0]),
        "_UID": "0",
        "_SYSTEMD_UNIT": f"{entry.author}.service",
        "_SYSTEMD_CGROUP": f"/system.slice/{entry.author}.service",
        "_TRANSPORT": "syslog",
        "PRIORITY": "6",
        "SYSLOG_FACILITY": "3",
        "SYSLOG_IDENTIFIER": entry.author,
        "MESSAGE": entry.body,
    }


def as_json(entry: Entry) -> bytes:
    return json.dumps(journal(entry)).encode() + b"\n"


def exported(entry: Entry) -> bytes:
    parts = []
    for name, text in journal(entry).items():
        value = text.encode()
        if b"\n" in value:
            parts.append(name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts) + b"\n"


def command() -> list[str]:
    return [sys.executable, "-c", PROGRAM]


def run(folder: Path, name: str, size: int, *words: str) -> None:
    """Run a command, and print what it took."""
    began = time.perf_counter()
    measured = [sys.executable, "-c", MEASURE, *command(), "-C", str(folder), *words]
    said = subprocess.run(measured, check=True, stdout=subprocess.PIPE, text=True).stdout
    wall = time.perf_counter() - began
    status, seconds, memory = map(float, said.split())
    assert status == 0, words
    print(
        f"{name:<32} {seconds:7.1f} s of the processor {size / seconds:10,.0f} messages in one"
        f" {memory / 1024:6.0f} MiB  ({wall:.1f} s by the clock)",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else SIZE)

"""Measures search: `python -m tests.bench.search [MESSAGES]...`.

Prints one line a measurement, in time of the processor, because others may be using it: the first
catching up, one after an addition, queries, the same with `list --grep`, and notmuch over the same
texts as mails where it is installed. Not a test: its figures are for decision records, on a named
machine.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from msglog.message import Message, object_key
from msglog.repository import Repository
from porcelain.cli import main as command
from tests.bench.corpus import Entry, entries, machine_vocabulary

SIZES = (10_000, 100_000, 1_000_000)
AT_ONCE = 50_000
QUERIES = (
    ("a rare word", "quaternion OR defragmentation"),
    ("a common word", "the"),
    ("two words", "upstream release"),
    ("a phrase", '"of the"'),
    ("a beginning", "compil*"),
    ("with filters", "author:ann since:2021 until:2021-06 upstream -release"),
    ("only filters", "author:bob since:2021-03"),
)


def main(sizes: Sequence[int]) -> None:
    words = machine_vocabulary()
    print(f"words from {words.source}")
    for size in sizes:
        with TemporaryDirectory() as folder:
            measure(Path(folder), entries(words, size, 1), size)


def measure(folder: Path, stream: Iterator[Entry], size: int) -> None:
    os.chdir(folder)
    repository = Repository.create(folder / ".msglog", identity=bytes(16), time=0)
    mails = folder / "mail" / "cur"
    mails.mkdir(parents=True)
    with_mails = shutil.which("notmuch") is not None and size <= 100_000
    number = characters = 0
    while batch := list(islice(stream, AT_ONCE)):
        messages = {}
        for entry in batch:
            message = Message(entry.uuid, entry.time, 0, entry.author, entry.body)
            data = message.encode()
            messages[object_key(data)] = data
            characters += len(entry.body)
            if with_mails:
                (mails / f"{number}:2,S").write_text(mail(number, entry))
            number += 1
        repository.add("main", messages, time=0)
    repository.close()
    print(f"{size:>9} messages, {characters / size:.0f} characters each")
    store = sum(path.stat().st_size for path in (folder / ".msglog").iterdir())
    began = time.perf_counter()
    seconds = timed(lambda: run("search", "-n", "1", "the"))
    wall = time.perf_counter() - began
    index = sum(path.stat().st_size for path in (folder / ".msglog").glob("search.db*"))
    print(
        f"{size:>9} first search {seconds:.2f} s ({wall:.1f} s of wall clock), {seconds / size * 1e6:.1f} us a message"
    )
    print(f"{size:>9} store {store / size:.0f} bytes a message, index {index / size:.0f}")
    run("add", "one more about the quaternion")
    report(
        size, "search after one addition", timed(lambda: run("search", "-n", "10", "quaternion"))
    )
    for name, query in QUERIES:
        found = run("search", "--format", "%H", query).count(b"\n")
        took = best(partial(run, "search", "-n", "20", query))
        every = best(partial(run, "search", "--format", "%H", query), 1)
        report(size, f"{name}: {query} ({found} found), the best 20", took)
        report(size, f"{name}: all of their ids", every)
    for name, pattern in (("a rare word", "quaternion|defragmentation"), ("a common word", "the")):
        took = best(partial(run, "list", "--format", "%H", "--grep", rf"\b{pattern}\b"), 1)
        report(size, f"{name} by list --grep", took)
    if with_mails:
        measure_notmuch(folder, mails.parent, size)


def measure_notmuch(folder: Path, mails: Path, size: int) -> None:
    config = folder / "notmuch-config"
    config.write_text(
        f"[database]\npath={mails}\n[user]\nname=ann\nprimary_email=ann@example.org\n"
    )
    environment = {**os.environ, "NOTMUCH_CONFIG": str(config), "HOME": str(folder)}

    def notmuch(*words: str) -> bytes:
        return subprocess.run(
            ["notmuch", *words], env=environment, capture_output=True, check=True
        ).stdout

    seconds = timed(lambda: notmuch("new", "--quiet"))
    index = sum(path.stat().st_size for path in (mails / ".notmuch").rglob("*") if path.is_file())
    print(f"{size:>9} notmuch new {seconds:.2f} s, {seconds / size * 1e6:.1f} us a message")
    print(f"{size:>9} notmuch {index / size:.0f} bytes a message")
    for name, query in (
        ("a rare word", "quaternion or defragmentation"),
        ("a common word", "the"),
        ("two words", "upstream and release"),
        ("a phrase", '"of the"'),
    ):
        shown = best(partial(notmuch, "search", "--output=messages", "--limit=20", query))
        every = best(partial(notmuch, "search", "--output=messages", query), 1)
        report(size, f"{name} by notmuch, 20 of them", shown)
        report(size, f"{name} by notmuch, all", every)


def mail(number: int, entry: Entry) -> str:
    when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(entry.time // 1_000_000))
    return (
        f"From: {entry.author} <{entry.author}@example.org>\nTo: log@example.org\nDate: {when}\n"
        f"Message-ID: <{number}@example.org>\nSubject: {number}\n\n{entry.body}\n"
    )


def run(*words: str) -> bytes:
    out, error = BytesIO(), BytesIO()
    command(words, {"HOME": os.getcwd(), "PATH": os.environ["PATH"]}, BytesIO(), out, error)
    if error.getvalue():
        print(error.getvalue().decode(), end="")
    return out.getvalue()


def timed(act: Callable[[], object]) -> float:
    """Return the seconds of the processor that something took, by children as well."""
    began = processor_time()
    act()
    return processor_time() - began


def processor_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def best(act: Callable[[], object], runs: int = 3) -> float:
    return min(timed(act) for _ in range(runs))


def report(size: int, what: str, seconds: float) -> None:
    print(f"{size:>9} {what}: {seconds * 1e3:.1f} ms", flush=True)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or SIZES)

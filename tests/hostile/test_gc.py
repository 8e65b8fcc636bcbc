"""gc is killed at any of its transactions, and runs beside others who write: nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from msglog.key import Key
from msglog.message import Message, object_key
from msglog.repository import Repository
from msglog.store import sqlite_collection
from msglog.store.collection import Retention
from msglog.timestamp import DAY
from porcelain.cli import main
from tests.hostile.liars import check_whole

START = 1_700_000_000_000_000
GRACE = 14 * DAY

KILLED = """\
import os, signal, sqlite3, sys
from msglog import sqlite_file
from msglog.store import sqlite, sqlite_collection, sqlite_condensation
from porcelain.cli import main

sqlite_collection.SLICE = 100
sqlite_condensation._SLICE_ROWS = 100
sqlite_condensation._SLICE_PAGES = 3
if sys.argv[3] == "long":
    sqlite_condensation.VACUUM_BYTES_LIMIT = 0
left = int(sys.argv[1])

class Killed(sqlite3.Connection):
    writing = False

    def step(self, sql):
        global left
        if sql == "BEGIN IMMEDIATE":
            self.writing = True
        elif sql in ("COMMIT", "ROLLBACK") and self.writing:
            self.writing = False
        elif not sql.startswith(("VACUUM", "PRAGMA incremental", "PRAGMA wal", "PRAGMA journal_mode =")):
            return
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def execute(self, sql, *parameters):
        self.step(sql)
        return super().execute(sql, *parameters)

    def executescript(self, sql):
        self.step(sql)
        return super().executescript(sql)

def connect(path):
    return sqlite3.connect(path, timeout=30, isolation_level=None, factory=Killed)

sqlite.connect = connect
sys.exit(main(["-C", sys.argv[2], "gc"], os.environ, *[open(os.devnull, "r+b") for _ in "123"]))
"""


def texts(first: int, count: int) -> dict[Key, bytes]:
    found = {}
    for number in range(first, first + count):
        body = f"beam of {number % 9} is back at {number} mA, said ann, who had waited since noon"
        uuid = number.to_bytes(16, "big")
        data = Message(uuid=uuid, time=START + number, offset=0, author="ann", body=body).encode()
        found[object_key(data)] = data
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with a log of 600, dead nodes, and the messages of a log that is gone."""
    repository = Repository.create(tmp_path / ".msglog", identity=bytes(16), time=START)
    repository.create_log("gone", time=START)
    for first in range(0, 600, 20):
        repository.add("main", texts(first, 20), time=START)
    repository.add("gone", texts(5000, 300), time=START)
    repository.delete_log("gone", time=START)
    assert len(repository.store.reflog("refs/logs/main", 100)) == 31
    repository.close()
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str]:
    output = BytesIO()
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    status = main(["-C", str(folder), *words], environment, BytesIO(), output, BytesIO())
    return status, output.getvalue().decode()


@pytest.mark.parametrize("way", ["short", "long"])
def test_gc_that_is_killed_at_any_transaction_loses_nothing(folder: Path, way: str) -> None:
    program = folder / "killed.py"
    program.write_text(KILLED)
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    kills = 0
    while True:
        done = subprocess.run(
            [sys.executable, str(program), str(kills), str(folder), way],
            cwd=Path(__file__).parents[2],
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
        )
        status, said = run(folder, "verify")
        assert (status, said.count("600 messages")) == (0, 1), said
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        kills += 1
    assert kills > 8
    with closing(Repository.open(folder / ".msglog")) as repository:
        check_whole(repository)
        assert repository.store.find_messages(list(texts(5000, 300))) == {}
        assert list(repository.store.faults()) == []
        assert repository.store.condense().messages == 0


def test_gc_beside_others_who_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is written looks old enough to go: only what roots reach protects it."""
    monkeypatch.setattr(sqlite_collection, "SLICE", 5)
    failures: list[BaseException] = []

    def write(log: str, first: int) -> None:
        try:
            with closing(Repository.open(folder / ".msglog")) as repository:
                repository.create_log(log, time=START)
                for number in range(40):
                    repository.add(log, texts(first + 3 * number, 3), time=START)
                    if number % 10 == 5:
                        repository.create_log(f"{log}-short", time=START)
                        repository.add(f"{log}-short", texts(first + 700, 80), time=START)
                        repository.delete_log(f"{log}-short", time=START)
                repository.add(log, texts(first + 700, 80), time=START)
        except BaseException as error:  # noqa: BLE001 - it is shown below
            failures.append(error)

    writers = [threading.Thread(target=write, args=(f"log{n}", 10_000 * n)) for n in (1, 2)]
    runs = removed = 0
    with closing(Repository.open(folder / ".msglog")) as repository:
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers) or runs < 2:
            removed += repository.store.collect(Retention(START + 3 * GRACE, GRACE)).messages
            repository.store.condense()
            runs += 1
        for writer in writers:
            writer.join()
        assert failures == []
        assert removed >= 300
        check_whole(repository)
        for number in (1, 2):
            kept = {**texts(10_000 * number, 120), **texts(10_000 * number + 700, 80)}
            assert repository.log(f"log{number}").count == 200
            assert repository.store.read_messages(list(kept)) == kept
    assert run(folder, "verify")[0] == 0

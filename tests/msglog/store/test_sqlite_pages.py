"""Records read page by page: all that SQLite itself gives, and no crash whatever the bytes are."""

import random
import sqlite3
from pathlib import Path

import pytest

from msglog.store.sqlite_pages import records

SIZES = (0, 1, 100, 2000, 4000, 8100, 8160, 20_000, 200_000)


def make(path: Path, page_size: int, *, rowid: bool) -> set[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {page_size}")
    kind = "" if rowid else " WITHOUT ROWID"
    connection.execute(
        f"CREATE TABLE t (k BLOB PRIMARY KEY NOT NULL, n INTEGER, x TEXT, d BLOB){kind}"
    )
    numbers = (0, 1, -1, 127, -129, 1 << 20, -(1 << 30), 1 << 40, -(1 << 60), None)
    rows: set[tuple[object, ...]] = {
        (b"%06d" % at, numbers[at % len(numbers)], "z\xfc" * (at % 3), bytes([at % 256]) * size)
        for at, size in enumerate(SIZES * 8)
    }
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return rows


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 8192, 65536])
@pytest.mark.parametrize("rowid", [True, False])
def test_all_rows_of_a_sound_file_are_found(
    tmp_path: Path,
    page_size: int,
    rowid: bool,  # noqa: FBT001
) -> None:
    rows = make(tmp_path / "x", page_size, rowid=rowid)
    found = {
        tuple(one.values) for one in records((tmp_path / "x").read_bytes()) if len(one.values) == 4
    }
    assert found == rows


def test_numbers_of_rows(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    numbers = [1, 127, 128, 1 << 14, 1 << 35, 1 << 62]
    connection.executemany("INSERT INTO t VALUES (?, 'x')", [(one,) for one in numbers])
    connection.commit()
    connection.close()
    found = [
        one.number for one in records((tmp_path / "x").read_bytes()) if one.values == [None, "x"]
    ]
    assert found == numbers


@pytest.mark.parametrize("seed", range(15))
def test_whatever_the_bytes_are_reading_ends(tmp_path: Path, seed: int) -> None:
    rows = make(tmp_path / "x", 1024, rowid=False)
    data = bytearray((tmp_path / "x").read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 30, 3000))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    found = {tuple(one.values) for one in records(bytes(data)) if len(one.values) == 4}
    assert len(found & rows) > 0 or seed > 0
    list(records(chance.randbytes(50_000)))
    list(records(b""))

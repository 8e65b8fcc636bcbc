"""`import` of the proof of concept's SQLite file, checked whole, then put in once."""

import json
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from msglog.key import key_object_id
from msglog.message import BODY_BYTES_LIMIT, Message
from msglog.repository import Repository
from porcelain import import_log
from porcelain.import_log import BadRowsError
from porcelain.poc_database import (
    DamagedDatabaseError,
    ForeignDatabaseError,
    UnreadableDatabaseError,
)
from porcelain.timezone import TimezoneError
from tests.porcelain.importing import SCHEMA, TIME, UUID, World, make

DASHED = "821b22c9-aafc-438c-b29d-e27c73fdf433"
MOMENT = 1_633_090_567_588_528
ENDLESS = """WITH RECURSIVE c AS (SELECT 1 AS id UNION ALL SELECT * FROM c)
    SELECT id, id AS uuid, id AS message, id AS time FROM c"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make(tmp_path)


def test_a_file_of_the_proof_of_concept(world: World) -> None:
    name = world.database([(UUID, "msg from user 1", TIME)])
    assert world.run(name) == (0, "main: 1 new, 0 there already, 1 in all\n", "")
    assert world.messages() == [
        Message(
            uuid=bytes.fromhex(UUID),
            time=MOMENT,
            offset=0,
            author="imported",
            body="msg from user 1",
        )
    ]
    # Everyone who imports this row, at any time, gets this id.
    assert [key_object_id(key).hex() for key, _ in world.objects()] == [
        "d1e172c40831ae94ff876db2c6706fb19a1ffcaecc96795b00e354ed8c3cb4a0"
    ]


def test_saying_it_again_adds_nothing(world: World) -> None:
    name = world.database([(f"{number:032x}", str(number), TIME) for number in range(10)])
    world.run(name)
    before = world.objects()
    store = world.folder / ".msglog" / "store.db"
    bytes_before = store.read_bytes()
    later = 10**15
    assert world.run(name, now=later) == (0, "main: 0 new, 10 there already, 10 in all\n", "")
    assert store.read_bytes() == bytes_before
    connection = sqlite3.connect(world.folder / name)
    connection.execute("INSERT INTO db_msg (uuid, message, time) VALUES (?, 'x', ?)", (UUID, TIME))
    connection.commit()
    connection.close()
    status, shown, _ = world.run(name, as_json=True)
    assert status == 0
    report = json.loads(shown)
    assert (report["log"], report["read"], report["new"], report["count"]) == ("main", 11, 1, 11)
    assert len(report["root"]) == 64
    assert set(before) < set(world.objects())


def test_a_uuid_is_the_same_however_it_is_written(world: World) -> None:
    forms = [UUID, DASHED, UUID.upper(), bytes.fromhex(UUID)]
    world.run(world.database([(form, "x", TIME) for form in forms]))
    assert [message.uuid.hex() for message in world.messages()] == [UUID]


@pytest.mark.parametrize(
    ("zone", "time", "offset"),
    [
        ("UTC", MOMENT, 0),
        ("Z", MOMENT, 0),
        ("+02:00", MOMENT - 7_200_000_000, 120),
        ("-0330", MOMENT + 12_600_000_000, -210),
        ("+14:00", MOMENT - 50_400_000_000, 840),
        ("Europe/Zurich", MOMENT - 7_200_000_000, 120),
    ],
)
def test_naive_times_are_read_in_the_zone(world: World, zone: str, time: int, offset: int) -> None:
    world.run(world.database([(UUID, "x", TIME)]), f"--timezone={zone}", "--author", "ann")
    (message,) = world.messages()
    assert (message.time, message.offset, message.author) == (time, offset, "ann")


@pytest.mark.parametrize("text", ["2021-10-31 02:30:00", "2021-03-28 02:30:00", "2021-07-01 00:00"])
def test_the_zone_decides_where_clocks_change(world: World, text: str) -> None:
    world.run(world.database([(UUID, "x", text)]), "--timezone", "Europe/Zurich")
    expected = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Zurich"))
    (message,) = world.messages()
    assert message.time == int(expected.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2021-10-01 12:16:07", MOMENT - 588_528),
        ("2021-10-01T12:16:07.588528", MOMENT),
        ("2021-10-01 12:16:07.5", MOMENT - 88_528),
        ("2021-10-01 12:16:07.588528+02:00", MOMENT - 7_200_000_000),
        ("2021-10-01T12:16:07.588528Z", MOMENT),
        ("1969-12-31 23:59:59.999999", -1),
        ("0001-01-01 00:00:00", -62_135_596_800_000_000),
        ("9999-12-31 23:59:59.999999", 253_402_300_799_999_999),
    ],
)
def test_times_as_they_are_written(world: World, text: str, time: int) -> None:
    world.run(world.database([(UUID, "x", text)]))
    assert [message.time for message in world.messages()] == [time]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((None, "x", TIME), "uuid"),
        (("", "x", TIME), "uuid"),
        ((UUID[:-1], "x", TIME), "uuid"),
        ((UUID + "\n", "x", TIME), "uuid"),
        (("g" * 32, "x", TIME), "uuid"),
        (("x" * 100_000, "x", TIME), "uuid"),
        ((b"short", "x", TIME), "uuid"),
        ((7, "x", TIME), "uuid"),
        ((UUID, None, TIME), "message is not a text"),
        ((UUID, b"x", TIME), "message is not a text"),
        ((UUID, 7.5, TIME), "message is not a text"),
        ((UUID, "x" * (BODY_BYTES_LIMIT + 1), TIME), "body is not of"),
        ((UUID, "x" * (2 * BODY_BYTES_LIMIT + 1), TIME), "too long"),
        ((UUID, "x", None), "time"),
        ((UUID, "x", ""), "time"),
        ((UUID, "x", 1633090567), "time"),
        ((UUID, "x", "yesterday"), "time"),
        ((UUID, "x", "2021-02-30 00:00:00"), "no such time"),
        ((UUID, "x", "2021-01-01 24:00:01"), "no such time"),
        ((UUID, "x", "0000-01-01 00:00:00"), "no such time"),
        ((UUID, "x", "2021-01-01 00:00:00+20:00"), "offset"),
        ((UUID, "x", "٢٠٢١-01-01 00:00:00"), "time"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_bad_row_is_named_and_nothing_is_imported(
    world: World, row: tuple[Any, ...], why: str
) -> None:
    good = ("0" * 32, "good", TIME)
    schema = SCHEMA.replace("VARCHAR", "BLOB").replace("DATETIME", "BLOB")
    error = world.refused(world.database([good, row, good], schema=schema))
    assert isinstance(error, BadRowsError)
    assert error.exit_status == 2
    assert "1 row of msg.db" in str(error)
    assert "row 2: " in str(error)
    assert why in str(error)
    assert str(error).isprintable()


def test_many_bad_rows_make_one_short_line(world: World) -> None:
    error = world.refused(world.database([("bad", "x", TIME)] * 1000))
    assert "1000 rows" in str(error)
    assert "row 5" in str(error)
    assert "row 6" not in str(error)
    assert len(str(error)) < 600


def test_text_that_is_not_utf8(world: World) -> None:
    name = world.database([(UUID, "x", TIME)])
    connection = sqlite3.connect(world.folder / name)
    connection.execute("UPDATE db_msg SET message = CAST(x'c328' AS TEXT)")
    connection.commit()
    connection.close()
    assert "UTF-8" in str(world.refused(name))


def test_text_is_taken_exactly(world: World) -> None:
    body = "e\u0301 \x1b[31m [red] \u202e\n\r\n two lines, not stripped \n"
    world.run(world.database([(UUID, body, TIME)]))
    assert [message.body for message in world.messages()] == [body]


def test_the_file_is_not_changed_and_nothing_is_put_beside_it(world: World, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    name = world.database([(UUID, "x", TIME)], name="inside/msg.db")
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).chmod(0o400)
    world.run(name)
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in inside.iterdir()] == ["msg.db"]


def test_more_than_a_batch_is_imported_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_log, "BATCH_MESSAGES", 100)
    rows = [(f"{number:032x}", str(number), TIME) for number in range(1050)]
    assert "1050 new" in world.run(world.database(rows))[1]
    assert len(world.messages()) == 1050
    repository = Repository.open(world.folder / ".msglog")
    assert [entry.count for entry in repository.store.reflog("refs/logs/main", 99)] == [
        1050,
        *range(1000, -1, -100),
    ]
    repository.close()


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE db_msg (id, uuid, message)",
        "CREATE TABLE other (id, uuid, message, time)",
        "CREATE TABLE db_msg (id, uuid, message, time AS (message))",
        "CREATE VIRTUAL TABLE db_msg USING fts5(id, uuid, message, time)",
        "CREATE VIEW db_msg AS SELECT 1 AS id, 2 AS uuid, 3 AS message, 4 AS time",
        # A query without end.
        f"CREATE VIEW db_msg AS {ENDLESS}",
    ],
)
def test_another_database_is_refused(world: World, schema: str) -> None:
    connection = sqlite3.connect(world.folder / "other.db")
    connection.execute(schema)
    connection.commit()
    connection.close()
    error = world.refused("other.db")
    assert isinstance(error, ForeignDatabaseError)
    assert error.exit_status == 2


def test_a_damaged_database(world: World) -> None:
    name = world.database([(f"{number:032x}", "x" * 900, TIME) for number in range(100)])
    path = world.folder / name
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
    error = world.refused(name)
    assert isinstance(error, DamagedDatabaseError)
    assert error.exit_status == 5
    path.write_bytes(data.replace(b"CREATE TABLE", b"CREATE TABL\xe4"))
    assert isinstance(world.refused(name), DamagedDatabaseError)
    path.write_bytes(data[:100])
    assert world.refused(name).exit_status in (2, 5)
    path.write_bytes(data[:16] + b"\0" * 4080)
    assert isinstance(world.refused(name), ForeignDatabaseError | DamagedDatabaseError)


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Nowhere/Land",
        "../../etc/passwd",
        "/etc/localtime",
        "+25:00",
        "+02:75",
        "\x1b[31m",
        "a\0b",
    ],
)
def test_an_unknown_zone(world: World, zone: str) -> None:
    name = world.database([(UUID, "x", TIME)])
    error = world.refused(name, f"--timezone={zone}")
    assert isinstance(error, TimezoneError)
    assert error.exit_status == 2
    assert str(error).isprintable()


@pytest.mark.parametrize("author", ["", "a" * 257, "\udcff"])
def test_an_author_that_no_message_can_have(world: World, author: str) -> None:
    name = world.database([(UUID, "x", TIME)])
    assert "author" in str(world.refused(name, f"--author={author}"))


def test_a_database_from_standard_input(world: World) -> None:
    name = world.database([(UUID, "x", TIME)])
    data = (world.folder / name).read_bytes()
    assert "1 new" in world.run("-", stdin=data)[1]


def test_a_database_that_was_left_in_mid_write_is_not_repaired(world: World) -> None:
    """SQLite would roll it back, which is to write to it: that is for its owner to do."""
    name = world.database([(f"{number:032x}", "x" * 900, TIME) for number in range(200)])
    writer = sqlite3.connect(world.folder / name, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN")
    writer.execute("UPDATE db_msg SET message = 'half'")
    left = world.folder / "left"
    left.mkdir()
    for path in world.folder.glob("msg.db*"):
        shutil.copy(path, left / path.name)
    writer.close()
    before = {path.name: path.read_bytes() for path in left.iterdir()}
    assert len(before) == 2
    assert isinstance(world.refused("left/msg.db"), UnreadableDatabaseError)
    assert {path.name: path.read_bytes() for path in left.iterdir()} == before


def test_a_locked_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porcelain.poc_database.BUSY_SECONDS", 0)
    name = world.database([(UUID, "x", TIME)])
    holder = sqlite3.connect(world.folder / name, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    error = world.refused(name)
    assert isinstance(error, UnreadableDatabaseError)
    holder.close()

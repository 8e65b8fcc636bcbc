"""`import`: the proof of concept's SQLite file and JSON Lines, checked whole, then put in once."""

import argparse
import base64
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.errors import MsglogError
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, Key, key_object_id
from msglog.message import BODY_BYTES_LIMIT, Message, decode_object, object_key
from msglog.message_json import message_fields, to_json
from msglog.objectid import ObjectId
from msglog.repository import Repository, UnknownLogError
from plumbing.context import Context
from porcelain import import_log
from porcelain.import_log import BadRowsError
from porcelain.import_opening import UnknownFormatError, UnreadableSourceError
from porcelain.poc_database import (
    DamagedDatabaseError,
    ForeignDatabaseError,
    UnreadableDatabaseError,
)
from porcelain.timezone import TimezoneError

UUID = "821b22c9aafc438cb29de27c73fdf433"
DASHED = "821b22c9-aafc-438c-b29d-e27c73fdf433"
TIME = "2021-10-01 12:16:07.588528"
MOMENT = 1_633_090_567_588_528
SCHEMA = (
    "CREATE TABLE db_msg (id INTEGER NOT NULL, uuid VARCHAR, message VARCHAR, time DATETIME,"
    " PRIMARY KEY (id))"
)

ENDLESS = """WITH RECURSIVE c AS (SELECT 1 AS id UNION ALL SELECT * FROM c)
    SELECT id, id AS uuid, id AS message, id AS time FROM c"""


@dataclass(frozen=True)
class World:
    """A folder with an empty repository, in which `import` runs."""

    folder: Path

    def run(
        self, *words: str, stdin: bytes = b"", as_json: bool = False, now: int = 5
    ) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        import_log.configure(parser)
        stdout, stderr = BytesIO(), BytesIO()
        context = Context(
            directory=str(self.folder),
            home=str(self.folder),
            stdin=BytesIO(stdin),
            stdout=stdout,
            stderr=stderr,
            json=as_json,
            repository_directory=str(self.folder / ".msglog"),
            now=lambda: now,
        )
        status = import_log.run(parser.parse_intermixed_args(words), context)
        return status, stdout.getvalue().decode(), stderr.getvalue().decode()

    def database(
        self, rows: Iterable[tuple[Any, ...]], *, name: str = "msg.db", schema: str = SCHEMA
    ) -> str:
        connection = sqlite3.connect(self.folder / name)
        connection.execute(schema)
        connection.executemany("INSERT INTO db_msg (uuid, message, time) VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.close()
        return name

    def messages(self) -> list[Message]:
        found = [decode_object(data) for _, data in self.objects()]
        return [one for one in found if isinstance(one, Message)]

    def objects(self) -> list[tuple[Key, bytes]]:
        repository = Repository.open(self.folder / ".msglog")
        try:
            return list(repository.messages(repository.keys(repository.log("main").root)))
        finally:
            repository.close()

    def refused(self, *words: str, stdin: bytes = b"") -> MsglogError:
        """The error of an import that must not change anything."""
        before = self.objects()
        with pytest.raises(MsglogError) as caught:
            self.run(*words, stdin=stdin)
        assert self.objects() == before
        return caught.value


def make(folder: Path) -> World:
    Repository.create(folder / ".msglog", identity=bytes(16), time=0).close()
    return World(folder)


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


@pytest.mark.parametrize("data", [b"hello", b"\0", b"[1]", b"\xff\xfe{", b"SQLite format 4\0"])
def test_another_kind_of_file_is_refused(world: World, data: bytes) -> None:
    (world.folder / "file").write_bytes(data)
    error = world.refused("file")
    assert isinstance(error, UnknownFormatError)
    assert error.exit_status == 2


def test_a_file_that_cannot_be_read(world: World) -> None:
    assert isinstance(world.refused("nothing"), UnreadableSourceError)
    assert world.refused("a\0b").exit_status == 7
    assert isinstance(world.refused("."), UnknownFormatError)
    assert isinstance(world.refused("/dev/zero"), UnknownFormatError)


def test_an_unknown_log_is_refused_before_anything_is_read(world: World) -> None:
    assert isinstance(world.refused("nothing", "--log", "other"), UnknownLogError)


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


# JSON Lines

messages = st.builds(
    Message,
    uuid=st.binary(min_size=16, max_size=16),
    time=st.integers(TIME_MINIMUM, TIME_MAXIMUM),
    offset=st.integers(-840, 840),
    author=st.text(min_size=1, max_size=20),
    body=st.text(max_size=40),
    tags=st.sets(st.text(min_size=1, max_size=9), max_size=3).map(lambda tags: tuple(sorted(tags))),
    meta=st.dictionaries(
        st.text(min_size=1, max_size=9),
        st.text(max_size=9)
        | st.integers(TIME_MINIMUM, TIME_MAXIMUM)
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False),
        max_size=3,
    ),
    reply_to=st.none() | st.binary(min_size=32, max_size=32).map(ObjectId),
)


def lines(data: Iterable[bytes]) -> bytes:
    """Objects as `list --json` prints them."""
    shown = [
        to_json(message_fields(key_object_id(object_key(one)), decode_object(one))) for one in data
    ]
    return "".join(shown).encode()


@settings(max_examples=30, deadline=None)
@given(st.lists(messages, max_size=20))
def test_what_list_prints_comes_back_with_the_same_ids(
    tmp_path_factory: pytest.TempPathFactory, some: list[Message]
) -> None:
    world = make(tmp_path_factory.mktemp("world"))
    objects = {object_key(data): data for data in (one.encode() for one in some)}
    world.run(stdin=lines(objects.values()))
    assert dict(world.objects()) == objects
    # And again: nothing is new.
    assert "0 new" in world.run(stdin=lines(objects.values()))[1]


PLAIN = {"uuid": UUID, "time": "2021-10-01T12:16:07.588528+00:00", "author": "ann", "body": "x"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"uuid": None}, "uuid"),
        ({"uuid": "12"}, "uuid"),
        ({"uuid": 12}, "uuid"),
        ({"time": None}, "time"),
        ({"time": "2021-13-01"}, "no such day"),
        ({"author": None}, "author"),
        ({"author": ""}, "author"),
        ({"body": None}, "body"),
        ({"body": "\ud800"}, "Unicode"),
        ({"id": "0" * 64}, "id is not"),
        ({"id": 7}, "id is not"),
        ({"other": 1}, "unknown field"),
        ({"tags": "a"}, "tags"),
        ({"meta": {"a": None}}, "meta"),
        ({"meta": {"a": 1 << 70}}, "int64"),
        ({"reply_to": "12"}, "64 hex digits"),
    ],
    ids=repr,
)
def test_a_bad_line_is_named_and_nothing_is_imported(
    world: World, change: dict[str, Any], why: str
) -> None:
    good = json.dumps(PLAIN)
    bad = json.dumps({**PLAIN, **change})
    error = world.refused("-", stdin=f"{good}\n\n{bad}\n{good}\n".encode())
    assert isinstance(error, BadRowsError)
    assert "row 3: " in str(error)
    assert "standard input" in str(error)
    assert why in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{}",
        b"[]",
        b"7",
        b'{"a": NaN}',
        b'{"a": \xff}',
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b"{} {}",
    ],
    ids=range(9),
)
def test_what_is_no_json_object(world: World, line: bytes) -> None:
    error = world.refused(stdin=json.dumps(PLAIN).encode() + b"\n" + line)
    assert "row 2: " in str(error)


def test_an_object_of_a_newer_msglog_is_left_out_and_said(world: World) -> None:
    foreign = cbor2.dumps({"type": "seal", "uuid": bytes(16), "time": 0, "x": 1}, canonical=True)
    plain = Message(bytes(16), 1, 0, "ann", "x").encode()
    status, shown, warned = world.run(stdin=lines([foreign, plain]))
    assert (status, shown) == (0, "main: 1 new, 0 there already, 1 in all\n")
    assert "1 object of a newer msglog" in warned
    # So is one whose fields of a newer msglog JSON does not carry: its id would be another.
    signed = Message(bytes(16), 1, 0, "ann", "x", extra={"sig": b"s"}).encode()
    assert "id is not" in str(world.refused(stdin=lines([signed])))


def test_options_of_the_database_are_refused_for_json(world: World) -> None:
    for option in ("--timezone=UTC", "--author=ann"):
        assert isinstance(
            world.refused(option, stdin=json.dumps(PLAIN).encode()), UnknownFormatError
        )


def test_nothing_at_all(world: World) -> None:
    assert world.run(stdin=b"") == (0, "main: 0 new, 0 there already, 0 in all\n", "")
    assert world.run(stdin=b"\n \n")[1] == "main: 0 new, 0 there already, 0 in all\n"


def test_a_database_from_standard_input(world: World) -> None:
    name = world.database([(UUID, "x", TIME)])
    data = (world.folder / name).read_bytes()
    assert "1 new" in world.run("-", stdin=data)[1]


def test_a_line_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porcelain.import_source.LINE_BYTES_LIMIT", 1000)
    error = world.refused(stdin=b'{"body": "' + b"x" * 2000)
    assert "row 1: it is too long" in str(error)


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


# Other formats, and what they have in common

SYSLOG = b"Jan  1 00:00:00 gate sshd[7]: Accepted key\nnothing\nJan  1 00:00:01 gate su: no\n"
ENTRY = b'{"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "5", "MESSAGE": "x", "_HOSTNAME": "gate"}\n'


def test_bad_rows_are_left_out_on_demand(world: World) -> None:
    (world.folder / "auth.log").write_bytes(SYSLOG)
    options = ("auth.log", "--format", "syslog", "--year", "2026")
    assert "row 2: it is no line" in str(world.refused(*options))
    with pytest.raises(BadRowsError, match=r"1 row of auth.log .*row 2.* The others were imported"):
        world.run(*options, "--keep-going")
    assert [message.body for message in world.messages()] == ["Accepted key", "no"]
    before = world.objects()
    with pytest.raises(BadRowsError):
        world.run(*options, "-k")
    assert world.objects() == before


def test_each_bad_row_is_listed_on_demand(world: World) -> None:
    parser = argparse.ArgumentParser()
    import_log.configure(parser)
    error = BytesIO()
    context = Context(
        directory=str(world.folder),
        home=str(world.folder),
        stdin=BytesIO(b"\x1b[31m\n" * 9),
        stdout=BytesIO(),
        stderr=error,
        verbose=True,
        repository_directory=str(world.folder / ".msglog"),
    )
    words = ["--format", "syslog", "--year", "2026", "-k"]
    with pytest.raises(BadRowsError):
        import_log.run(parser.parse_args(words), context)
    assert error.getvalue().decode().splitlines() == [
        f"msglog: standard input: row {number}: it is no line of syslog" for number in range(1, 10)
    ]


def test_a_line_that_is_far_too_long_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("import_source", "import_opening"):
        monkeypatch.setattr(f"porcelain.{module}.LINE_BYTES_LIMIT", 1000)
    long = b'{"body": "' + b"x" * 3_000_000 + b'"}\n'
    good = json.dumps(PLAIN).encode() + b"\n"
    with pytest.raises(
        BadRowsError, match=r"2 rows .*row 1: it is too long; row 3: it is too long"
    ):
        world.run("-k", stdin=long + good + long.rstrip())
    assert len(world.messages()) == 1


def test_entries_of_the_journal_are_known_when_they_are_seen(world: World) -> None:
    assert "1 new" in world.run(stdin=ENTRY)[1]
    assert "0 new" in world.run("--format", "journal", stdin=ENTRY)[1]
    exported = b"".join(
        name.encode() + b"=" + value.encode() + b"\n" for name, value in json.loads(ENTRY).items()
    )
    assert "0 new" in world.run(stdin=exported + b"\n")[1]
    assert [message.author for message in world.messages()] == ["gate"]


def test_a_history_of_git(world: World) -> None:
    folder = world.folder / "git"
    environment = {"PATH": os.environ["PATH"], "HOME": str(world.folder)}
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@x")
    for words in (("init", "-q", str(folder)), ("commit", "-q", "--allow-empty", "-m", "first")):
        where = () if "init" in words else ("-C", str(folder))
        subprocess.run(["git", *where, *identity, *words], env=environment, check=True)
    parser = argparse.ArgumentParser()
    import_log.configure(parser)
    for _ in range(2):
        context = Context(
            directory=str(folder),
            home=str(world.folder),
            stdin=BytesIO(),
            stdout=BytesIO(),
            stderr=BytesIO(),
            repository_directory=str(world.folder / ".msglog"),
            environment=environment,
        )
        assert import_log.run(parser.parse_args(["--format", "git"]), context) == 0
    (message,) = world.messages()
    assert (message.author, message.body) == ("Ann <ann@x>", "first")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--format", "git", "-"), "standard input"),
        (("--format", "git", "--year", "2026"), "--year is not for git"),
        (("--format", "jsonl", "--revision", "HEAD"), "--revision is not for jsonl"),
        (("--format", "syslog", "--revision", "HEAD"), "it is for git"),
        (("--format", "journal", "--timezone", "UTC"), "sqlite and syslog"),
        (
            (
                "--format",
                "syslog",
            ),
            "--year",
        ),
        (
            (
                "--format",
                "sqlite",
            ),
            "is not a SQLite file",
        ),
    ],
)
def test_options_that_do_not_belong_together(
    world: World, words: tuple[str, ...], why: str
) -> None:
    error = world.refused(*words, stdin=SYSLOG)
    assert error.exit_status == 2
    assert why in str(error)


def test_an_object_with_all_its_bytes(world: World) -> None:
    data = cbor2.dumps({"type": "seal", "uuid": bytes(16), "time": 0}, canonical=True)
    whole = {"id": object_key(data)[8:].hex(), "cbor": base64.b64encode(data).decode()}

    def bad(**changes: Any) -> str:
        line = json.dumps({**whole, **changes}).encode()
        return str(world.refused(stdin=line))

    assert "its id is not" in bad(id="0" * 64)
    for cbor in ("?", 5, None, "é", whole["cbor"] + " "):
        assert "'cbor' is not base64" in bad(cbor=cbor)
    assert "row 1: " in bad(cbor=base64.b64encode(data[:-1]).decode())
    assert "row 1: " in bad(cbor="")
    assert "1 new" in world.run(stdin=json.dumps(whole).encode())[1]
    assert [found for _, found in world.objects()] == [data]


def test_years_that_there_are_not() -> None:
    parser = argparse.ArgumentParser()
    import_log.configure(parser)
    for text in ("26", "0000", "10000", "\u0661\u0661\u0661\u0661", "-100"):
        with pytest.raises(SystemExit):
            parser.parse_args([f"--year={text}"])

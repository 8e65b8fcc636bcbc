"""`import`: what it reads, JSON Lines among it, is checked whole, then put in once."""

import argparse
import base64
import json
import os
import subprocess
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, key_object_id
from msglog.message import Message, decode_object, object_key
from msglog.message_json import message_fields, to_json
from msglog.objectid import ObjectId
from msglog.repository import Repository, UnknownLogError
from plumbing.context import Context
from porcelain import import_log
from porcelain.import_log import BadRowsError
from porcelain.import_opening import UnknownFormatError, UnreadableSourceError
from tests.porcelain.importing import UUID, World, make


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make(tmp_path)


@pytest.mark.parametrize("data", [b"hello", b"\0", b"[1]", b"\xff\xfe{", b"SQLite format 4\0"])
def test_another_kind_of_file_is_refused(world: World, data: bytes) -> None:
    (world.folder / "file").write_bytes(data)
    error = world.refused("file")
    assert isinstance(error, UnknownFormatError)
    assert error.exit_status == 2
    for kind in ("SQLite", "JSON Lines", "journal"):
        assert kind in error.why


def test_a_file_that_cannot_be_read(world: World) -> None:
    assert isinstance(world.refused("nothing"), UnreadableSourceError)
    assert world.refused("a\0b").exit_status == 7
    assert isinstance(world.refused("."), UnknownFormatError)
    assert isinstance(world.refused("/dev/zero"), UnknownFormatError)


def test_an_unknown_log_is_refused_before_anything_is_read(world: World) -> None:
    assert isinstance(world.refused("nothing", "--log", "other"), UnknownLogError)


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


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        (0, "msglog: nothing was imported\n"),
        (2, "msglog: what came is kept in main; the same import again adds the rest\n"),
    ],
)
def test_an_import_that_is_cut_says_what_is_kept(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    batches: int,
    said: str,
) -> None:
    left = batches

    def commit(repository: Repository, *arguments: Any, **named: Any) -> Any:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return whole(repository, *arguments, **named)

    whole = Repository.commit
    monkeypatch.setattr(Repository, "commit", commit)
    monkeypatch.setattr(import_log, "BATCH_MESSAGES", 1)
    monkeypatch.setattr(import_log, "note", lambda _, text: print(text))
    rows = [to_json({**PLAIN, "body": str(number)}) for number in range(5)]
    with pytest.raises(KeyboardInterrupt):
        world.run(stdin="".join(rows).encode())
    assert capsys.readouterr().out == said
    assert len(world.objects()) == batches


def test_a_byte_order_mark_is_not_looked_at(world: World) -> None:
    for data in (b"\xef\xbb\xbf" + to_json(PLAIN).encode(), b"\xef\xbb\xbf\n", b"\xef\xbb\xbf"):
        world.run(stdin=data)
        world.run("--format", "jsonl", stdin=data)
    ((_, data),) = world.objects()
    message = decode_object(data)
    assert isinstance(message, Message)
    assert message.body == "x"


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


def test_a_line_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porcelain.import_source.LINE_BYTES_LIMIT", 1000)
    error = world.refused(stdin=b'{"body": "' + b"x" * 2000)
    assert "row 1: it is too long" in str(error)


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

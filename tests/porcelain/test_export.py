"""`export`: what comes out, whole or not at all, and comes back by `import`."""

import os
import stat
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, Key
from msglog.message import Message, object_key
from msglog.objectid import ObjectId
from msglog.repository import Repository
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

meta_values = st.one_of(
    st.text(max_size=20),
    st.booleans(),
    st.integers(TIME_MINIMUM, TIME_MAXIMUM),
    st.floats(allow_nan=False, allow_infinity=False),
)
messages = st.builds(
    Message,
    uuid=st.binary(min_size=16, max_size=16),
    time=st.one_of(
        st.integers(TIME_MINIMUM, TIME_MAXIMUM), st.sampled_from([TIME_MINIMUM, -1, TIME_MAXIMUM])
    ),
    offset=st.one_of(st.integers(-840, 840), st.sampled_from([-840, 840])),
    author=st.text(min_size=1, max_size=20),
    body=st.text(max_size=60),
    tags=st.sets(st.text(min_size=1, max_size=9), max_size=3).map(lambda tags: tuple(sorted(tags))),
    meta=st.dictionaries(st.text(min_size=1, max_size=9), meta_values, max_size=3),
    reply_to=st.one_of(st.none(), st.binary(min_size=32, max_size=32).map(ObjectId)),
)
newer = st.builds(
    lambda message, extra: Message(
        message.uuid, message.time, message.offset, message.author, message.body, extra=extra
    ),
    messages,
    st.dictionaries(st.sampled_from(["sig", "attach", "x"]), st.binary(max_size=9), min_size=1),
)
foreign = st.builds(
    lambda uuid, time, data: cbor2.dumps(
        {"type": "seal", "uuid": uuid, "time": time, "x": data}, canonical=True
    ),
    st.binary(min_size=16, max_size=16),
    st.integers(TIME_MINIMUM, TIME_MAXIMUM),
    st.binary(max_size=9),
)
objects = st.one_of(messages.map(Message.encode), newer.map(Message.encode), foreign)


def put(folder: Path, some: list[bytes]) -> dict[Key, bytes]:
    repository = Repository.open(folder / ".msglog")
    keyed = {object_key(data): data for data in some}
    repository.add("main", keyed, time=0)
    repository.close()
    return keyed


def held(folder: Path) -> dict[Key, bytes]:
    repository = Repository.open(folder / ".msglog")
    try:
        return dict(repository.messages(repository.keys(repository.log("main").root)))
    finally:
        repository.close()


@settings(max_examples=60)
@given(st.lists(objects, max_size=12))
def test_whatever_a_log_may_hold_comes_back_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, some: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("world")
    cli = CommandLine(folder, folder)
    for name in ("one", "two"):
        cli.ok("init", "-q", str(folder / name))
    kept = put(folder / "one", some)
    exported = cli.ok("-C", str(folder / "one"), "export")
    assert exported.isprintable() or set(exported) - {"\n"} == set(exported.replace("\n", ""))
    cli.ok("-C", str(folder / "two"), "import", stdin=exported)
    assert held(folder / "two") == kept
    assert cli.ok("-C", str(folder / "two"), "export") == exported
    again = cli.ok("-C", str(folder / "one"), "import", stdin=exported)
    assert again.startswith(f"main: 0 new, {len(kept)} there already")


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    for hour, (author, tag) in enumerate([("ann", "beam"), ("bob", "beam"), ("ann", "air")]):
        time = f"2026-01-31T0{hour}:00:00Z"
        cli.ok("add", f"n{hour}", "--author", author, "--tag", tag, "--time", time)
    return cli


def bodies(cli: CommandLine, *options: str) -> str:
    lines = cli.run("export", *options).json()
    return " ".join(line["body"] for line in lines)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "n0 n1 n2"),
        (("--author", "an"), "n0 n2"),
        (("--tag", "beam"), "n0 n1"),
        (("--tag", "beam", "--author", "bob"), "n1"),
        (("--since", "2026-01-31T01:00Z"), "n1 n2"),
        (("--until", "2026-01-31T01:00Z"), "n0 n1"),
        (("--grep", "N2", "-i"), "n2"),
        (("--received-since", "2000-01-01"), ""),
    ],
)
def test_which_messages(filled: CommandLine, options: tuple[str, ...], expected: str) -> None:
    assert bodies(filled, *options) == expected


def test_which_log(filled: CommandLine) -> None:
    filled.ok("logs", "new", "other")
    assert filled.ok("export", "--log", "other") == ""
    assert filled.ok("export", "--log", "other", "--format", "csv").count("\n") == 1
    assert "no log" in filled.fails(2, "export", "--log", "none")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.jsonl", b'{"id"'), ("a.CSV", b'"id",'), ("a.md", b"# main"), ("a", b"{")],
)
def test_a_file_decides_by_its_name(filled: CommandLine, name: str, begins: bytes) -> None:
    said = filled.ok("export", "-o", name)
    data = (filled.folder / name).read_bytes()
    assert data.startswith(begins)
    assert said == f"Exported 3 messages, {len(data)} B to {name}\n"
    assert (filled.folder / name).stat().st_mode & 0o777 == 0o600
    assert filled.ok("export", "--format", "jsonl", "-o", f"x{name}", "-q") == ""
    assert (filled.folder / f"x{name}").read_bytes() == filled.ok("export").encode()


def test_a_file_is_written_over_only_on_demand(filled: CommandLine) -> None:
    path = filled.folder / "out"
    path.write_text("precious")
    path.chmod(0o644)
    assert "--force" in filled.fails(7, "export", "-o", "out")
    assert path.read_text() == "precious"
    report = filled.run("export", "-o", "out", "--force", "--json").json()
    assert report == [{"file": "out", "messages": 3, "bytes": path.stat().st_size}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644  # who might read it may go on
    assert sorted(os.listdir(filled.folder)) == [".msglog", "out"]


def test_what_cannot_be_written_to(filled: CommandLine) -> None:
    assert "ordinary file" in filled.fails(7, "export", "--force", "-o", ".")
    assert filled.fails(7, "export", "-o", "none/out").endswith("none.")
    said = filled.fails(7, "export", "-o", "/dev/full")
    assert said == "cannot use /dev/full (No space left on device)."


def test_a_folder_that_cannot_be_written_to(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mkdir(path: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("porcelain.output_file.os.mkdir", mkdir)
    said = f"cannot write {filled.folder / 'x'} (Permission denied)."
    assert filled.fails(7, "export", "-o", "x") == said


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_has_a_name(filled: CommandLine, name: str) -> None:
    assert filled.ok("export", "-o", name) == filled.ok("export")
    assert sorted(os.listdir(filled.folder)) == [".msglog"]


def test_what_is_no_file_is_written_to_as_it_is(filled: CommandLine) -> None:
    expected = filled.ok("export").encode()
    assert filled.ok("export", "-o", "/dev/null").endswith("to /dev/null\n")
    read, write = os.pipe()
    for options in ([], ["--force"]):
        filled.ok("export", "-o", f"/dev/fd/{write}", *options)
        assert os.read(read, 1 << 16) == expected
    os.close(write)
    os.close(read)
    fifo = filled.folder / "pipe"
    os.mkfifo(fifo)
    read = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    filled.ok("export", "-o", "pipe")
    assert os.read(read, 1 << 16) == expected
    os.close(read)
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_an_export_that_fails_leaves_no_file(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(_key: Key, _data: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("porcelain.json_lines.exact_json", render)
    (filled.folder / "old").write_text("old")
    for name in ("new", "old"):
        assert "No space" in filled.fails(7, "export", "--force", "-o", name)
    assert (filled.folder / "old").read_text() == "old"
    assert sorted(os.listdir(filled.folder)) == [".msglog", "old"]


def test_no_progress_between_messages_on_a_terminal(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("porcelain.progress._PATIENCE", 0)
    assert "Exporting" not in on_terminal(filled, "export", "--progress").error
    shown = on_terminal(filled, "export", "-o", "out", error=True).error
    assert "Exporting main" in shown
    assert "/3" in shown
    assert "Exporting" not in on_terminal(filled, "export", "-q", "-o", "o2", error=True).error
    assert "Exporting" not in filled.ok("export")

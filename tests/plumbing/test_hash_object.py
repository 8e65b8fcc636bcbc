"""`hash-object`: strict about every byte."""

from pathlib import Path

import cbor2
import pytest

from msglog.index.node import EMPTY_NODE, EMPTY_ROOT
from msglog.objectid import object_id
from msglog.repository import Repository, UnknownLogError
from plumbing import hash_object
from plumbing.hash_object import NoObjectError, RefusedObjectError, UnreadableFileError
from tests.plumbing.running import fill, message, run


def test_the_id_of_a_message_and_of_a_node(tmp_path: Path) -> None:
    data = message(1)[1]
    (tmp_path / "object").write_bytes(data)
    oid = object_id(data).hex()
    assert run(hash_object, None, "object", directory=tmp_path).lines == [oid]
    assert run(hash_object, None, str(tmp_path / "object")).lines == [oid]
    assert run(hash_object, None, "--stdin", stdin=data).lines == [oid]
    assert run(hash_object, None, "--stdin", stdin=data, as_json=True).records == [
        {"id": oid, "kind": "message"}
    ]
    assert run(hash_object, None, "--stdin", stdin=EMPTY_NODE).lines == [EMPTY_ROOT.hex()]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello\n",
        message(1)[1] + b"\0",
        message(1)[1][:-1],
        b"\xc0" + message(1)[1],
        cbor2.dumps({"type": "message"}),
        b"\x9f\x00\xff",
        b"\x81" * 100_000,
        EMPTY_NODE + b"\0",
        b"\0" * ((17 << 20) + 1),
        b"[1, 2]",
    ],
    ids=range(11),
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(RefusedObjectError, match="standard input") as caught:
        run(hash_object, None, "--stdin", stdin=data)
    assert caught.value.exit_status == 5
    assert str(caught.value).isprintable()


def test_putting_it_into_a_log(tmp_path: Path) -> None:
    folder = tmp_path / ".msglog"
    fill(folder, 3)
    key, data = message(9)
    assert run(hash_object, folder, "-w", "--stdin", stdin=data).status == 0
    assert run(hash_object, folder, "-w", "--stdin", stdin=data).status == 0
    with pytest.raises(UnknownLogError):
        run(hash_object, folder, "-w", "--log", "other", "--stdin", stdin=data)
    with pytest.raises(NoObjectError, match="index node"):
        run(hash_object, folder, "-w", "--stdin", stdin=EMPTY_NODE)
    repository = Repository.open(folder)
    log = repository.log("main")
    assert log.count == 4
    assert key in list(repository.keys(log.root))
    repository.close()


@pytest.mark.parametrize("words", [[], ["--stdin", "file"]])
def test_one_source_is_wanted(words: list[str]) -> None:
    with pytest.raises(NoObjectError) as caught:
        run(hash_object, None, *words)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("name", ["nothing", ".", "a\0b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        run(hash_object, None, name, directory=tmp_path)
    assert caught.value.exit_status == 7

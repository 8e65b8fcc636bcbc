"""`cat-object` over messages and nodes."""

import json
from pathlib import Path

import cbor2
import pytest

from msglog.errors import IntegrityError
from msglog.index.node import EMPTY_ROOT
from msglog.key import key_object_id
from msglog.message import object_key
from msglog.objectid import object_id
from msglog.repository import Repository
from plumbing import cat_object
from plumbing.naming import UnknownNameError
from tests.plumbing.running import fill, message, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / ".msglog", 100)
    return tmp_path / ".msglog"


def hexid(number: int) -> str:
    return key_object_id(message(number)[0]).hex()


def test_kind_size_and_exact_bytes_of_a_message(folder: Path) -> None:
    data = message(7)[1]
    assert run(cat_object, folder, "-t", hexid(7)).lines == ["message"]
    assert run(cat_object, folder, "-s", hexid(7)[:12]).lines == [str(len(data))]
    assert run(cat_object, folder, "--raw", hexid(7)[:12]).output == data
    assert run(cat_object, folder, "-t", hexid(7), as_json=True).records == [
        {"id": hexid(7), "kind": "message", "size": len(data)}
    ]


def test_a_message_as_json(folder: Path) -> None:
    assert run(cat_object, folder, "-p", hexid(7)).records == [
        {
            "id": hexid(7),
            "uuid": "00000000000000000000000000000007",
            "time": "2020-09-13T14:26:47.000000+02:00",
            "author": "ann",
            "body": "message 7",
            "tags": [],
            "meta": {},
            "reply_to": None,
        }
    ]


def test_a_node_in_diagnostic_notation(folder: Path) -> None:
    with_root = run(cat_object, folder, "-p", "main")
    assert with_root.output.startswith(b"[\n  1,\n  9,\n  h'8005af3100',\n  [\n    [7, h'")
    raw = run(cat_object, folder, "--raw", "main").output
    assert (
        object_id(raw).hex() == run(cat_object, folder, "-p", "main", as_json=True).records[0]["id"]
    )
    assert run(cat_object, folder, "-t", object_id(raw).hex()[:12]).lines == ["node"]
    child = cbor2.loads(raw)[3][0][1]
    leaf = run(cat_object, folder, "-p", child.hex()).output
    assert leaf.startswith(b"[0, ")
    assert leaf.count(b"\n") == 1


def test_the_empty_root(folder: Path) -> None:
    assert run(cat_object, folder, "-p", EMPTY_ROOT.hex()).lines == ["[0, 0, h'', h'']"]


def test_whether_there_is_one(folder: Path) -> None:
    assert run(cat_object, folder, "-e", hexid(7)).status == 0
    nothing = run(cat_object, folder, "-e", "ab" * 32)
    assert (nothing.status, nothing.output) == (1, b"")
    assert run(cat_object, folder, "-e", "abcdef123456").status == 1
    with pytest.raises(UnknownNameError, match="abababababab"):
        run(cat_object, folder, "-p", "ab" * 32)


def test_what_cannot_be_understood_is_still_shown(folder: Path) -> None:
    data = cbor2.dumps({"type": "seal", "uuid": bytes(16), "time": 0}, canonical=True)
    repository = Repository.open(folder)
    repository.add("main", {object_key(data): data}, time=1)
    repository.close()
    (shown,) = run(cat_object, folder, "-p", object_id(data).hex()).records
    assert shown["type"] == "seal"
    assert "seal" in shown["needs"]


def test_text_cannot_take_over_the_terminal(folder: Path) -> None:
    body = "\x1b]52;c;eA==\x07 \u202e \u2028 [red] \x9b31m"
    key, data = message(500, body=body)
    repository = Repository.open(folder)
    repository.add("main", {key: data}, time=1)
    repository.close()
    shown = run(cat_object, folder, "-p", key_object_id(key).hex()).output
    assert shown.decode().rstrip("\n").isprintable()
    assert json.loads(shown)["body"] == body


def test_damaged_data_is_named_with_status_5(folder: Path) -> None:
    key, data = message(7)
    repository = Repository.open(folder)
    changed = bytes([*data[:-1], data[-1] ^ 1])
    # Staging an object that exists replaces it: so a changed byte comes into the store.
    repository.add("main", {key: changed}, time=1)
    repository.close()
    with pytest.raises(IntegrityError, match=hexid(7)) as caught:
        run(cat_object, folder, "-p", hexid(7))
    assert caught.value.exit_status == 5

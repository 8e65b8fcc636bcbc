"""Many real processes push at once, and the server is killed: nothing acknowledged is ever missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT
from msglog.message import object_key
from msglog.wire.encoder import encode_event
from msglog.wire.events import Acknowledged, Batch, Event, Transfer
from msglog.wire.reader import EventReader
from tests.msglog.wire.samples import an_object, content_of

PUSHERS = 32
MSGLOG = [sys.executable, "-I", str(Path(sys.executable).with_name("msglog"))]


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"]}


def msglog(folder: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        [*MSGLOG, *words],
        cwd=folder,
        env=environment(folder.parent),
        input=stdin,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode()


def test_thirty_two_at_once_lose_nothing(tmp_path: Path) -> None:
    server = tmp_path / "server"
    first = tmp_path / "0"
    for folder in (server, first):
        folder.mkdir()
        msglog(folder, "init")
    shared = "".join(f'{{"body": "shared {number}"}}\n' for number in range(20))
    msglog(first, "add", "--batch", "--json", stdin=shared.encode())
    lines = msglog(first, "list", "--json").encode()
    people = [first]
    for number in range(1, PUSHERS):
        person = tmp_path / str(number)
        subprocess.run(["cp", "-r", str(first), str(person)], check=True)
        people.append(person)
    for person in people:
        msglog(person, "add", f"from {person.name}")
    pushes = [
        subprocess.Popen(
            [*MSGLOG, "push", "../server"],
            cwd=person,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for person in people
    ]
    ends = [(push.communicate(timeout=120), push.returncode) for push in pushes]
    assert [end for end in ends if end[1] != 0] == []
    there = msglog(server, "list", "--json")
    assert set(lines.decode().splitlines()) <= set(there.splitlines())
    assert len(there.splitlines()) == 20 + PUSHERS
    assert all(f'"from {person.name}"' in there for person in people)
    msglog(server, "verify")


@pytest.mark.parametrize("batches", [1, 2, 5])
def test_a_server_that_is_killed_has_what_it_acknowledged(tmp_path: Path, batches: int) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    msglog(folder, "init")
    objects = [an_object(number) for number in range(1, 10 * batches + 1)]
    keys = [object_key(data) for data in objects]
    serving = subprocess.Popen(
        [*MSGLOG, "receive-pack", "--direct", "."],
        cwd=folder,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert serving.stdin is not None
    assert serving.stdout is not None
    said: list[Event] = [Transfer("main", EMPTY_ROOT, build(sorted(keys)).root)]
    for number in range(1, batches + 1):
        some = objects[10 * (number - 1) : 10 * number]
        root = build(sorted(keys[: 10 * number])).root
        said.append(Batch(number, 10, root, content_of(*some)))
    with serving:
        serving.stdin.write(b"".join(map(encode_event, said)))
        serving.stdin.flush()
        reader = EventReader()
        acknowledged = 0
        while acknowledged < batches:
            heard = os.read(serving.stdout.fileno(), 65_536)
            assert heard
            for event in reader.receive(heard):
                acknowledged += isinstance(event, Acknowledged)
        serving.kill()
    msglog(folder, "verify")
    assert len(msglog(folder, "list", "--json").splitlines()) == len(objects)

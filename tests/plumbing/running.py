"""Running one plumbing command as the dispatcher does, over a repository in a folder."""

import argparse
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

from msglog.key import Key
from msglog.message import Message, object_key
from msglog.repository import Repository
from plumbing.context import Context

NOW = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did: its exit status and what it printed."""

    status: int
    output: bytes

    @property
    def lines(self) -> list[str]:
        return self.output.decode().splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def run(
    module: ModuleType,
    repository: Path | None,
    *words: str,
    stdin: bytes = b"",
    as_json: bool = False,
    quiet: bool = False,
    directory: Path = Path("/"),
) -> Result:
    """Run a command's module over the repository in a folder."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    module.configure(parser)
    arguments = parser.parse_intermixed_args(words)
    stdout = BytesIO()
    context = Context(
        directory=str(directory),
        home="/",
        stdin=BytesIO(stdin),
        stdout=stdout,
        stderr=BytesIO(),
        json=as_json,
        quiet=quiet,
        repository_directory=None if repository is None else str(repository),
        now=lambda: NOW,
    )
    status = module.run(arguments, context)
    return Result(status, stdout.getvalue())


def message(number: int, **changes: Any) -> tuple[Key, bytes]:
    """The message of this number, under its key."""
    fields: dict[str, Any] = {
        "uuid": UUID(int=number % (1 << 128)).bytes,
        "time": 1_600_000_000_000_000 + 1_000_000 * number,
        "offset": 120,
        "author": "ann",
        "body": f"message {number}",
    }
    data = Message(**{**fields, **changes}).encode()
    return object_key(data), data


def fill(folder: Path, count: int, *, log: str = "main") -> list[Key]:
    """Make a repository if there is none, and put so many messages into a log of it."""
    if folder.exists():
        repository = Repository.open(folder)
    else:
        repository = Repository.create(folder, identity=bytes(16), time=NOW)
    if log not in [one.name for one in repository.logs()]:
        repository.create_log(log, time=NOW)
    messages = dict(message(number) for number in range(count))
    repository.add(log, messages, time=NOW)
    repository.close()
    return sorted(messages)

"""A folder with an empty repository, in which `import` runs."""

import argparse
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from msglog.errors import MsglogError
from msglog.key import Key
from msglog.message import Message, decode_object
from msglog.repository import Repository
from plumbing.context import Context
from porcelain import import_log

UUID = "821b22c9aafc438cb29de27c73fdf433"

TIME = "2021-10-01 12:16:07.588528"

SCHEMA = (
    "CREATE TABLE db_msg (id INTEGER NOT NULL, uuid VARCHAR, message VARCHAR, time DATETIME,"
    " PRIMARY KEY (id))"
)


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

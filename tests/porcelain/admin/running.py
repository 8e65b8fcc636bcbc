"""Running `admin` as the dispatcher does, in a home of its own."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from porcelain.cli import main
from tests.msglog.account import keymaking as make


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did: its exit status and what it printed."""

    status: int
    output: str
    errors: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]


@dataclass(frozen=True, slots=True)
class Home:
    """The home of a server account's UNIX account."""

    path: Path

    @property
    def account(self) -> Path:
        return self.path / ".msglog-server"

    @property
    def key_file(self) -> Path:
        return self.path / ".ssh" / "authorized_keys"

    def admin(
        self, *words: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Result:
        stdout, stderr = BytesIO(), BytesIO()
        surroundings = {"HOME": str(self.path), **(environment or {})}
        arguments = ["-C", str(self.path), "admin", *words]
        status = main(arguments, surroundings, BytesIO(stdin), stdout, stderr)
        return Result(status, stdout.getvalue().decode(), stderr.getvalue().decode())

    def do(
        self, *words: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Result:
        """Run what must succeed."""
        result = self.admin(*words, stdin=stdin, environment=environment)
        assert result.status == 0, result.errors
        return result

    def keep_in(self, address: str) -> None:
        """Have the account in PostgreSQL, in the place of the one in files that has nothing yet."""
        shutil.rmtree(self.account)
        self.do("init", "--store", address)

    def public_key(self, number: int, name: str = "key.pub", comment: str = "") -> str:
        """Write a .pub file and return its name."""
        (self.path / name).write_text(make.line(make.ed25519(number), comment) + "\n")
        return name

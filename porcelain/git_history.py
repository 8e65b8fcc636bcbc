"""The commits of a git repository as rows of `import`, read by git's plumbing.

`git log` prints what a user's configuration asks for, in the encoding of that user. The commits
themselves are the same for everyone, and so must be the messages that are made of them.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from tempfile import TemporaryFile

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, UsageError
from msglog.key import SECOND
from msglog.message import BODY_BYTES_LIMIT, OFFSET_MINUTES_LIMIT, Message
from porcelain.import_source import bad_row, good_row, named_uuid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

    from porcelain.import_source import Reading, Row

HEADER_BYTES_LIMIT = 1 << 20
_COMMIT_BYTES_LIMIT = BODY_BYTES_LIMIT + HEADER_BYTES_LIMIT
_SKIPPED_AT_ONCE = 1 << 20
_ABBREVIATION = 12
_SAID_BYTES = 4096
_GIT = (
    *("git", "--no-replace-objects", "--no-pager", "--literal-pathspecs"),
    *("-c", "protocol.allow=never"),  # what a partial clone lacks is not fetched
    *("-c", "core.fsmonitor=false"),
)
_KEPT = ("GIT_CONFIG", "GIT_EXEC_PATH")
_IDENTITY = re.compile(rb"(?P<name>.*) (?P<time>-?\d{1,20}) (?P<zone>[+-]\d{4,9})", re.DOTALL)

_ENCODING = re.compile(
    r"(?:us-)?ascii|utf-?(?:8|16|32)[bl]?e?|(?:iso[-_]?8859|iso[-_]?2022|latin|l|cp|windows|koi8|euc|gb|big5)"
    r"[-_]?\w*|s(?:hift)?[-_]?jis\w*|tis-?620",
    re.ASCII | re.IGNORECASE,
)
"""Encodings of commits. Python knows others that are none of text in files, and some are slow."""


class GitError(LocalError):
    """git cannot be run here, or broke off."""


class GitHistoryError(UsageError):
    """git does not find a history where one was named."""


class GitHistory:
    """The commits that a revision of a repository reaches, newest first.

    folder: the repository, or a folder in it. revision: as git has it. environment: the process's.
    """

    def __init__(self, folder: str, revision: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._revision = revision
        # In a hook, git's own variables name another repository.
        self._environment = {
            name: value
            for name, value in environment.items()
            if not name.startswith("GIT_") or name.startswith(_KEPT)
        }
        self._environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}

    def rows(self, reading: Reading) -> Iterator[Row]:
        """Yield the commits; raises GitError or GitHistoryError."""
        with TemporaryFile(prefix="msglog-import-") as names:
            with self._run("rev-list", "--end-of-options", self._revision, "--", output=names):
                pass
            reading.rows = os.fstat(names.fileno()).st_size // _line_bytes(names)
            os.lseek(names.fileno(), 0, os.SEEK_SET)
            with self._run("cat-file", "--batch", "--buffer", given=names) as objects:
                number = 0
                while head := objects.readline(_SAID_BYTES):
                    number += 1
                    yield self._row(number, head, objects, reading)
            if number != reading.rows:
                raise GitError("git stopped early", why=f"{number} of {reading.rows} commits came")

    def _row(self, number: int, head: bytes, objects: IO[bytes], reading: Reading) -> Row:
        name, _, rest = head.rstrip(b"\n").partition(b" ")
        label = f"commit {name[:_ABBREVIATION].decode('ascii', 'replace')}"
        kind, _, digits = rest.partition(b" ")
        if not digits.isdigit():  # "missing"
            return bad_row(number, "git does not have it", label)
        size = int(digits)
        reading.size += size
        if size > _COMMIT_BYTES_LIMIT:
            left = size + 1
            while left:
                left -= len(_exactly(objects, min(left, _SKIPPED_AT_ONCE)))
            return bad_row(number, "it is too long", label)
        data = _exactly(objects, size + 1)[:-1]
        if kind != b"commit":
            return bad_row(number, "it is no commit", label)
        try:
            message = commit_message(name, data)
        except ValueError as error:
            return bad_row(number, str(error), label)
        return good_row(number, message, label)

    @contextmanager
    def _run(
        self, *words: str, output: IO[bytes] | None = None, given: IO[bytes] | None = None
    ) -> Iterator[IO[bytes]]:
        """Run git, give what it prints, and look at how it ended."""
        with TemporaryFile(prefix="msglog-import-") as said:
            try:
                process = subprocess.Popen(  # noqa: S603 - git, and no shell
                    [*_GIT, "-C", self._folder, *words],
                    stdin=given or subprocess.DEVNULL,
                    stdout=output or subprocess.PIPE,
                    stderr=said,
                    env=self._environment,
                )
            except OSError as error:
                raise GitError("cannot run git", why=error.strerror or "") from error
            with process:
                try:
                    yield process.stdout or said
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                self._explain(process.returncode, said)

    def _explain(self, status: int, said: IO[bytes]) -> None:
        said.seek(max(said.seek(0, os.SEEK_END) - _SAID_BYTES, 0))
        texts = said.read().decode("utf-8", "replace").strip().splitlines()
        why = texts[0].removeprefix("fatal: ") if texts else f"status {status}"
        if status < 0:
            raise GitError("git was stopped", why=f"signal {-status}")
        raise GitHistoryError(
            f"git finds no history of {self._revision} in {self._folder}", why=why[:200]
        )


def commit_message(name: bytes, data: bytes) -> Message:
    """Return the message of a commit; raises ValueError with the reason if there is none.

    name: its id in hex. The time is the author's, and what is committed by whom is git's to know.
    """
    head, _, body = data.partition(b"\n\n")
    fields = _header(head)
    found = _IDENTITY.fullmatch(fields.get(b"author", b""))
    if found is None:
        raise ValueError("its author line says no time")
    encodings = ["utf-8", fields.get(b"encoding", b"").decode("ascii", "replace")]
    return Message(
        uuid=named_uuid("git", name),
        time=int(found["time"]) * SECOND,
        offset=_offset(found["zone"]),
        author=_decode(found["name"], encodings),
        body=_decode(body, encodings).rstrip("\n"),
        meta={"commit": name.decode()},
    )


def _header(head: bytes) -> dict[bytes, bytes]:
    """Return the first of each of the header's fields; lines that go on begin with a space."""
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        field, _, value = line.partition(b" ")
        if field:
            fields.setdefault(field, value)
    return fields


def _decode(data: bytes, encodings: Sequence[str]) -> str:
    """Return text in the stated encoding, else UTF-8, else Latin 1, in which all bytes have one."""
    for encoding in reversed(encodings):
        if _ENCODING.fullmatch(encoding):
            try:
                return data.decode(encoding)
            except (LookupError, ValueError):
                continue
    return data.decode("latin-1")


def _offset(zone: bytes) -> int:
    """Return minutes east of UTC; none for what no clock shows: the time is right all the same."""
    hours, minutes = divmod(int(zone[1:]), 100)
    offset = 60 * hours + minutes
    if offset > OFFSET_MINUTES_LIMIT or minutes > 59:
        return 0
    return -offset if zone.startswith(b"-") else offset


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise GitError("git stopped early", why="in the middle of a commit")
    return data


def _line_bytes(names: IO[bytes]) -> int:
    """Return how long each line of ids is: 41 bytes, or 65 where git uses SHA-256."""
    os.lseek(names.fileno(), 0, os.SEEK_SET)
    return os.read(names.fileno(), _SAID_BYTES).find(b"\n") + 1 or 1

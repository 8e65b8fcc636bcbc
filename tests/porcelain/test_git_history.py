"""Commits of git as messages, by the git that is here."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from msglog.message import BODY_BYTES_LIMIT, Message, decode_object
from porcelain import git_history
from porcelain.git_history import GitError, GitHistory, GitHistoryError, commit_message
from porcelain.import_source import Reading, Row

NAME = b"5bd4edb9b7e1ce6b8d2f0b0e2e6f5d7c8a9b0c1d"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class Git:
    """A repository of git, written to by its plumbing."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C"}
        self.run("init", "-q", str(folder))
        self.run("hash-object", "-w", "-t", "tree", "/dev/null")

    def run(self, *words: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder if self.folder.exists() else "/"), *words],
            input=stdin,
            capture_output=True,
            env=self.environment,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(
        self,
        body: bytes = b"subject\n\nbody\n",
        *parents: str,
        author: bytes = b"Ann <ann@x> 1600000000 +0200",
        extra: bytes = b"",
    ) -> str:
        head = b"tree " + EMPTY_TREE.encode() + b"\n"
        head += b"".join(b"parent " + parent.encode() + b"\n" for parent in parents)
        head += b"author " + author + b"\ncommitter C <c@x> 1700000000 +0000\n" + extra
        data = head + b"\n" + body
        words = ("hash-object", "-w", "-t", "commit", "--literally", "--stdin")
        oid = self.run(*words, stdin=data)
        self.run("update-ref", "HEAD", oid)
        return oid

    def rows(
        self,
        revision: str = "HEAD",
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
    ) -> list[Row]:
        reading = Reading()
        where = str(self.folder) if folder is None else folder
        given = {**self.environment, **(environment or {})}
        found = list(GitHistory(where, revision, given).rows(reading))
        assert reading.rows == len(found)
        return found

    def messages(self, revision: str = "HEAD") -> list[Message]:
        found = []
        for row in self.rows(revision):
            assert row.key is not None, row.why
            message = decode_object(row.data)
            assert isinstance(message, Message)
            found.append(message)
        return found


@pytest.fixture
def git(tmp_path: Path) -> Git:
    home = tmp_path / "home"
    home.mkdir()
    return Git(tmp_path / "git", home)


def test_a_history_with_a_merge(git: Git) -> None:
    first = git.commit(b"first\n")
    left, right = git.commit(b"left\n", first), git.commit(b"right\n", first)
    merge = git.commit(b"Merge\n\nboth\n\n", left, right)
    found = git.messages()
    assert {message.meta["commit"] for message in found} == {first, left, right, merge}
    (last,) = [message for message in found if message.meta["commit"] == merge]
    assert (last.author, last.body) == ("Ann <ann@x>", "Merge\n\nboth")
    assert (last.time, last.offset) == (1_600_000_000_000_000, 120)
    assert [message.body for message in git.messages(left)] == ["left", "first"]


def test_nobodys_configuration_counts(git: Git) -> None:
    body = "Müller\n".encode("latin-1")
    git.commit(body, extra=b"encoding ISO-8859-1\n")
    before = git.rows()
    (message,) = git.messages()
    assert message.body == "Müller"
    (Path(git.environment["HOME"]) / ".gitconfig").write_text(
        "[i18n]\nlogOutputEncoding = UTF-16\n[log]\nshowSignature = true\n[color]\nui = always\n"
        "[core]\npager = false\nabbrev = 4\n"
    )
    other = git.folder.parent / "other"
    other.mkdir()
    elsewhere = {"GIT_DIR": str(other), "GIT_WORK_TREE": str(other), "LANG": "de_CH"}
    assert git.rows(environment=elsewhere) == before


def test_a_replaced_commit_is_read_as_it_was(git: Git) -> None:
    one = git.commit(b"one\n")
    two = git.commit(b"two\n")
    git.run("replace", one, two)
    git.run("update-ref", "HEAD", one)
    assert [message.body for message in git.messages()] == ["one"]


@pytest.mark.parametrize(
    ("author", "why"),
    [
        (b"Ann <ann@x>", "says no time"),
        (b"", "says no time"),
        (b"Ann <ann@x> 99999999999999999999 +0000", "time is not"),
        (b"A" * 300 + b" <a@x> 1 +0000", "author"),
    ],
)
def test_a_commit_that_cannot_be_a_message(git: Git, author: bytes, why: str) -> None:
    first = git.commit()
    bad = git.commit(b"x\n", first, author=author)
    one, two = git.rows()
    assert one.key is None
    assert why in one.why
    assert one.name == f"commit {bad[:12]}"
    assert two.key is not None


def test_a_commit_that_is_too_long(git: Git) -> None:
    first = git.commit()
    long = git.commit(b"x" * (BODY_BYTES_LIMIT + git_history.HEADER_BYTES_LIMIT), first)
    git.commit(b"x" * (BODY_BYTES_LIMIT + 1), long)
    whys = [row.why for row in git.rows()]
    assert "body" in whys[0]
    assert whys[1:] == ["it is too long", ""]


@pytest.mark.parametrize(
    ("author", "time", "offset"),
    [
        (b"A <a> 0 +0000", 0, 0),
        (b"A <a> -5 -0330", -5_000_000, -210),
        (b"A <a> 5 +9999", 5_000_000, 0),
        (b"A <a> 5 -1500", 5_000_000, 0),
        (b"A <a> 5 +0075", 5_000_000, 0),
        (b"A <a> 5 +1400", 5_000_000, 840),
    ],
)
def test_times_and_offsets(author: bytes, time: int, offset: int) -> None:
    message = commit_message(NAME, b"author " + author + b"\n\nx")
    assert (message.time, message.offset, message.author) == (time, offset, "A <a>")


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        (b"", "é".encode(), "é"),
        (b"", b"\xe9", "é"),  # neither stated nor UTF-8
        (b"ISO-8859-15", b"\xa4", "€"),
        (b"cp1252", b"\x80", "€"),
        (b"Shift_JIS", b"\x93\xfa", "日"),
        (b"UTF-8", b"\xe9", "é"),
        (b"ISO-8859-1", "é".encode(), "Ã©"),
        # These are none of text, slow, or there is no such thing.
        (b"punycode", b"abc-", "abc-"),
        (b"rot13", b"abc", "abc"),
        (b"unicode_escape", b"\\x41", "\\x41"),
        (b"undefined", b"abc", "abc"),
        (b"\xff", b"abc", "abc"),
        (b"utf-16", b"a", "a"),
    ],
)
def test_encodings(encoding: bytes, body: bytes, text: str) -> None:
    stated = b"encoding " + encoding + b"\n" if encoding else b""
    data = b"author A <a> 1 +0000\n" + stated + b"gpgsig x\n author B <b> 2 +0000\n\n" + body
    message = commit_message(NAME, data)
    assert message.body == text
    assert message.author == "A <a>"


def test_the_id_of_a_commit_makes_its_uuid() -> None:
    one = commit_message(NAME, b"author A <a> 1 +0000\n\nx")
    assert one.uuid.hex() == "b35e4fe8221980a98d6c207c7d055510"
    assert one.meta == {"commit": NAME.decode()}


def test_what_is_no_history(git: Git, tmp_path: Path) -> None:
    for folder in (str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(GitHistoryError):
            git.rows(folder=folder)
    with pytest.raises(GitHistoryError, match="HEAD"):
        git.rows()  # it is empty
    git.commit()
    for revision in ("none", "--all", "-x", "HEAD..none", "\x1b[31m"):
        with pytest.raises(GitHistoryError) as caught:
            git.rows(revision)
        assert caught.value.exit_status == 2
    with pytest.raises(GitError, match="cannot run git"):
        git.rows(environment={"PATH": str(tmp_path)})


def test_a_repository_that_is_damaged(git: Git) -> None:
    first = git.commit()
    second = git.commit(b"second\n", first)
    (git.folder / ".git" / "objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(GitHistoryError):
        git.rows()
    assert second

"""psycopg that is not here: what is in PostgreSQL says so, instead of a bug."""

import os
import pwd
import sys
from io import BytesIO
from pathlib import Path

import pytest

from msglog.account.account import ADDRESS_NAME
from msglog.postgres_driver import MissingDriverError, import_driver
from porcelain.cli import main

ADDRESS = "postgresql://msglog@db.example/msglog?sslmode=disable"
LOGIN = pwd.getpwuid(os.getuid()).pw_name


class Absent:
    """Finds no psycopg, as where it is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one account in files and one in PostgreSQL, where psycopg is not installed."""
    monkeypatch.delitem(sys.modules, "psycopg", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ADDRESS_NAME).write_text(ADDRESS + "\n")
    assert run(tmp_path, "admin", "init", str(tmp_path / "here"))[0] == 0
    return tmp_path


def run(home: Path, *words: str) -> tuple[int, str]:
    stdout, stderr = BytesIO(), BytesIO()
    repository = home / "there" / "repositories" / "main"
    environment = {"HOME": str(home), "MSGLOG_DIR": str(repository)}
    status = main(words, environment, BytesIO(), stdout, stderr)
    return status, stderr.getvalue().decode() or stdout.getvalue().decode()


@pytest.mark.parametrize(
    "words",
    [
        ["-C", "{home}", "admin", "init", "new", "--store", ADDRESS],
        ["-C", "{home}", "admin", "migrate", "new", "--store", ADDRESS, "--account", "here"],
        ["admin", "user", "list", "--account", "{home}/there"],
        ["authorized-keys", LOGIN, "SHA256:" + "A" * 43, "--account", "{home}/there"],
        ["receive-pack", "ann", "--account", "{home}/there"],
        ["list"],
    ],
)
def test_what_is_missing_is_said(home: Path, words: list[str]) -> None:
    status, errors = run(home, *[word.format(home=home) for word in words])
    assert (status, errors) == (7, errors)
    assert errors.startswith("msglog: error: PostgreSQL cannot be spoken to (")
    assert "psycopg" in errors
    assert "'.[postgres]'" in errors
    assert not (home / "new").exists()


def test_the_doctor_says_it_as_well(home: Path) -> None:
    status, output = run(home, "admin", "doctor", "--account", str(home / "there"))
    assert (status, output) == (1, output)
    assert "PostgreSQL cannot be spoken to" in output


@pytest.mark.parametrize("alone", [False, True])
def test_what_is_broken_is_said_as_well(monkeypatch: pytest.MonkeyPatch, *, alone: bool) -> None:
    def broken(*_: object) -> None:
        raise ImportError("no pq wrapper available.\nAttempts made:\n- no libpq")

    monkeypatch.delitem(sys.modules, "psycopg", raising=False)
    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(MissingDriverError, match=r"available\. Attempts made: - no"):
        import_driver(alone=alone)

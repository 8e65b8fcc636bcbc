"""Whoever is stopped while holding a lock: others say in one line that it is busy, and go on afterwards."""

import signal
from pathlib import Path

import pytest

from msglog.layout import STORE_NAME
from tests.busy.frozen import holding, msglog

SHORT = 0.2


def must(folder: Path, *words: str) -> None:
    ended = msglog(folder, *words)
    assert ended.status == 0, ended.said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    must(tmp_path, "init")
    must(tmp_path, "add", "before")
    return tmp_path


def check_busy(folder: Path, place: Path, *words: str) -> None:
    ended = msglog(folder, *words, patience=SHORT)
    assert ended.status == 7
    assert ended.said.count("\n") == 1
    assert str(place) in ended.said
    assert "another process " in ended.said


def test_a_store(folder: Path) -> None:
    here = folder / ".msglog"
    with holding("store", here) as frozen:
        check_busy(folder, here / STORE_NAME, "add", "meanwhile")
        check_busy(folder, here / STORE_NAME, "gc")
        must(folder, "list")  # whoever reads waits for nobody
        must(folder, "verify")
        frozen.send_signal(signal.SIGCONT)
        frozen.kill()
        frozen.wait()
        must(folder, "add", "afterwards")
    must(folder, "verify")


def test_one_that_goes_on_is_waited_for(folder: Path) -> None:
    with holding("store", folder / ".msglog") as frozen:
        frozen.send_signal(signal.SIGCONT)
        frozen.send_signal(signal.SIGTERM)
        must(folder, "add", "afterwards")


def test_an_account(tmp_path: Path) -> None:
    account = tmp_path / "account"
    must(tmp_path, "admin", "init", str(account))
    place = account / "account.db"
    with holding("account", place):
        words = ("admin", "user", "add", "ann", "--account", str(account))
        check_busy(tmp_path, place, *words)
        must(tmp_path, "admin", "user", "list", "--account", str(account))
    must(tmp_path, *words)


def test_a_configuration(folder: Path) -> None:
    here = folder / ".msglog"
    with holding("configuration", here):
        check_busy(folder, here, "remote", "add", "origin", "server@host")
        must(folder, "remote")
    must(folder, "remote", "add", "origin", "server@host")

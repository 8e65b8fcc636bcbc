"""The administrator's guide: every command in it is typed, in its order."""

import shlex
from pathlib import Path

import pytest

from porcelain.admin import examination
from tests.porcelain.admin.running import Home

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "server-account.md"
PREFIX = "    msglog admin "


def test_the_commands_of_the_guide_work(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # How the sshd of the machine that runs the tests is set up is not what this is about.
    monkeypatch.setattr(examination, "sshd_settings", lambda *_: None)
    pasted = (home.path / home.public_key(1, "ann.pub")).read_bytes()
    home.public_key(2, "ann-new.pub")
    home.public_key(3, "bob.pub")
    lines = [line for line in GUIDE.read_text().splitlines() if line.startswith(PREFIX)]
    assert len(lines) > 10
    for line in lines:
        home.do(*shlex.split(line.removeprefix(PREFIX)), stdin=pasted)
    assert [record["user"] for record in home.do("user", "list", "--json").records] == ["bob"]
    assert len(home.key_file.read_text().splitlines()) == 3


def test_the_block_in_the_guide_is_what_is_written(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1, "ann.pub", "ann@laptop"))
    first, key, last = home.key_file.read_text().splitlines()
    shown = [line[4:] for line in GUIDE.read_text().splitlines()]
    account = "/home/server/.msglog-server"
    assert first.replace(str(home.account), account) in shown
    assert last.replace(str(home.account), account) in shown
    (guided,) = [line for line in shown if line.startswith("restrict,command=")]
    words, expected = guided.split(" "), key.split(" ")
    assert [words[at] for at in (1, 3, 4, 5)] == [expected[at] for at in (1, 3, 4, 5)]
    assert (words[7], words[9]) == (expected[7], expected[9])

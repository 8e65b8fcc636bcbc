"""`admin init`: an account with its repository, and no harm when said again."""

import shutil
import stat
from pathlib import Path

from msglog.repository import Repository
from tests.porcelain.admin.running import Home


def test_an_account_with_main(home: Home) -> None:
    repository = Repository.open(home.account / "repositories" / "main")
    assert [log.name for log in repository.logs()] == ["main"]
    repository.close()
    assert stat.S_IMODE(home.account.stat().st_mode) == 0o700


def test_saying_it_twice_is_harmless(home: Home) -> None:
    home.do("user", "add", "ann")
    assert "already" in home.do("init").output
    assert home.do("init", "--json").records == [{"path": str(home.account), "made": False}]
    assert [user["user"] for user in home.do("user", "list", "--json").records] == ["ann"]


def test_what_a_cut_off_run_left_out_is_made(home: Home) -> None:
    shutil.rmtree(home.account / "repositories")
    home.do("init")
    Repository.open(home.account / "repositories" / "main").close()


def test_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert str(tmp_path / "one") in home.do("init", "one").output
    assert str(tmp_path / "two") in home.do("init", "--account", "two").output
    assert not home.account.exists()
    for place in ("one", "two"):
        home.do("user", "list", "--account", place)


def test_without_an_account_nothing_works(tmp_path: Path) -> None:
    result = Home(tmp_path).admin("user", "list")
    assert result.status == 7
    assert "there is no server account" in result.errors
    assert "msglog admin init" in result.errors
    assert list(tmp_path.iterdir()) == []

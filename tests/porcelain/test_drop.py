from pathlib import Path

import pytest

from tests.porcelain.conftest import CommandLine


def test_the_name_must_be_typed(cli: CommandLine) -> None:
    cli.ok("add", "x")
    for typed in ("", "\n", "other\n", "y\n", "notes \n"):
        result = cli.run("drop", stdin=typed)
        assert result.status == 1
        assert "with 1 message." in result.error
        assert cli.ok("logs") == "main  1\n"
    assert cli.run("drop", stdin="notes\n").status == 0
    assert list(cli.folder.iterdir()) == []


def test_yes_asks_nothing_and_leaves_everything_else(cli: CommandLine) -> None:
    (cli.folder / "file").write_text("")
    assert cli.run("drop", "--yes", "--json").json() == [
        {"path": str(cli.folder / ".msglog"), "dropped": True, "count": 0}
    ]
    assert [path.name for path in cli.folder.iterdir()] == ["file"]
    cli.fails(7, "drop", "--yes")


def test_yes_means_the_repository_of_this_folder_alone(cli: CommandLine) -> None:
    below = cli.folder / "below"
    below.mkdir()
    assert "not of this folder" in cli.fails(7, "-C", "below", "drop", "--yes")
    assert cli.ok("logs") == "main  0\n"
    cli.ok("-C", "below", "init")
    cli.ok("-C", "below", "drop", "--yes")
    assert cli.ok("logs") == "main  0\n"


def test_a_removal_that_was_cut_off_is_completed_and_removes_nothing_else(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path) -> None:
        (path / "store.db").unlink()
        raise KeyboardInterrupt

    cli.ok("init", "inner")
    inner = cli.folder / "inner"
    with monkeypatch.context() as patch:
        patch.setattr("porcelain.drop.shutil.rmtree", cut_off)
        assert cli.run("-C", "inner", "drop", "--yes").status == 130
    (kept,) = inner.iterdir()
    assert kept.name.startswith(".msglog-dropped-")
    assert cli.ok("-C", "inner", "drop", "--yes") == f"Removed {inner}/.msglog\n"
    assert list(inner.iterdir()) == []
    assert cli.ok("logs") == "main  0\n"


def test_a_server_account_is_never_dropped(cli: CommandLine) -> None:
    (cli.folder.parent / "account.db").write_text("")
    assert "server account" in cli.fails(7, "drop", "--yes")
    assert cli.ok("logs") == "main  0\n"


def test_only_a_real_folder_of_that_name_is_dropped(cli: CommandLine) -> None:
    real = cli.folder / ".msglog"
    other = cli.folder / "precious"
    real.rename(other)
    named = {"MSGLOG_DIR": str(other)}
    assert cli.run("drop", "--yes", environment=named).status == 7
    real.symlink_to(other)
    cli.fails(7, "drop", "--yes")
    assert cli.ok("logs", environment=named) == "main  0\n"

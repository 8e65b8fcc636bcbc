import json
from pathlib import Path

from tests.porcelain.conftest import CommandLine


def test_settings_of_the_repository_and_of_the_user(cli: CommandLine) -> None:
    cli.ok("config", "--global", "set", "user.author", "ann")
    assert cli.ok("config", "get", "user.author") == "ann\n"
    cli.ok("config", "set", "user.author", "bob")
    assert cli.ok("config", "get", "user.author") == "bob\n"
    assert cli.ok("config", "get", "user.author", "--global") == "ann\n"
    cli.ok("config", "set", "--global", "core.pager", "most -x")
    cli.ok("config", "set", "tool.lab.count", "5")
    cli.ok("config", "set", "tool.lab.on", "true")
    assert cli.ok("config", "list") == (
        "core.pager=most -x\ntool.lab.count=5\ntool.lab.on=true\nuser.author=bob\n"
    )
    assert cli.run("config", "list", "--json").json()[1] == {
        "key": "tool.lab.count",
        "value": 5,
        "file": str(cli.folder / ".msglog" / "config.toml"),
    }
    cli.ok("config", "unset", "user.author")
    assert cli.ok("config", "get", "user.author") == "ann\n"


def test_what_is_not_set(cli: CommandLine) -> None:
    cli.fails(1, "config", "get", "user.author")
    cli.fails(1, "config", "unset", "user.author")
    cli.fails(1, "config", "--global", "unset", "user.author")
    for action in ("get", "unset"):
        assert "Did you mean" not in cli.fails(1, "config", action, "user.author")
        said = cli.fails(1, "config", action, "user.autor")
        assert said.endswith("Did you mean user.author?")
    cli.ok("config", "set", "tool.lab.count", "5")
    assert "Did you mean" not in cli.fails(1, "config", "get", "tool.lab.counts")


def test_what_cannot_be_set(cli: CommandLine) -> None:
    assert "Did you mean user.author?" in cli.fails(2, "config", "set", "user.autor", "x")
    assert "--global" in cli.fails(2, "config", "set", "core.pager", "x")
    cli.fails(2, "config", "set", "ssh.transport", "carrier-pigeon")
    cli.fails(2, "config", "set", "user.author", "a\nb")
    cli.fails(2, "config", "set", "nonsense", "x")
    cli.fails(2, "config", "set", "list.date", "lcoal")
    cli.fails(2, "config", "set", "remote.o.url", "ftp://lab/x")
    cli.fails(2, "config")
    assert cli.ok("config", "list") == ""


def test_outside_of_a_repository_there_are_the_users(empty: CommandLine) -> None:
    empty.ok("config", "--global", "set", "user.author", "ann")
    assert empty.ok("config", "list") == "user.author=ann\n"
    empty.fails(7, "config", "set", "user.author", "x")
    environment = {"XDG_CONFIG_HOME": str(empty.folder)}
    empty.ok("config", "--global", "set", "user.author", "xdg", environment=environment)
    assert (empty.folder / "msglog" / "config.toml").read_text() == ('[user]\nauthor = "xdg"\n')


def test_a_repository_names_no_command(cli: CommandLine) -> None:
    marker = cli.folder / "ran"
    (cli.folder / ".msglog" / "config.toml").write_text(
        f"[core]\npager = {json.dumps(f'touch {marker}')}\n"
        f"editor = {json.dumps(f'touch {marker}')}\n"
        f"[ssh]\ncommand = {json.dumps(f'touch {marker}')}\n"
    )
    cli.fails(1, "config", "get", "core.pager")
    assert cli.ok("config", "list") == ""
    cli.ok("add", "x")
    cli.ok("list")
    assert not marker.exists()


def test_a_file_that_is_not_toml_is_named_with_its_line(cli: CommandLine) -> None:
    config = cli.folder / ".msglog" / "config.toml"
    config.write_text("[user]\nauthor = ann\n")
    for arguments in (
        ["status"],
        ["remote"],
        ["config", "list"],
        ["config", "set", "tool.a.b", "x"],
    ):
        line = cli.fails(7, *arguments)
        assert str(config) in line
        assert "line 2" in line
    assert config.read_text() == "[user]\nauthor = ann\n"


def test_a_change_says_the_same_of_a_file_as_whoever_reads_it(cli: CommandLine) -> None:
    config = cli.folder / ".msglog" / "config.toml"
    for text in ("x = [", "a = = b\n", '[user]\nauthor = "\x00"\n'):
        config.write_text(text)
        said = cli.fails(7, "config", "list")
        assert said.startswith(f"{config} is not TOML (")
        assert cli.fails(7, "config", "set", "user.author", "ann") == said
        assert config.read_text() == text


def test_a_value_that_is_not_utf_8_is_called_that(cli: CommandLine) -> None:
    for key in ("user.author", "core.pager", "remote.origin.url"):
        arguments = ["config", "--global", "set", key, "x\udcff"]
        assert cli.fails(2, *arguments).endswith(f" cannot be {key} (it is not UTF-8).")


def test_what_a_newer_version_has_set_is_kept_and_named(cli: CommandLine) -> None:
    file = cli.folder / ".msglog" / "config.toml"
    later = '[core]\nshine = "bright"\n\n[remote.origin]\nurl = "ann@lab"\nwindow = 3\n\n[moon]\nphase = 2\n'
    file.write_text(later)
    cli.ok("config", "set", "user.author", "ann")
    cli.ok("remote", "set-url", "origin", "ben@lab")
    cli.ok("config", "set", "user.author", "ben")
    text = file.read_text()
    for line in ('shine = "bright"', "window = 3", "phase = 2", 'url = "ben@lab"'):
        assert line in text.splitlines()
    listed = cli.run("config", "list")
    assert listed.status == 0
    assert "core.shine=bright\nmoon.phase=2\n" in listed.out
    warned = listed.error.splitlines()
    assert [line.split()[7] for line in warned] == [
        "core.shine",
        "moon.phase",
        "remote.origin.window",
    ]
    assert cli.run("-q", "config", "list").error == ""
    assert cli.run("add", "x").error == ""


def test_a_link_to_the_users_settings_stays_one(empty: CommandLine) -> None:
    """As those have it who keep all their settings in one place."""
    kept = empty.folder / "dotfiles" / "msglog.toml"
    kept.parent.mkdir()
    kept.write_text('# mine\n[user]\nauthor = "ann"\n')
    link = Path(empty.environment["HOME"], ".config", "msglog", "config.toml")
    link.parent.mkdir(parents=True)
    link.symlink_to(kept)
    empty.ok("config", "--global", "set", "core.editor", "vi")
    empty.ok("config", "--global", "unset", "user.author")
    assert link.is_symlink()
    assert kept.read_text() == '# mine\n[core]\neditor = "vi"\n'

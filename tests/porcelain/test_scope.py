"""What is shared of a remote: since a time, and by the names of logs."""

import json
import tomllib
from typing import Any

import pytest

from msglog.repository import Repository
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

MONTHS = range(1, 7)
APRIL = "2026-04-01T00:00:00+00:00"


@pytest.fixture
def server(empty: CommandLine) -> str:
    """A repository to share: `main` with a message a month, and two other logs."""
    folder = empty.folder.parent / "server"
    empty.ok("init", "-q", str(folder))
    for month in MONTHS:
        write(empty, f"month {month}", f"2026-{month:02}-10", "-C", str(folder))
    for log in ("beamline/p01", "other"):
        empty.ok("-C", str(folder), "logs", "new", "-q", log)
        write(empty, f"old {log}", "2025-05-01", "-C", str(folder), "--log", log)
        write(empty, f"new {log}", "2026-05-01", "-C", str(folder), "--log", log)
    return str(folder)


def write(cli: CommandLine, text: str, time: str, *more: str) -> None:
    cli.ok(*more[:2], "add", "-q", "--time", time, *more[2:], text)


@pytest.fixture
def here(empty: CommandLine, server: str) -> CommandLine:
    """A clone of `main` since April."""
    empty.ok("clone", "-q", "--since", "2026-04-01", "--log", "main", server, str(empty.folder))
    return empty


def bodies(cli: CommandLine, *words: str) -> list[str]:
    return [one["body"] for one in cli.run("list", "--json", "--reverse", *words).json()]


def settings(cli: CommandLine) -> dict[str, Any]:
    text = (cli.folder / ".msglog" / "config.toml").read_text()
    remote: dict[str, Any] = tomllib.loads(text)["remote"]["origin"]
    return {key: value for key, value in remote.items() if key not in ("url", "repository")}


def months(*numbers: int) -> list[str]:
    return [f"month {number}" for number in numbers]


def test_a_clone_since_a_time_has_what_is_newer_and_goes_on_so(
    here: CommandLine, server: str
) -> None:
    assert bodies(here) == months(4, 5, 6)
    assert settings(here) == {"since": APRIL, "logs": ["main"]}
    assert [log["log"] for log in here.run("logs", "--json").json()] == ["main"]
    write(here, "late", "2026-01-20", "-C", server)
    write(here, "new", "2026-07-01", "-C", server)
    assert here.ok("pull").split(", root")[0] == "origin main: 1 pulled, 4 in all"
    assert bodies(here) == [*months(4, 5, 6), "new"]
    assert ", since 2026-04-01 (4 older there)\n" in here.ok("pull")
    (line,) = here.run("pull", "--json").json()
    assert (line["pulled"], line["since"], line["older"]) == (
        0,
        "2026-04-01T00:00:00.000000+00:00",
        4,
    )
    assert "2026-04-01" in here.ok("fetch")


def test_what_is_older_of_ours_is_pushed_all_the_same(here: CommandLine, server: str) -> None:
    write(here, "mine, old", "2026-01-20")
    write(here, "mine", "2026-07-01")
    assert here.ok("push", "--dry-run") == "origin main: 2 to push\n"
    assert "2 ahead, 0 behind, since 2026-04-01; 3 older messages are only there" in (
        here.ok("status")
    )
    assert here.ok("push").split(", root")[0] == "origin main: 2 pushed, 4 in all"
    assert "origin: equal, since 2026-04-01; 3 older messages are only there" in here.ok("status")
    assert here.ok("pull").endswith(", since 2026-04-01 (3 older there)\n")
    assert "3 older messages are only there" in here.ok("status")
    assert set(bodies(here, "-C", server)) == {*months(*MONTHS), "mine, old", "mine"}
    assert here.ok("sync", "--dry-run") == "origin main: 0 to pull, 0 to push\n"
    (line,) = here.run("push", "--json").json()
    assert line["since"] == "2026-04-01T00:00:00.000000+00:00"


def test_it_is_widened_by_an_earlier_time_and_by_whole(here: CommandLine) -> None:
    assert here.ok("pull", "--since", "2026-02-01", "--dry-run") == "origin main: 2 to pull\n"
    assert settings(here)["since"] == APRIL
    assert here.ok("pull", "--since", "2026-02-01").split(", root")[0] == (
        "origin main: 2 pulled, 5 in all"
    )
    assert settings(here)["since"] == "2026-02-01T00:00:00+00:00"
    assert "since 2026-02-01; 1 older message is only there" in here.ok("status")
    assert "1 pulled, 6 in all" in here.ok("pull", "--whole")
    assert settings(here) == {"logs": ["main"]}
    assert here.ok("status").splitlines()[2] == "  origin: equal"
    assert bodies(here) == months(*MONTHS)
    assert "0 pulled, 6 in all" in here.ok("pull")


def test_less_is_asked_for_by_configuration_alone(here: CommandLine, server: str) -> None:
    text = here.fails(2, "pull", "--since", "2026-05-01")
    assert text == (
        "origin is taken since 2026-04-01 already. To take less from now on, say"
        " `msglog config set remote.origin.since 2026-05-01T00:00:00+00:00`."
    )
    here.ok("config", "set", "remote.origin.since", "2026-05-01T00:00:00+00:00")
    write(here, "late", "2026-04-20", "-C", server)
    assert "0 pulled, 3 in all" in here.ok("pull")
    assert "equal, since 2026-05-01; 4 older messages are only there" in here.ok("status")
    here.ok("pull", "--whole")
    assert "origin is taken whole already" in here.fails(2, "pull", "--since", "2026-05-01")
    assert "do not go together" in here.fails(2, "pull", "--whole", "--since", "2026-05-01")


def test_a_remote_that_nothing_was_taken_from_yet_may_be_taken_since_a_time(
    cli: CommandLine, server: str
) -> None:
    cli.ok("remote", "add", "origin", server)
    assert "3 to pull" in cli.ok("pull", "--since", "2026-04-01", "origin", "main", "--dry-run")
    assert settings(cli) == {}
    cli.ok("pull", "-q", "--since", "2026-04-01", "origin", "main")
    assert settings(cli)["since"] == APRIL
    assert bodies(cli) == months(4, 5, 6)
    cli.ok("pull", "-q")
    assert bodies(cli, "--log", "other") == ["new other"]


def test_a_url_is_taken_since_a_time_and_nothing_of_it_is_kept(
    cli: CommandLine, server: str
) -> None:
    assert "3 pulled" in cli.ok("pull", "--since", "2026-04-01", server, "main")
    assert not (cli.folder / ".msglog" / "config.toml").exists()
    assert not (cli.folder / ".msglog" / "views.json").exists()
    assert "3 pulled, 6 in all" in cli.ok("pull", "--whole", server, "main")


def test_what_is_widened_for_one_log_is_said_of_the_others(empty: CommandLine, server: str) -> None:
    empty.ok("clone", "-q", "--since", "2026-04-01", server, str(empty.folder))
    empty.ok("pull", "-q", "--since", "2026-02-01", "origin", "main")
    shown = empty.ok("status")
    assert "since 2026-02-01; 1 older message is only there\n" in shown
    assert (
        shown.count("since 2026-04-01; 1 older message is only there, since 2026-02-01 with") == 2
    )
    empty.ok("pull", "-q", "--whole", "origin", "main")
    assert empty.ok("status").count("1 older message is only there, all with the next pull") == 2
    empty.ok("pull", "-q")
    assert "older" not in empty.ok("status")


def test_logs_are_shared_by_their_names(cli: CommandLine, server: str) -> None:
    cli.ok("remote", "add", "origin", server, "--log", "ma*", "--log", "beamline/*")
    cli.ok("pull", "-q")
    assert [log["log"] for log in cli.run("logs", "--json").json()] == ["beamline/p01", "main"]
    cli.ok("logs", "new", "-q", "diary")
    write(cli, "dear diary", "2026-01-01", "-C", str(cli.folder), "--log", "diary")
    assert "diary" not in cli.ok("push")
    assert "diary" not in cli.ok("sync")
    assert "diary" not in cli.ok("sync", "--dry-run")
    assert "diary: 1 message\n  origin: not shared\n" in cli.ok("status")
    (diary,) = [one for one in cli.run("status", "--json").json() if one["log"] == "diary"]
    assert diary["remotes"][0]["shared"] is False
    assert "1 pushed" in cli.ok("push", "origin", "diary")  # who names it means it
    assert "origin: equal, not shared now" in cli.ok("status")
    assert "2 pulled" in cli.ok("pull", "origin", "other")
    cli.ok("config", "set", "remote.origin.logs", "nothing, like-this*")
    assert cli.ok("config", "get", "remote.origin.logs") == "nothing like-this*\n"
    result = cli.run("pull")
    assert (result.status, result.out) == (0, "")
    assert result.error == "msglog: origin has no log that is shared\n"
    assert cli.run("push").error == "msglog: no log is shared with origin\n"
    (line,) = cli.run("config", "get", "remote.origin.logs", "--json").json()
    assert line["value"] == ["nothing", "like-this*"]


def test_a_clone_of_no_log_that_is_there_leaves_nothing(cli: CommandLine, server: str) -> None:
    error = cli.fails(2, "clone", "--log", "diary/*", server, "copy")
    assert "origin has no log that is shared. It lists beamline/p01, main, other." in error
    assert not (cli.folder / "copy").exists()


@pytest.mark.parametrize("url", ["./copy", "copy/.", "./copy/.msglog"])
def test_nothing_is_cloned_into_itself(cli: CommandLine, url: str) -> None:
    assert "cloned into itself" in cli.fails(7, "clone", url, "copy")
    assert not (cli.folder / "copy").exists()
    (cli.folder / "copy").mkdir()
    cli.fails(7, "clone", url, "copy")
    assert list((cli.folder / "copy").iterdir()) == []


def test_settings_of_what_is_shared_go_with_the_remote(cli: CommandLine, server: str) -> None:
    cli.ok("remote", "add", "origin", server, "--log", "main", "--since", "2026-04-01")
    cli.ok("pull", "-q")
    assert "Since       2026-04-01\n  Logs        main\n" in cli.ok("remote", "show", "origin")
    shown = "main: 3 messages when last seen, and 3 more from before 2026-04-01\n"
    assert shown in cli.ok("remote", "show", "origin")
    cli.ok("remote", "rename", "origin", "lab")
    assert shown in cli.ok("remote", "show", "lab")
    (line,) = cli.run("remote", "show", "lab", "--json").json()
    assert (line["since"], line["patterns"]) == (APRIL, ["main"])
    assert "lab: equal, since 2026-04-01; 3 older messages are only there" in cli.ok("status")
    cli.ok("remote", "remove", "lab")
    assert cli.ok("config", "list") == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--log", "A B"), "'A B' is not a pattern for names of logs"),
        (("--since", "soon"), "cannot tell what time 'soon' is"),
        (("--since", "+012026-01-01"), "years 1 to 9999"),
    ],
)
def test_what_cannot_be_shared_is_refused_before_anything_is_made(
    empty: CommandLine, server: str, words: tuple[str, ...], text: str
) -> None:
    assert text in empty.fails(2, "clone", server, "x", *words)
    assert not (empty.folder / "x").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("since", "yesterday"),
        ("since", "2026-01-01"),
        ("since", "2026-01-01T00:00:00"),
        ("logs", "Main"),
        ("logs", "main, ../x"),
    ],
)
def test_settings_are_checked(cli: CommandLine, key: str, value: str) -> None:
    assert f"cannot be remote.origin.{key}" in cli.fails(
        2, "config", "set", f"remote.origin.{key}", value
    )
    change = f'[remote.origin]\nurl = "x"\n{key} = "{value}"\n'
    (cli.folder / ".msglog" / "config.toml").write_text(change)
    assert f"remote.origin.{key} cannot be used" in cli.fails(7, "status")


def test_a_day_that_there_is_not(cli: CommandLine) -> None:
    cli.ok("config", "set", "remote.origin.since", "2026-13-01T00:00:00Z")
    cli.ok("config", "set", "remote.origin.url", "server@host")
    assert "'2026-13-01T00:00:00Z' is no time" in cli.fails(2, "status")


def test_a_list_on_a_terminal_ends_with_what_is_not_here(here: CommandLine) -> None:
    line = "Messages from before 2026-04-01 (3) are at origin only."
    plain = {"NO_COLOR": "1", "TZ": "UTC"}

    def lines(*words: str) -> list[str]:
        result = on_terminal(here, "--no-pager", "list", *words, environment=plain)
        return result.out.splitlines()

    assert lines("--oneline")[-1] == line
    assert lines()[-1] == line
    assert lines("--oneline", "--reverse")[0] == line
    assert line in lines("--author", "nobody")
    for words in (
        ("-n", "2"),
        ("-n", "3"),
        ("--since", "2026-05-01"),
        ("--json",),
        ("--received-since", "2026-01-01"),
    ):
        assert line not in lines(*words)
    assert line in lines("-n", "4")
    assert line not in here.ok("list")
    (here.folder / ".msglog" / "views.json").unlink()
    assert lines()[-1] == "Messages from before 2026-04-01 may be at origin only."
    assert here.ok("status").splitlines()[-1] == "  origin: equal, since 2026-04-01"
    here.ok("pull", "-q", "--whole")
    assert lines()[-1] != line


def test_what_is_recorded_of_views_may_be_anything(here: CommandLine) -> None:
    path = here.folder / ".msglog" / "views.json"
    identity = next(iter(json.loads(path.read_text())))
    for text in (
        "",
        "[]",
        "{",
        "[" * 100_000,
        json.dumps({identity: 5}),
        json.dumps({identity: {"main": 5}}),
        json.dumps({identity: {"main": {"since": "x", "older": 1}}}),
        json.dumps({identity: {"main": {"since": 1 << 70, "older": 1}}}),
        json.dumps({identity: {"main": {"since": 1, "older": "x"}}}),
    ):
        path.write_text(text)
        assert here.ok("status").endswith("origin: equal, since 2026-04-01\n")
        here.ok("pull", "-q")
        assert here.ok("status").endswith("3 older messages are only there\n")


def test_a_partial_repository_is_whole_to_all_that_look_after_it(here: CommandLine) -> None:
    write(here, "mine, old", "2026-01-20")
    here.ok("push", "-q")
    backup = str(here.folder.parent / "backup.tar")
    assert "damaged" not in here.ok("verify")
    here.ok("backup", "-q", backup)
    here.ok("gc", "-q")
    assert bodies(here) == ["mine, old", *months(4, 5, 6)]
    restored = here.folder.parent / "restored"
    here.ok("restore", "-q", backup, str(restored))
    assert "equal, since 2026-04-01\n" in here.ok("-C", str(restored), "status")
    here.ok("-C", str(restored), "pull", "-q")
    assert "3 older messages are only there" in here.ok("-C", str(restored), "status")
    assert "3 pulled, 7 in all" in here.ok("-C", str(restored), "pull", "--whole")


def test_a_clone_that_breaks_off_goes_on_with_its_view(here: CommandLine) -> None:
    folder = here.folder / ".msglog"
    repository = Repository.open(folder)
    identity = repository.store.identity
    repository.close()
    for path in folder.iterdir():
        if path.name != "config.toml":
            path.unlink()
    Repository.create(folder, identity=identity, time=0).close()
    here.ok("pull", "-q")
    assert bodies(here) == months(4, 5, 6)


def broken(here: CommandLine, sql: str) -> None:
    import sqlite3  # noqa: PLC0415 - to damage it

    connection = sqlite3.connect(here.folder / ".msglog" / "store.db", isolation_level=None)
    assert connection.execute(sql).rowcount > 0
    connection.close()


@pytest.mark.parametrize("remote", ["origin", "url"])
@pytest.mark.parametrize("sql", ["DELETE FROM nodes", "DELETE FROM messages"])
@pytest.mark.parametrize("give_up", [True, False])
def test_repair_does_not_bring_what_is_older(
    here: CommandLine,
    server: str,
    remote: str,
    sql: str,
    give_up: bool,  # noqa: FBT001
) -> None:
    write(here, "mine, old", "2026-01-20")
    here.ok("push", "-q")
    here.ok("pull", "-q")
    before = bodies(here)
    broken(here, sql)
    words = ["--repair", server if remote == "url" else "origin"]
    result = here.run("verify", *words, *(["--give-up"] if give_up else []))
    assert result.status == 0, result
    assert bodies(here) == before == ["mine, old", *months(4, 5, 6)]


@pytest.mark.parametrize("sql", ["DELETE FROM nodes", "DELETE FROM messages"])
def test_where_all_is_lost_the_view_and_the_shared_logs_come_again(
    here: CommandLine, sql: str
) -> None:
    broken(here, sql)
    broken(here, "DELETE FROM refs")
    assert here.run("verify", "--repair", "origin").status == 0
    assert bodies(here) == months(4, 5, 6)
    assert "other" not in here.ok("logs")

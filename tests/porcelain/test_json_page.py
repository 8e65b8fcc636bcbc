"""The page of JSON cannot drift: what commands print has the fields that it names, and no others."""

import argparse
import json
import re
import sqlite3
from io import BytesIO

from msglog.repository import Repository
from plumbing.context import Context
from plumbing.news import Arrived
from porcelain.commands import COMMANDS
from porcelain.news_display import NewsDisplay
from tests.porcelain.conftest import CommandLine
from tests.porcelain.json_page import DOCUMENTED, KINDS, OPTIONAL, SILENT, TEXTUAL, TYPES, check
from tests.porcelain.parsers import all_parsers, command_parser
from tests.porcelain.scenarios import SCENARIOS, fill
from tests.porcelain.world import World


def test_what_is_printed_is_as_the_page_says(cli: CommandLine) -> None:
    oid = fill(cli)
    for words, command, kind in SCENARIOS:
        result = cli.run("--json", *(oid if word == "ID" else word for word in words))
        assert (result.status, result.error) == (0, ""), words
        printed = [value for value in result.json() if command != "sync" or kind in value]
        assert printed, words
        for value in printed:
            newer = "message" in kind and "needs" in value
            check(value, "message of a newer version" if newer else kind)


def test_a_message_of_a_newer_version_can_be_shown(cli: CommandLine) -> None:
    fill(cli)
    newer = next(
        message["id"] for message in cli.run("list", "--json").json() if "needs" in message
    )
    (shown,) = cli.run("show", "--json", newer).json()
    added = list(KINDS["message in its place"])[len(KINDS["message"]) :]
    plain = [
        name
        for name, type_ in KINDS["message of a newer version"].items()
        if not type_.startswith(OPTIONAL)
    ]
    assert list(shown) == [*plain, *added]
    check(cli.run("cat-object", "-p", newer, "--json").json()[0], "message of a newer version")


def test_what_was_backed_up_is_restored(cli: CommandLine) -> None:
    fill(cli)
    cli.ok("backup", "-q", "file")
    for words in (["file", "new"], ["file", "."], ["file", "--dry-run"]):
        printed = cli.run("restore", "--json", "--replace", *words).json()
        check(printed[0], "restored")


def test_a_part_of_a_log_has_the_optional_fields(cli: CommandLine) -> None:
    fill(cli)
    cli.ok("-C", "..", "init", "-q", "part")
    part = ("-C", "../part", "--json")
    cli.ok(*part, "remote", "add", "origin", "../other")
    for words, kind in (
        (["pull", "origin", "--since", "2020-01-01"], "pulled"),
        (["fetch", "origin"], "fetched"),
        (["push", "origin"], "pushed"),
        (["remote"], "remote"),
        (["status"], "state of a log"),
    ):
        for value in cli.run(*part, *words).json():
            check(value, kind)
            assert kind == "state of a log" or value["since"]


def test_what_was_fetched_before_is_counted(cli: CommandLine) -> None:
    fill(cli)
    cli.ok("-C", "../other", "add", "-q", "there")
    cli.ok("fetch", "origin", "-q")
    (value,) = cli.run("pull", "--json").json()
    check(value, "pulled")
    assert value["fetched_before"] == 1


def test_damage_is_as_the_page_says(cli: CommandLine) -> None:
    oid = fill(cli)
    store = sqlite3.connect(cli.folder / ".msglog" / "store.db")
    with store:
        store.execute(
            "UPDATE messages SET data = x'00' WHERE substr(key, 9) = ?", (bytes.fromhex(oid),)
        )
    store.close()
    result = cli.run("verify", "--json")
    assert result.status == 1
    kinds = ["damage" if "why" in line else "verified" for line in result.json()]
    assert {*kinds} == {"damage", "verified"}
    for line, kind in zip(result.json(), kinds, strict=True):
        check(line, kind)
    repaired = cli.run("verify", "--repair", "--json").json()
    assert [line for line in repaired if "repair" in line]
    for line in repaired:
        check(line, "repair" if "repair" in line else "damage" if "why" in line else "verified")


def test_messages_that_arrive_are_as_the_page_says(cli: CommandLine) -> None:
    fill(cli)
    repository = Repository.open(cli.folder / ".msglog")
    keys = list(repository.keys(repository.log("main").root))
    found = repository.store.read_messages(keys)
    repository.close()
    out = BytesIO()
    context = Context(
        directory="/", home="/", stdin=BytesIO(), stdout=out, stderr=BytesIO(), json=True
    )
    display = NewsDisplay(context, "full", headings=True, length=lambda: 8)
    display.show(Arrived("main", keys, [found[key] for key in keys]))
    lines = [json.loads(line) for line in out.getvalue().decode().splitlines()]
    assert len(lines) == len(keys)
    for line in lines:
        check(line, "message of a newer version" if "needs" in line else "message that arrives")
        assert line["log"] == "main"


def test_rounds_are_as_the_page_says(world: World) -> None:
    world.then = {1: lambda: world.add_here(1), 2: lambda: world.add_there(2), 3: lambda: None}
    world.run(json=True, verbose=True)
    assert len(world.out) == 4
    for line in world.out:
        check(json.loads(line), "round")


def test_what_is_said_to_print_no_json_prints_none(cli: CommandLine) -> None:
    tried = (
        ["remote", "add", "a", "host:"],
        ["remote", "set-url", "a", "other:"],
        ["remote", "rename", "a", "b"],
        ["remote", "remove", "b"],
        ["config", "set", "user.author", "ann"],
        ["config", "unset", "user.author"],
    )
    assert {" ".join(words[:2]) for words in tried} == SILENT
    for words in tried:
        assert cli.ok(*words, "--json") == ""


def needs_more(parser: argparse.ArgumentParser) -> bool:
    """Tell whether a command does nothing without a subcommand."""
    nested = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return any(one.required for one in nested)


def test_every_command_is_on_the_page() -> None:
    """Each prints a kind that is on the page, or is among those that print no JSON."""
    there = {
        path
        for name in COMMANDS
        for path, parser in all_parsers(command_parser(name), name)
        if not needs_more(parser)
    }
    printing = {command.partition(" -")[0] for command, _ in DOCUMENTED} - {"msglog"}
    assert not printing & (SILENT | TEXTUAL)
    assert printing | SILENT | TEXTUAL == there


def test_each_command_of_the_page_is_tried() -> None:
    newer = {
        (name, "message of a newer version")
        for name in ("list", "log", "cat-object -p", "show", "watch", "export")
    }
    own = {
        ("restore", "restored"),
        ("verify", "damage"),
        ("verify --repair", "repair"),
        ("watch", "message that arrives"),
        ("sync --every", "round"),
    }
    tried = {(command, kind) for _, command, kind in SCENARIOS} | newer | own
    assert tried == {(command, kind) for command, kind in DOCUMENTED if "admin" not in command}


def test_everything_is_tried_that_is_more_than_null(cli: CommandLine) -> None:
    """Of what may be null, empty or of several types, each possibility is met once."""
    oid = fill(cli)
    (shown,) = cli.run("show", "--json", oid).json()
    assert all(shown[name] for name in KINDS["message in its place"])
    remotes = [one for log in cli.run("status", "--json").json() for one in log["remotes"]]
    assert {type(one["ahead"]) for one in remotes} == {int, type(None)}
    assert any(one["held_back"] for one in remotes)
    assert None in [log["root"] for log in cli.run("status", "--json").json()]
    assert {type(one["value"]) for one in cli.run("stats", "--json").json()} == {
        str, int, type(None)
    }  # fmt: skip


def test_every_type_on_the_page_is_known() -> None:
    for fields in KINDS.values():
        assert fields
        for type_ in fields.values():
            for one in re.split(r", | or ", type_):
                assert one.removeprefix(OPTIONAL).replace("list of ", "") in {*TYPES, *KINDS}

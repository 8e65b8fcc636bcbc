"""The page of JSON cannot drift: what commands print has the fields that it names, and no others."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msglog.encoding import encode
from msglog.key import SECOND, make_key
from msglog.objectid import object_id
from msglog.repository import Insertion, Repository
from msglog.store.store import HeldBack, Receipt, Refusal
from tests.porcelain.conftest import CommandLine

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text()


def sections() -> Iterator[tuple[str, str]]:
    for section in PAGE.split("\n### ")[1:]:
        name, _, text = section.partition("\n")
        yield name, text.partition("\n## ")[0]


KINDS = {
    name: dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    for name, text in sections()
}
"""The fields of each kind of object, with their types."""

DOCUMENTED = {
    (command, name)
    for name, text in sections()
    for printed in re.findall(r"^Printed by ((?:`[^`]*`(?:, )?)+)", text, re.MULTILINE)
    for command in re.findall(r"`([a-z][^`]*)`", printed)
}
"""Which command prints which kind."""

OPTIONAL = "optional "
TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int and -(1 << 63) <= value < 1 << 63,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "id": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
    "time": lambda value: (
        isinstance(value, str)
        and re.fullmatch(r"(\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", value)
        is not None
    ),
}


def is_of(value: Any, type_: str) -> bool:
    """Tell whether a value is of a type as the page writes it."""
    alternatives = re.split(r", | or ", type_)
    if len(alternatives) > 1:
        return any(is_of(value, one) for one in alternatives)
    if type_.startswith("list of "):
        inner = type_.removeprefix("list of ")
        return isinstance(value, list) and all(is_of(item, inner) for item in value)
    if type_ in KINDS:
        check(value, type_)
        return True
    return TYPES[type_](value)


def check(value: Any, kind: str) -> None:
    """Check one object against the page."""
    fields = KINDS[kind]
    must = {name for name, type_ in fields.items() if not type_.startswith(OPTIONAL)}
    assert must <= value.keys() <= fields.keys(), kind
    for name, found in value.items():
        assert is_of(found, fields[name].removeprefix(OPTIONAL)), (kind, name, found)


def fill(cli: CommandLine) -> str:
    """Make all that can be printed; return the id of a message that has everything."""
    message = encode(
        {
            "type": "message", "uuid": bytes(16), "time": -(1 << 60), "offset": -90,
            "author": "bob", "body": "x\x1b\u2028", "tags": ["a", "b"], "meta": {"k": 1.5},
            "reply_to": bytes(32),
        }
    )  # fmt: skip
    newer = encode({"type": "vote", "uuid": bytes(16), "time": 5, "choice": "yes"})
    cli.ok("-C", "..", "init", "-q", "other")
    cli.ok("remote", "add", "origin", "../other")
    cli.ok("remote", "add", "silent", "host:")
    cli.ok("add", "-q", "seen")
    cli.ok("push", "-q", "origin")
    identity = cli.ok("config", "get", "remote.origin.repository").strip()
    cli.ok("config", "set", "user.author", "ann")
    cli.ok("config", "set", "tool.test.number", "5")
    cli.ok("config", "set", "tool.test.truth", "true")
    keys = [make_key(-(1 << 60), object_id(message)), make_key(5, object_id(newer))]
    refusal = Refusal(keys[0], "too-large", "it is too large")
    repository = Repository.open(cli.folder / ".msglog")
    repository.commit(
        [Insertion("refs/logs/main", keys), Insertion("refs/remotes/origin/theirs", keys)],
        messages=dict(zip(keys, (message, newer), strict=True)),
        time=1,
        reason="pull",
        receipt=Receipt("origin", 1_000 * SECOND, "main", "SHA256:abc"),
        held_back=[HeldBack(f"repository:{identity}", "main", (refusal,))],
    )
    repository.close()
    (cli.folder.parent / "message").write_bytes(message)
    return object_id(message).hex()


SCENARIOS: list[tuple[list[str], str, str]] = [
    (["add", "x", "--tag", "t"], "add", "message"),
    (["list"], "list", "message"),
    (["log"], "log", "message"),
    (["cat-object", "-p", "ID"], "cat-object -p", "message"),
    (["show", "ID"], "show", "message in its place"),
    (["search", "seen"], "search", "found message"),
    (["stats"], "stats", "count"),
    (["init"], "init", "repository"),
    (["init", "another"], "init", "repository"),
    (["logs"], "logs", "log"),
    (["logs", "new", "a"], "logs new", "log"),
    (["config", "list"], "config list", "setting"),
    (["config", "get", "user.author"], "config get", "setting"),
    (["diff-index", "main", "origin/main"], "diff-index", "difference"),
    (["status"], "status", "state of a log"),
    ([], "msglog", "state of a log"),
    (["remote"], "remote", "remote"),
    (["remote", "get-url", "silent"], "remote get-url", "remote"),
    (["remote", "show", "origin"], "remote show", "remote with its logs"),
    (["for-each-ref"], "for-each-ref", "ref"),
    (["ls-remote", "origin"], "ls-remote", "ref"),
    (["push", "origin", "main"], "push", "pushed"),
    (["sync", "origin", "main"], "sync", "pulled"),
    (["sync", "origin", "main"], "sync", "pushed"),
    (["pull", "origin"], "pull", "pulled"),
    (["clone", "../other", "copy"], "clone", "pulled"),
    (["fetch", "origin"], "fetch", "fetched"),
    (["fetch-pack", "origin"], "fetch-pack", "transfer"),
    (["send-pack", "origin"], "send-pack", "transfer"),
    (["gc"], "gc", "tidied"),
    (["gc", "--dry-run"], "gc --dry-run", "what would be tidied"),
    (["verify"], "verify", "verified"),
    (["backup", "file"], "backup", "archive"),
    (["export", "-o", "lines"], "export", "exported file"),
    (["import", "lines"], "import", "imported"),
    (["cat-object", "-t", "ID"], "cat-object -t", "stored object"),
    (["cat-object", "-s", "ID"], "cat-object -s", "stored object"),
    (["cat-object", "-p", "main"], "cat-object -p", "node"),
    (["hash-object", "-w", "../message"], "hash-object", "hashed"),
    (["rev-parse", "main", "ID"], "rev-parse", "meaning of a name"),
    (["ls-index"], "ls-index", "part of an index"),
    (["check-ref-format", "main"], "check-ref-format", "name"),
    (["logs", "rename", "main", "b"], "logs rename", "log"),
    (["logs", "delete", "b", "--force"], "logs delete", "log"),
    (["drop", "--yes"], "drop", "dropped"),
]


def test_what_is_printed_is_as_the_page_says(cli: CommandLine) -> None:
    oid = fill(cli)
    for words, command, kind in SCENARIOS:
        result = cli.run("--json", *(oid if word == "ID" else word for word in words))
        assert (result.status, result.error) == (0, ""), words
        printed = [value for value in result.json() if command != "sync" or kind in value]
        assert printed, words
        for value in printed:
            newer = kind == "message" and "needs" in value
            check(value, "message of a newer version" if newer else kind)


def test_a_message_of_a_newer_version_can_be_shown(cli: CommandLine) -> None:
    fill(cli)
    newer = next(
        message["id"] for message in cli.run("list", "--json").json() if "needs" in message
    )
    (shown,) = cli.run("show", "--json", newer).json()
    added = list(KINDS["message in its place"])[len(KINDS["message"]) :]
    assert list(shown) == [*KINDS["message of a newer version"], *added]
    check(cli.run("cat-object", "-p", newer, "--json").json()[0], "message of a newer version")


def test_what_was_backed_up_is_restored(cli: CommandLine) -> None:
    fill(cli)
    cli.ok("backup", "-q", "file")
    for folder in ("new", "."):
        printed = cli.run("restore", "--json", "--replace", "file", folder).json()
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


def test_each_command_of_the_page_is_tried() -> None:
    newer = {
        (name, "message of a newer version") for name in ("list", "log", "cat-object -p", "show")
    }
    own = {("restore", "restored"), ("verify", "damage")}
    assert {(command, kind) for _, command, kind in SCENARIOS} | newer | own == DOCUMENTED


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

import re
import time

import pytest

from msglog.encoding import encode
from msglog.key import SECOND, make_key
from msglog.objectid import object_id
from msglog.repository import Insertion, Repository
from msglog.store.store import HeldBack, Receipt, Refusal
from tests.porcelain.conftest import CommandLine


def test_a_message_in_full(cli: CommandLine) -> None:
    short = cli.ok("add", "hello\nworld", "--tag", "t", "--time", "2026-01-31 12:00").strip()
    (message,) = cli.run("show", "--json", short).json()
    shown = cli.ok("show", short)
    head, age, rest = re.fullmatch(r"((?:.*\n){2}.* )(\(.*\))((?:.|\n)*)", shown).groups()  # type: ignore[union-attr]
    assert head == (f"message {message['id']}\nAuthor: ann\nTime:   2026-01-31 12:00:00 +0000 ")
    assert age.endswith("ago)") or age.startswith("(in ")
    assert rest == f"\nTags:   t\nUuid:   {message['uuid']}\nLog:    main\n\n    hello\n    world\n"
    assert "\nTime:   2026-01-31\n" in cli.ok("show", short, "--date", "short")
    assert cli.ok("show", message["id"].upper()) == cli.ok("show", short)
    assert cli.ok("show", short, short).count("message ") == 2


def test_what_is_not_there_is_named_and_the_rest_is_shown(cli: CommandLine) -> None:
    short = cli.ok("add", "hello").strip()
    missing = next(
        digits for digits in ("00000000", "11111111") if not short.startswith(digits[:7])
    )
    result = cli.run("show", missing, short, "nonsense")
    assert result.status == 2
    assert result.out == cli.ok("show", short)
    assert result.error.count("msglog: error: ") == 2
    assert missing in result.error
    assert "'nonsense'" in result.error
    assert "there is no message" in cli.fails(1, "show", missing)
    cli.fails(2, "show")


def test_an_ambiguous_id_names_the_candidates(cli: CommandLine) -> None:
    ids: dict[str, str] = {}
    while True:
        (message,) = cli.run("add", "x", "--json").json()
        first = message["id"][:4]
        if first in ids:
            break
        ids[first] = message["id"]
        if len(ids) % 50 == 0:
            cli.ok("add", "--batch", "-q", stdin="x\n" * 500)
            for other in cli.run("list", "--json").json():
                ids.setdefault(other["id"][:4], other["id"])
    line = cli.fails(2, "show", first)
    assert ids[first][:8] in line
    assert message["id"][:8] in line


def test_what_its_author_saw_on_the_clock(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = cli.ok("add", "x", "--time", "2026-01-31T12:00:00+02:00").strip()
    assert "Time:   2026-01-31 10:00:00 +0000 (" in cli.ok("show", short)
    assert ", written 2026-01-31 12:00:00 +0200)\n" in cli.ok("show", short)
    assert "2026-01-31 12:00:00 +0200\n" in cli.ok("show", short, "--date", "written")
    monkeypatch.setenv("TZ", "Africa/Harare")
    time.tzset()
    assert "Time:   2026-01-31 12:00:00 +0200 (" in cli.ok("show", short)
    assert "written" not in cli.ok("show", short)
    cli.fails(2, "show", short, "--date", "none")


def test_what_it_answers(cli: CommandLine) -> None:
    first = cli.ok("add", "one\x1b[2J\ntwo", "--author", "b\x07").strip()
    second = cli.ok("add", "yes", "--reply-to", first).strip()
    third = cli.ok("add", "no", "--reply-to", "ab" * 32).strip()
    assert "\nTo:     b\\x07: one\\x1b[2J\n" in cli.ok("show", second)
    assert "\nTo:     what is not here (yet)\n" in cli.ok("show", third)


def test_who_brought_it_where_it_is_and_who_refuses_it(cli: CommandLine) -> None:
    data = encode(
        {
            "type": "message", "uuid": bytes(16), "time": 1, "offset": 0, "author": "bob",
            "body": "x", "sig": b"later",
        }
    )  # fmt: skip
    key = make_key(1, object_id(data))
    cli.ok("config", "set", "remote.origin.url", "/nowhere")
    cli.ok("config", "set", "remote.origin.repository", "ab" * 16)
    cli.ok("logs", "new", "other")
    cli.ok("logs", "new", "empty")
    refusal = Refusal(key, "too-large", "it is\x1b too large")
    repository = Repository.open(cli.folder / ".msglog")
    refs = ("refs/logs/main", "refs/logs/other", "refs/remotes/origin/main")
    repository.commit(
        [Insertion(ref, [key]) for ref in refs],
        messages={key: data},
        time=1,
        reason="pull",
        receipt=Receipt("carol", 1_000 * SECOND, "main", "SHA256:abc"),
        held_back=[HeldBack("repository:" + "ab" * 16, "other", (refusal,))],
    )
    repository.close()
    oid = object_id(data).hex()
    assert (
        "Also:   sig, for a newer msglog\n"
        "Uuid:   00000000000000000000000000000000\n"
        "Log:    main, other\n"
        "From:   carol on 1970-01-01 00:16:40 +0000 with the key SHA256:abc\n"
        "Seen:   at origin/main\n"
        "Held:   back, since origin refuses it: it is\\x1b too large\n"
    ) in cli.ok("show", oid)
    (fields,) = cli.run("show", oid, "--json").json()
    assert {name: fields[name] for name in ("logs", "remotes", "received", "held_back")} == {
        "logs": ["main", "other"],
        "remotes": ["origin/main"],
        "received": {
            "from": "carol", "time": "1970-01-01T00:16:40.000000+00:00", "log": "main",
            "key": "SHA256:abc",
        },
        "held_back": [{"remote": "origin", "code": "too-large", "why": "it is\x1b too large"}],
    }  # fmt: skip


def test_what_show_prints_can_be_added_elsewhere(cli: CommandLine) -> None:
    cli.ok("logs", "new", "other")
    short = cli.ok("add", "x", "--tag", "t", "--log", "other").strip()
    printed = cli.ok("show", short, "--json")
    cli.ok("add", "--batch", "--json", "-q", stdin=printed)
    assert cli.ok("list", "--json") == cli.ok("list", "--json", "--log", "other")
    assert cli.run("show", short, "--json").json()[0]["logs"] == ["main", "other"]

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from io import BytesIO
from pathlib import Path

import pytest

from msglog.encoding import encode
from msglog.key import make_key
from msglog.objectid import ObjectId, object_id
from msglog.repository import Insertion, Repository
from msglog.store.store import Receipt
from porcelain import second_process
from porcelain.cli import main
from porcelain.rendering import _AS_GIT, NAMES
from tests.porcelain.children import forked
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

LINES = [
    {"time": "2026-01-01T10:00:00+00:00", "author": "ann", "body": "alpha", "tags": ["t"]},
    {
        "time": "2026-01-02T10:00:00+00:00",
        "author": "bob",
        "body": "beta\nBETA",
        "tags": ["t", "u"],
    },
    {"time": "2026-01-03T10:00:00+02:00", "author": "joanna", "body": "gamma"},
    {"time": "2026-01-04T10:00:00+00:00", "author": "ann", "body": "delta", "meta": {"k": 1}},
]


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    cli.ok("add", "--batch", "--json", stdin=text)
    return cli


def bodies(cli: CommandLine, *arguments: str) -> list[str]:
    return [
        message["body"].split("\n")[0] for message in cli.run("list", "--json", *arguments).json()
    ]


@pytest.mark.parametrize("command", [["list"], ["search", "alpha"], ["watch"]], ids=" ".join)
def test_one_line_and_a_format_exclude_each_other(filled: CommandLine, command: list[str]) -> None:
    for options in (["--oneline", "--format", "%an"], ["--format=%an", "--oneline"]):
        said = filled.fails(2, *command, *options)
        assert "--oneline" in said
        assert "--format" in said


@pytest.mark.parametrize("command", ["list", "log", "export", "stats"])
def test_logs_are_shown_one_at_a_time(filled: CommandLine, command: str) -> None:
    filled.ok("logs", "new", "ops")
    filled.ok(command, "--log", "ops", "--log", "ops")
    assert filled.fails(2, command, "--log", "main", "--log", "ops") == (
        "--log names 2 logs (one is shown at a time). `msglog search --log NAME` looks in several."
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "delta gamma beta alpha"),
        (["--reverse"], "alpha beta gamma delta"),
        (["-n", "2"], "delta gamma"),
        (["-n2", "--reverse"], "gamma delta"),
        (["-n", "0"], ""),
        (["-n", "99"], "delta gamma beta alpha"),
        (["--since", "2026-01-02T10:00:00Z"], "delta gamma beta"),
        (["--until", "2026-01-02T10:00:00Z"], "beta alpha"),
        (["--since", "2026-01-02", "--until", "2026-01-03 09:00"], "gamma beta"),
        (["--since", "2026-01-03", "--until", "2026-01-02"], ""),
        (["--since=-2h"], ""),
        (["--since", "2026-01"], "delta gamma beta alpha"),
        (["--since", "2026-02"], ""),
        (["--until", "2025-12"], ""),
        (["--until", "2026-01"], "delta gamma beta alpha"),
        (["--since", "2026", "--until", "2026"], "delta gamma beta alpha"),
        (["--until", "2026-01-02"], "beta alpha"),
        (["--received-since", "2026-01"], ""),
        (["--author", "ann"], "delta gamma alpha"),
        (["--author", "^ann$"], "delta alpha"),
        (["--author", "^ann$", "--author", "bob"], "delta beta alpha"),
        (["--author", "ANN", "-i", "-n", "1"], "delta"),
        (["--author", "^ann$", "-n", "2", "--reverse"], "alpha delta"),
        (["--tag", "t"], "beta alpha"),
        (["--tag", "t", "--tag", "u"], "beta"),
        (["--grep", "^BETA$"], "beta"),
        (["--grep", "alp|delt"], "delta alpha"),
        (["--received-since", "@0"], ""),
    ],
)  # fmt: skip
def test_what_is_shown(filled: CommandLine, arguments: list[str], expected: str) -> None:
    assert bodies(filled, *arguments) == expected.split()


def test_what_was_fetched_and_what_was_not_sent(filled: CommandLine) -> None:
    filled.ok("init", "-q", "../server")
    filled.ok("remote", "add", "origin", "../server")
    assert filled.fails(2, "list", "--log", "main..origin/main") == (
        "there is no log 'origin/main'. `msglog fetch origin` finds out what is there."
    )
    filled.ok("push", "-q")
    for body in ("epsilon", "zeta", "eta"):
        filled.ok("add", "-q", body, "-C", "../server")
    filled.ok("add", "-q", "theta")
    filled.ok("fetch", "-q")
    assert bodies(filled, "--log", "..origin/main") == ["eta", "zeta", "epsilon"]
    assert bodies(filled, "--log", "main..origin/main", "--reverse", "-n2") == ["zeta", "eta"]
    assert bodies(filled, "--log", "main..origin/main", "--grep", "^e") == ["eta", "epsilon"]
    assert bodies(filled, "--log", "..origin/main", "--until", "2026-01-04") == []
    assert bodies(filled, "--log", "origin/main..") == ["theta"]
    assert len(bodies(filled, "--log", "origin/main")) == 7
    assert filled.ok("list", "--log", "origin/main..", "--format", "%(log): %(title)") == (
        "main: theta\n"
    )
    exported = filled.run("export", "--log", "..origin/main").json()
    assert [one["body"] for one in exported] == ["epsilon", "zeta", "eta"]
    assert filled.run("stats", "--log", "..origin/main", "--json").json()[0] == {
        "log": "..origin/main", "by": "log", "value": "..origin/main", "count": 3
    }  # fmt: skip
    filled.ok("pull", "-q")
    assert bodies(filled, "--log", "..origin/main") == []
    assert len(bodies(filled, "--log", "main@{1}..main")) == 3


def test_to_list_nothing_is_no_failure(filled: CommandLine) -> None:
    """As with git log; what is looked for by search or by name and is not there is status 1."""
    for command in ("list", "export", "stats"):
        filled.ok(command, "--tag", "nosuch", "--json")
    assert filled.ok("list", "--tag", "nosuch") == ""
    filled.fails(1, "search", "tag:nosuch")
    filled.fails(1, "show", "ffffffff")


def test_json_is_the_same_to_the_byte_wherever_a_log_came_together(filled: CommandLine) -> None:
    printed = filled.ok("list", "--json")
    other = str(filled.folder.parent / "home")
    filled.ok("-C", other, "init", "-q")
    for line in sorted(printed.splitlines(keepends=True)):
        filled.ok("-C", other, "add", "--batch", "--json", stdin=line)
    assert filled.ok("-C", other, "list", "--json") == printed


def test_in_full_on_one_line_and_in_a_format(filled: CommandLine) -> None:
    beta = filled.run("list", "--json", "--grep", "beta").json()[0]
    one = ["list", "--grep", "beta"]
    assert filled.ok(*one) == (
        f"message {beta['id']}\nAuthor: bob\nTime:   2026-01-02 10:00:00 +0000\nTags:   t, u\n"
        "\n    beta\n    BETA\n"
    )
    short = beta["id"][:7]
    assert filled.ok(*one, "--oneline") == f"{short} 2026-01-02 10:00 bob: beta (t, u)\n"
    assert filled.ok(*one, "--format", "oneline") == filled.ok(*one, "--oneline")
    assert filled.ok(*one, "--format", "%h|%H|%an|%ad|%aI|%at|%s|%(tags)|%(uuid)|%%|%x41%n%B") == (
        f"{short}|{beta['id']}|bob|2026-01-02 10:00:00 +0000|2026-01-02T10:00:00.000000+00:00"
        f"|1767348000|beta|t,u|{beta['uuid']}|%|A\nbeta\nBETA\n"
    )
    assert filled.ok("list", "-n1", "--format=%(meta:k)%(meta:none)%(reply_to)") == "1\n"
    git = "%h|%H|%an|%ad|%as|%aI|%at|%s|%B"
    named = "%(short)|%(id)|%(author)|%(date)|%(date:short)|%(time)|%(unix)|%(title)|%(body)"
    assert filled.ok(*one, "--format", git) == filled.ok(*one, "--format", named)
    assert filled.ok("list", "-n2", "--format=%(log) %(meta)|%(date:format:%H%%)") == (
        "main k=1|10%\nmain |08%\n"
    )
    assert filled.ok("list").count("\n\nmessage ") == 3
    assert filled.ok("log") == filled.ok("list")


def test_every_named_field_is_one_and_is_documented(filled: CommandLine) -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands" / "list.md").read_text()
    for name in NAMES:
        assert f"`%({name})`" in page
        known = name.replace("STYLE", "human").replace("KEY", "k")
        assert filled.ok("list", "-n1", f"--format=%({known})") != f"%({known})\n"
    for git in _AS_GIT:
        assert f"`%{git}`" in page


def test_a_field_that_is_mistyped_is_guessed(filled: CommandLine) -> None:
    assert filled.fails(2, "list", "--format", "%(autor)").endswith("Did you mean %(author)?")
    assert "Known are id, short," in filled.fails(2, "list", "--format", "%(x)")
    assert "%H" in filled.fails(2, "list", "--format", "%q")
    assert filled.fails(2, "list", "--date", "shrt").endswith("Did you mean short?")


def test_times_are_those_of_the_users_own_clocks(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gamma = ["list", "--grep", "gamma"]
    assert "Time:   2026-01-03 08:00:00 +0000" in filled.ok(*gamma)
    assert "2026-01-03 10:00:00 +0200" in filled.ok(*gamma, "--date", "written")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    assert "Time:   2026-01-03 13:45:00 +0545" in filled.ok(*gamma)
    assert " 2026-01-03 13:45 joanna: gamma" in filled.ok(*gamma, "--oneline")
    assert filled.ok(*gamma, "--oneline", "--date=local") == filled.ok(*gamma, "--oneline")
    assert filled.ok(*gamma, "--format", "%ad") == "2026-01-03 13:45:00 +0545\n"
    assert filled.ok(*gamma, "--format", "%ad", "--date", "unix") == "1767427200\n"
    assert "2026-01-04 15:45:00 +0545" in filled.ok("list", "-n1")  # it has meta
    assert filled.run(*gamma, "--json").json()[0]["time"] == "2026-01-03T10:00:00.000000+02:00"


def test_on_a_terminal_dates_are_as_the_user_likes_them(filled: CommandLine) -> None:
    filled.ok("config", "set", "list.date", "short")
    shown = on_terminal(filled, "list", "--oneline", "-n1", "--no-pager", "--color=never").out
    assert shown.partition(" ")[2] == "2026-01-04 ann: delta\n"
    assert "2026-01-04 10:00" in filled.ok("list", "--oneline", "-n1")
    (filled.folder / ".msglog" / "config.toml").write_text('[list]\ndate = "none"\n')
    failed = on_terminal(filled, "list")
    assert failed.status == 7
    assert "config.toml, line 2: list.date cannot be used (it must be local," in failed.error


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "%q"], ["--format", "%"], ["--format", "%(date:x)"], ["--format", "%(meta"], ["--grep", "("], ["--author", "*"], ["-n", "-1"],
        ["-n", "x"], ["-n", "٣"], ["--since", "soon"], ["--log", "none"], ["--log", "A"], ["extra"],
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused(filled: CommandLine, arguments: list[str]) -> None:
    filled.fails(2, "list", *arguments)


def test_nothing_in_a_message_acts_on_the_terminal(cli: CommandLine) -> None:
    evil = "\x1b[2J\x1b]8;;http://x\x07\x9b31m\u202e\rgone\x08[red]markup[/red]"
    cli.ok("add", evil, "--author", evil, "--tag", evil, "--meta", f"{evil}={evil}")
    (message,) = cli.run("list", "--json").json()
    assert (message["body"], message["author"], message["tags"]) == (evil, evil, [evil])
    for arguments in (
        ["list"], ["list", "--oneline"], ["list", "--json"], ["show", message["id"]],
        ["list", "--format", "%an%s%B%(tags)%(meta:x)"],
        ["show", "--json", message["id"]], ["list", "--color", "always"],
        ["list", "--oneline", "--color", "always"],
    ):  # fmt: skip
        shown = (
            re.sub(r"\x1b\[[0-9;]*m", "", cli.ok(*arguments))
            if "always" in arguments
            else (cli.ok(*arguments))
        )
        assert shown.replace("\n", "").isprintable()
        assert "[red]markup[/red]" in shown


def test_what_needs_a_newer_msglog_is_carried_and_said_so(cli: CommandLine) -> None:
    data = encode({"type": "vote\x1b", "uuid": bytes(16), "time": 5, "choice": "yes"})
    repository = Repository.open(cli.folder / ".msglog")
    repository.add("main", {make_key(5, object_id(data)): data}, time=5)
    repository.close()
    (shown,) = cli.run("list", "--json").json()
    assert shown == {
        "id": object_id(data).hex(),
        "uuid": "00" * 16,
        "time": "1970-01-01T00:00:00.000005+00:00",
        "type": "vote\x1b",
        "needs": shown["needs"],
    }
    for arguments in (["list"], ["list", "--oneline"], ["list", "--format", "%s"]):
        out = cli.ok(*arguments)
        assert "needs a newer msglog" in out
        assert "\x1b" not in out
    assert "needs a newer msglog" in cli.ok("show", shown["id"])
    assert cli.ok("list", "--author", "x") == ""


def test_received_since_goes_by_the_receipt(cli: CommandLine) -> None:
    repository = Repository.open(cli.folder / ".msglog")
    keys = []
    for number in (1, 2):
        cli.ok("add", f"m{number}", "--time", f"@{number}")
    cli.ok("logs", "new", "other")
    for number in (3, 4):
        body: dict[str, str | int | bytes] = {
            "type": "message", "uuid": bytes([number]) * 16, "time": number, "offset": 0,
            "author": "bob", "body": f"m{number}",
        }  # fmt: skip
        data = encode({**body})
        key = make_key(number, object_id(data))
        keys.append(key)
        repository.commit(
            [Insertion("refs/logs/main", [key])],
            messages={key: data},
            time=number,
            reason="pull",
            receipt=Receipt("origin", number * 1_000_000_000, "main"),
        )
    repository.close()
    assert bodies(cli, "--received-since", "@0") == ["m4", "m3"]
    assert bodies(cli, "--received-since", "@3500") == ["m4"]
    assert "From:   origin on 1970-01-01 01:06:40 +0000" in cli.ok("show", keys[1][8:].hex())


def test_a_long_log_is_listed_whole_in_either_order(cli: CommandLine) -> None:
    cli.ok("add", "--batch", "-q", stdin="".join(f"{number}\n" for number in range(2000)))
    assert bodies(cli) == [str(number) for number in reversed(range(2000))]
    assert bodies(cli, "--reverse") == [str(number) for number in range(2000)]
    assert bodies(cli, "-n", "300", "--reverse") == [str(number) for number in range(1700, 2000)]


SELECTIONS = (
    (), ("--reverse",), ("--oneline",), ("--json",), ("--format", "%h %s"), ("--grep", "7"),
    ("--grep", "none such"), ("--grep", "^1999$"), ("--since", "2026-01-01 00:20"),
    ("--until", "2026-01-01 00:20", "--reverse"), ("--since", "2026-01-02", "--until", "2026-01-01"),
    ("--color", "always"),
)  # fmt: skip


@pytest.fixture
def long(cli: CommandLine) -> CommandLine:
    lines = [
        {"time": f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z", "body": f"{n}"} for n in range(1400)
    ]
    cli.ok(
        "add", "-q", "--batch", "--json", stdin="".join(json.dumps(line) + "\n" for line in lines)
    )
    return cli


def list_by_two(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have every list that may be made by two processes; return how many were, as they are."""
    made: list[int] = []

    def counted(work: "second_process.Work[list[ObjectId]]") -> Generator[bytes]:
        made.append(1)
        return rendered_by_two(work)

    rendered_by_two = second_process.rendered_by_two
    monkeypatch.setattr(second_process, "rendered_by_two", counted)
    monkeypatch.setattr(second_process, "has_two_cores", lambda: True)
    monkeypatch.setattr("porcelain.list_log._LONG", 0)
    monkeypatch.setattr("msglog.choice.PIECE", 100)
    return made


def test_two_processes_list_what_one_lists(
    long: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_one = [long.ok("list", *selection) for selection in SELECTIONS]
    made = list_by_two(monkeypatch)
    assert [long.ok("list", *selection) for selection in SELECTIONS] == by_one
    assert len(made) == len(SELECTIONS)
    assert long.ok("list", "-n", "1400") == by_one[0]
    assert long.ok("list", "--received-since", "@0") == ""
    assert len(made) == len(SELECTIONS)


def test_damage_is_said_once_by_two_processes(
    long: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = long.ok("list", "--json")
    damaged = long.run("list", "--json", "-n", "900").json()[-1]["id"]
    store = sqlite3.connect(long.folder / ".msglog" / "store.db")
    with store:
        store.execute(
            "UPDATE messages SET data = x'00' WHERE substr(key, 9) = ?", (bytes.fromhex(damaged),)
        )
    store.close()
    assert list_by_two(monkeypatch) == []
    assert f"object {damaged} is damaged" in long.fails(5, "list", "--json")
    shown = long.run("list", "--json").out
    assert whole.startswith(shown)
    assert shown.count("\n") > 500


def test_a_reader_that_has_seen_enough_ends_both(
    long: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_by_two(monkeypatch)
    reading, writing = os.pipe()
    os.close(reading)
    arguments = ["list", "--json"]
    with open(writing, "wb", buffering=0) as out:
        status = main(arguments, long.environment, BytesIO(), out, BytesIO())
    assert status == 141
    assert forked() == set()


def test_control_c_ends_both_in_silence(long: CommandLine) -> None:
    code = (
        "import sys; from porcelain import cli, list_log, second_process\n"
        "list_log._LONG = 0; second_process.has_two_cores = lambda: True; sys.exit(cli.run())"
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else it may be ignored
    process = subprocess.Popen(
        [sys.executable, "-c", code, "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **long.environment},
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    process.stdout.read(1)  # there are two from now on, and more to write than a pipe holds
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)  # the end of what both could write
    assert (process.returncode, error) == (130, b"")

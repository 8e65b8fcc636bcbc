import json

import pytest

from msglog.encoding import encode
from msglog.key import make_key
from msglog.objectid import object_id
from msglog.repository import Insertion, Repository
from porcelain import welcome
from tests.porcelain.conftest import CommandLine


def test_outside_of_a_repository_it_says_how_to_begin(empty: CommandLine) -> None:
    screen = empty.ok()
    assert screen.startswith(f"There is no repository in {empty.folder} or above it.\n\n")
    for command in ("init", "init --user", "clone user@host", "add 'hello'", "list"):
        assert f"  msglog {command} " in screen
    assert "`msglog help`" in screen
    assert max(map(len, screen.splitlines()[1:])) <= 80
    assert empty.ok("--color", "never") == screen
    assert "\x1b[" in empty.ok("--color", "always")
    empty.fails(7, "--json")
    result = empty.run(environment={"MSGLOG_DIR": "/nowhere"})
    assert (result.status, result.out) == (7, "")


def test_in_a_repository_it_says_how_things_stand(cli: CommandLine) -> None:
    assert cli.ok().startswith(f"Repository {cli.folder}/.msglog\n  main  0 messages\n\n")
    cli.ok("logs", "new", "team/ops")
    cli.ok("add", "-q", "hello\x1b[2J " + "x" * 100, "--author", "bob\x07")
    cli.ok("add", "-q", "old", "--log", "team/ops", "--time", "@0", "--meta", "k=1")
    lines = cli.ok().splitlines()
    assert lines[1].startswith("  main      1 message, the last now by bob\\x07: hello\\x1b[2J xxx")
    assert len(lines[1]) <= 80
    assert lines[1].endswith("…")
    assert lines[2] == "  team/ops  1 message, the last Jan 1 1970 by ann: old"
    assert "  msglog remote add origin user@host  name a place" in cli.ok()
    assert max(map(len, cli.ok().splitlines()[1:])) <= 80
    assert cli.ok("--json") == cli.ok("status", "--json")
    assert [json.loads(line)["log"] for line in cli.ok("--json").splitlines()] == [
        "main", "team/ops"
    ]  # fmt: skip


def test_how_remotes_compare(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.ok("-C", "..", "init", "-q", "other")
    cli.ok("remote", "add", "o", "../other")
    assert "\n  o: never seen\n" in cli.ok()
    cli.ok("add", "-q", "one")
    cli.ok("push", "-q", "o")
    assert "\n  o: equal when it was last seen\n" in cli.ok()
    cli.ok("add", "-q", "--batch", stdin="x\n" * 3)
    assert "\n  o: 3 ahead, 0 behind when it was last seen\n" in cli.ok()
    monkeypatch.setattr(welcome, "_COUNTED", 2)
    assert "\n  o: 2 or more ahead, 0 behind" in cli.ok()
    assert "  msglog sync " in cli.ok()
    assert "remote add" not in cli.ok()


def test_what_is_not_shared_is_called_as_by_status(cli: CommandLine) -> None:
    cli.ok("-C", "..", "init", "-q", "other")
    cli.ok("remote", "add", "o", "../other")
    cli.ok("config", "set", "remote.o.logs", "shared")
    cli.ok("add", "-q", "mine alone")
    assert "\n  o: not shared\n" in cli.ok("status")
    assert "\n  o: not shared\n" in cli.ok()
    cli.ok("logs", "new", "shared")
    assert "\n  o: never seen\n" in cli.ok()
    cli.ok("push", "-q", "o")
    assert "\n  o: equal when it was last seen\n" in cli.ok()


def test_on_a_narrow_terminal_no_word_is_broken(cli: CommandLine) -> None:
    for number in range(9):
        cli.ok("logs", "new", f"log{number}")
        cli.ok("remote", "add", f"r{number}", "../other")
    cli.ok("-C", "..", "init", "-q", "other")
    cli.ok("add", "-q", "said at some length, and with more words than there is room for")
    cli.ok("push", "-q", "r0", "main")
    cli.ok("add", "-q", "hello")
    for width in (20, 30, 40, 60):
        screen = cli.run(environment={"COLUMNS": str(width)}).out
        assert max(map(len, screen.splitlines()[1:])) <= width  # the first has a path
        assert "1 ahead, 0 behind when it was last seen" in " ".join(screen.split())
        assert "and 1 more remote: `msglog remote`" in " ".join(screen.split())
        assert "msglog sync send and fetch what is new" in " ".join(screen.split())


def test_what_there_is_too_much_of_is_left_out(cli: CommandLine) -> None:
    for number in range(9):
        cli.ok("logs", "new", f"log{number}")
        cli.ok("remote", "add", f"r{number}", f"host{number}:")
    screen = cli.ok()
    assert "  and 2 more logs: `msglog logs`\n" in screen
    assert "  and 1 more remote: `msglog remote`\n" in screen
    assert "log8" not in screen
    assert "r8" not in screen


def test_what_needs_a_newer_msglog_stops_nothing(cli: CommandLine) -> None:
    data = encode({"type": "vote", "uuid": bytes(16), "time": 0})
    key = make_key(0, object_id(data))
    repository = Repository.open(cli.folder / ".msglog")
    repository.commit([Insertion("refs/logs/main", [key])], messages={key: data}, time=0, reason="")
    repository.close()
    assert "  main  1 message, the last Jan 1 1970\n" in cli.ok()


def test_a_log_of_ones_own(empty: CommandLine) -> None:
    empty.ok("init", "-q", "--user")
    empty.ok("add", "-q", "from anywhere")
    own = empty.folder.parent / "home" / ".local" / "share" / "msglog" / ".msglog"
    assert empty.ok().startswith(
        f"Your own log, {own}\n  main  1 message, the last now by ann: from"
    )
    assert "init --user" not in empty.fails(7, "-C", ".", "list")

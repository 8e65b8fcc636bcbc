"""`complete`: names for shells, which print nothing that a shell would run."""

import pytest

from tests.porcelain.conftest import CommandLine, cli, empty

__all__ = ["cli", "empty"]


def test_names(cli: CommandLine) -> None:
    cli.ok("logs", "new", "lab/p01")
    cli.ok("remote", "add", "origin", "server@host")
    cli.ok("remote", "add", "usb", "/media/usb")
    cli.ok("add", "a", "--tag", "b", "--tag", "a/c", "--tag", "ä")
    cli.ok("add", "b", "--tag", "b", "--log", "lab/p01")
    assert cli.ok("complete", "logs") == "lab/p01\nmain\n"
    assert cli.ok("complete", "remotes") == "origin\nusb\n"
    assert cli.ok("complete", "remotes", "u", "--describe") == "usb\t/media/usb\n"
    assert cli.ok("complete", "tags") == "a/c\nb\nä\n"
    assert cli.ok("complete", "logs", "l", "--describe") == "lab/p01\t1 message\n"


def test_what_can_be_read(cli: CommandLine) -> None:
    cli.ok("add", "a")
    cli.ok("init", "-q", "../server")
    cli.ok("remote", "add", "origin", "../server")
    cli.ok("push", "-q")
    assert cli.ok("complete", "revisions") == "main\norigin/main\n"
    assert cli.ok("complete", "revisions", "o", "--describe") == "origin/main\t1 message\n"
    assert cli.ok("complete", "revisions", "main..o") == "main..origin/main\n"
    assert cli.ok("complete", "revisions", "..m") == "..main\n"


def test_settings(empty: CommandLine) -> None:
    assert empty.ok("complete", "settings", "list.") == "list.date\n"
    empty.ok("init", "-q")
    empty.ok("remote", "add", "origin", "../server")
    empty.ok("config", "set", "tool.test.number", "5")
    assert empty.ok("complete", "settings", "tool") == "tool.test.number\n"
    assert empty.ok("complete", "settings", "remote.").split() == [
        "remote.origin.url", "remote.origin.repository", "remote.origin.since", "remote.origin.logs"
    ]  # fmt: skip


def test_ids_by_their_beginning(cli: CommandLine) -> None:
    oids = [cli.ok("add", str(number), "--meta", "n=1").strip() for number in range(60)]
    newest = cli.ok("complete", "ids").split()
    assert sorted(newest) == sorted(oids[-50:])
    assert cli.ok("complete", "ids", oids[0][:5]).split() == [oids[0]]
    assert cli.ok("complete", "ids", oids[0][:3]) == ""
    assert cli.ok("complete", "ids", oids[0], "--describe")[8:] == "\tann: 0\n"
    assert cli.ok("complete", "ids", "nonsense") == ""


@pytest.mark.parametrize(
    "evil", ["$(x)", "`x`", "a b", "a;b", "a'b", 'a"b', "a\\b", "a*", "~a", "a\nb"]
)
def test_nothing_that_a_shell_expands(cli: CommandLine, evil: str) -> None:
    cli.ok("add", f"text {evil} more", "--tag", evil, "--tag", "good", "--author", evil)
    assert cli.ok("complete", "tags") == "good\n"
    described = cli.ok("complete", "ids", "--describe")
    assert not set(described[:-1]) & set("$`;'\"\\*~\n")
    assert "more" in described or "\n" in evil


def test_where_there_is_nothing(empty: CommandLine) -> None:
    for kind in ("logs", "tags", "ids", "remotes"):
        assert empty.ok("complete", kind) == ""
    empty.fails(2, "complete", "nonsense")

import pytest

from msglog.index.node import EMPTY_ROOT
from msglog.repository import Repository
from msglog.store.store import Commit, Ref, RefUpdate
from tests.porcelain.conftest import CommandLine


def tracked(cli: CommandLine) -> list[str]:
    repository = Repository.open(cli.folder / ".msglog")
    names = list(repository.store.refs("refs/remotes/"))
    repository.close()
    return names


def track(cli: CommandLine, *names: str) -> None:
    repository = Repository.open(cli.folder / ".msglog")
    refs = [RefUpdate(name, None, Ref(EMPTY_ROOT, 0)) for name in names]
    repository.store.commit(Commit(1, "fetch", refs=refs))
    repository.close()


def test_remotes_are_added_listed_and_shown(cli: CommandLine) -> None:
    assert cli.ok("remote") == ""
    cli.ok("remote", "add", "origin", "server@host")
    cli.ok("remote", "add", "my.lab", "ssh://server@host:2222/team/ops")
    track(cli, "refs/remotes/origin/main")
    assert cli.ok("remote") == "my.lab\norigin\n"
    assert cli.ok("remote", "-v") == (
        "my.lab\tssh://server@host:2222/team/ops\norigin\tserver@host\n"
    )
    assert cli.ok("remote", "get-url", "origin") == "server@host\n"
    assert "main: 0 messages when last seen" in cli.ok("remote", "show", "origin")
    assert cli.run("remote", "show", "origin", "--json").json() == [
        {
            "remote": "origin",
            "url": "server@host",
            "repository": None,
            "since": None,
            "patterns": None,
            "logs": {"main": {"count": 0, "root": EMPTY_ROOT.hex()}},
        }
    ]
    assert [line["remote"] for line in cli.run("remote", "--json").json()] == ["my.lab", "origin"]


def test_a_url_is_changed(cli: CommandLine) -> None:
    cli.ok("remote", "add", "origin", "server@host")
    cli.ok("remote", "set-url", "origin", "../elsewhere")
    assert cli.run("remote", "get-url", "origin", "--json").json()[0]["url"] == "../elsewhere"


def test_a_path_means_the_same_from_wherever_it_is_typed(cli: CommandLine) -> None:
    below = cli.folder / "below"
    below.mkdir()
    cli.ok("remote", "add", "here", "../disk")
    cli.ok("-C", "below", "remote", "add", "there", "./disk")
    cli.ok("-C", "below", "remote", "add", "home", "~/disk")
    assert cli.ok("remote", "get-url", "here") == "../disk\n"
    assert cli.ok("remote", "get-url", "there") == f"{below.resolve()}/disk\n"
    assert cli.ok("remote", "get-url", "home") == "~/disk\n"
    cli.ok("-C", "below", "remote", "set-url", "here", "../disk")
    assert cli.ok("remote", "get-url", "here") == f"{cli.folder.resolve()}/disk\n"
    cli.ok("-C", "below", "init", "-q", "disk")
    cli.ok("push", "there")


def test_a_path_that_is_not_utf_8_cannot_be_kept(cli: CommandLine) -> None:
    error = cli.fails(2, "remote", "add", "odd", "./\udcff")
    assert error == "'./\\udcff' cannot be remote.odd.url (it is not UTF-8)."
    cli.ok("init", "-q", "\udcff/shared")
    assert "not UTF-8" in cli.fails(2, "clone", "./\udcff/shared", "copy")
    assert not (cli.folder / "copy").exists()


def test_renaming_and_removing_take_what_is_tracked_along(cli: CommandLine) -> None:
    for name in ("a", "b"):
        cli.ok("remote", "add", name, f"server@{name}")
    track(cli, "refs/remotes/a/main", "refs/remotes/a/x/y", "refs/remotes/b/main")
    cli.ok("remote", "rename", "a", "c")
    assert tracked(cli) == ["refs/remotes/b/main", "refs/remotes/c/main", "refs/remotes/c/x/y"]
    assert cli.ok("remote", "-v") == "b\tserver@b\nc\tserver@a\n"
    cli.ok("remote", "remove", "c")
    assert tracked(cli) == ["refs/remotes/b/main"]
    cli.ok("remote", "rm", "b")
    assert tracked(cli) == []
    assert cli.ok("config", "list") == ""


def test_names_that_are_taken_or_unknown(cli: CommandLine) -> None:
    cli.ok("remote", "add", "origin", "server@host")
    cli.ok("remote", "add", "other", "server@host")
    assert "set-url origin" in cli.fails(2, "remote", "add", "origin", "server@host2")
    cli.fails(2, "remote", "rename", "origin", "other")
    for action in ("get-url", "show"):
        assert "remote add none URL" in cli.fails(2, "remote", action, "none")
    cli.fails(2, "remote", "rename", "none", "x")
    cli.fails(2, "remote", "set-url", "none", "server@host")
    assert cli.ok("remote", "-v") == "origin\tserver@host\nother\tserver@host\n"


@pytest.mark.parametrize("name", ["", "-x", "a/b", "..", "a..b", "a\nb", "é", "x" * 65, "a b"])
def test_names_that_cannot_be(cli: CommandLine, name: str) -> None:
    cli.fails(2, "remote", "add", "--", name, "server@host")
    assert cli.ok("remote") == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-oProxyCommand=x@host",
        "host;id",
        "a\nb",
        "server@host\x00",
        "http://host/x",
        "a b@host",
    ],
)
def test_urls_that_cannot_be(cli: CommandLine, url: str) -> None:
    cli.fails(2, "remote", "add", "origin", "--", url)
    assert cli.ok("remote") == ""


def test_a_url_that_someone_wrote_by_hand_does_not_act_on_the_terminal(cli: CommandLine) -> None:
    config = cli.folder / ".msglog" / "config.toml"
    config.write_text('[remote."o\\u001b"]\nurl = "\\u001b]0;x\\u0007"\n')
    for arguments in (["remote"], ["remote", "-v"], ["remote", "--json"], ["config", "list"]):
        assert "\x1b" not in cli.ok(*arguments)

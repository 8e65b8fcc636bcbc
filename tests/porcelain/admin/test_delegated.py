"""Commands of administrators elsewhere: what names a file here is refused, roles are asked anew."""

from argparse import ArgumentParser
from collections.abc import Iterator
from io import BytesIO

import pytest

from msglog.account.account import Account
from msglog.account.audit import Visit
from msglog.errors import MsglogError, NotAuthorisedError
from plumbing.administration import Delegation
from plumbing.context import Context
from porcelain.admin.command import configure
from porcelain.admin.delegated import NotFromAfarError, run_delegated
from porcelain.parser import CommandParser
from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home


@pytest.fixture
def context(home: Home) -> Context:
    """What a session of the administrator ann gives to her commands."""
    home.do("user", "add", "ann", "--role", "admin")
    home.do("user", "add", "bob", "--role", "admin")
    account = Account.open(home.account)
    delegation = Delegation(
        Visit("ann", "SHA256:k", "192.0.2.1", "main", "s"), account.access("ann", None, "main")
    )
    account.close()
    return Context(
        directory=str(home.account),
        home=str(home.path),
        stdin=BytesIO(f"{make.line(make.ed25519(1), 'x')}\n".encode()),
        stdout=BytesIO(),
        stderr=BytesIO(),
        delegation=delegation,
    )


def leaves(parser: ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, with an option of it that takes a file or a folder."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, below in action.choices.items():
                yield from leaves(below, (*words, name))
        elif action.option_strings and action.metavar in ("FILE", "DIR", "REMOTE"):
            yield *words, action.option_strings[-1]


def test_every_option_that_names_a_file_is_refused(home: Home, context: Context) -> None:
    parser = CommandParser(prog="msglog admin")
    configure(parser)
    found = [words for words in leaves(parser) if len(words) > 1]
    assert {words[-1] for words in found} == {
        *("--account", "--authorized-keys", "--output", "--remote", "--sshd-config", "-C"),
    }
    for words in (("user", "list"), ("key", "check"), ("doctor",), ("audit",), ("metrics",)):
        for option in sorted({known[-1] for known in found if known[:-1] == words}):
            with pytest.raises(NotFromAfarError):
                run_delegated([*words, option, "/etc"], home.account, context)


@pytest.mark.parametrize(
    "words",
    [["init"], ["init", "/tmp"], ["set", "keys.file", "~/.bashrc"], ["user", "--help"], ["--help"]],
)
def test_what_is_for_the_machine_itself(home: Home, context: Context, words: list[str]) -> None:
    with pytest.raises(NotFromAfarError):
        run_delegated(words, home.account, context)


def test_a_file_is_never_opened_for_keys(home: Home, context: Context) -> None:
    home.public_key(2)
    name = str(home.path / "key.pub")
    assert run_delegated(["key", "add", "bob", name], home.account, context) == 0
    (key,) = home.do("key", "list", "bob", "--json").records
    assert key["fingerprint"] == make.key(1).fingerprint


@pytest.mark.parametrize(
    "words",
    [
        ["user", "add", "eve"],
        ["user", "set-role", "ann", "admin"],
        ["user", "remove", "bob"],
        ["user", "rename", "bob", "eve"],
        ["key", "add", "ann"],
        ["grant", "ann", "admin", "*"],
        ["policy", "set", "*", "max-future=1"],
        ["set", "audit.keep", "100"],
    ],
)
def test_an_administrator_who_is_none_any_more_changes_nothing(
    home: Home, context: Context, words: list[str]
) -> None:
    home.do("user", "set-role", "ann", "write")
    before = home.do("user", "list", "--json").output, home.do("set").output
    with pytest.raises(NotAuthorisedError, match="any more"):
        run_delegated(words, home.account, context)
    assert (home.do("user", "list", "--json").output, home.do("set").output) == before
    assert home.do("policy", "list").output == ""
    last = home.do("audit", "--json").records[-1]
    assert (last["user"], last["result"]) == ("ann", "not-authorised")


def test_all_is_recorded_under_the_name_of_who_did_it(home: Home, context: Context) -> None:
    run_delegated(["user", "add", "eve", "--role", "read"], home.account, context)
    run_delegated(["user", "list"], home.account, context)
    with pytest.raises(MsglogError):
        run_delegated(["user", "add", "eve"], home.account, context)
    told = home.do("audit", "--json", "--user", "ann").records
    assert [(record["operation"], record["result"]) for record in told] == [
        ("admin user add", "ok"),
        ("admin user list", "ok"),
        ("admin user add", "failed"),
    ]
    assert {(record["key"], record["address"], record["session"]) for record in told} == {
        ("SHA256:k", "192.0.2.1", "s")
    }


def test_gc_is_given_from_elsewhere_and_recorded(home: Home, context: Context) -> None:
    assert run_delegated(["gc", "--json"], home.account, context) == 0
    acts = [one for one in home.do("audit", "--json").records if one["operation"] == "admin gc"]
    assert [(one["user"], one["result"]) for one in acts] == [("ann", "ok")]

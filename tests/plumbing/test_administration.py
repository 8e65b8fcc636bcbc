"""Who may give an administrator's commands over a session, and what their answers are bounded by."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.audit import Visit
from msglog.account.record import UserGrant
from msglog.account.role import Role
from msglog.errors import NotAuthorisedError
from msglog.wire.connection import LINE_LIMIT
from msglog.wire.events import Administer, Concluded, Printed
from plumbing.administration import (
    LINE_BYTES_LIMIT,
    OUTPUT_BYTES_LIMIT,
    AccountAdministration,
    Delegation,
    NoAdministration,
    TooMuchOutputError,
)
from plumbing.context import Context

COMMAND = Administer(("user", "list"), ("first", "second"))


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    made = Account.create(tmp_path / "account", suffix="x")
    made.add_user("ann", Role.ADMIN, time=0)
    made.add_user("bob", Role.ADMIN, time=0)
    yield made
    made.close()


def administration(
    account: Account, run: Callable[[Context], object], user: str = "ann"
) -> AccountAdministration:
    def runner(words: Sequence[str], path: Path, context: Context) -> tuple[int, str]:
        assert (words, path) == (COMMAND.words, account.path)
        run(context)
        return 1, "why"

    streams = {name: BytesIO() for name in ("stdin", "stdout", "stderr")}
    context = Context(directory=Path("/"), home=Path("/"), stdin_terminal=True, **streams)  # type: ignore[arg-type]
    access = account.access(user, None, "main")
    return AccountAdministration(account, Delegation(Visit(user), access), runner, context)


def never(_: Context) -> None:
    raise AssertionError


def test_a_command_gets_its_input_and_its_words_go_back(account: Account) -> None:
    def run(context: Context) -> None:
        assert context.stdin.read() == b"first\nsecond\n"
        assert not context.stdin_terminal
        assert context.delegation is not None
        context.stderr.write(b"note\n")
        context.write("line\n\nlast")

    assert list(administration(account, run).run(COMMAND)) == [
        Printed("note", noted=True),
        Printed("line"),
        Printed(""),
        Printed("last"),
        Concluded(1, "why"),
    ]


@pytest.mark.parametrize("role", [Role.APPEND, Role.READ, Role.WRITE])
def test_only_administrators_get_that_far(account: Account, role: Role) -> None:
    account.add_user("eve", role, time=0)
    with pytest.raises(NotAuthorisedError, match="administer"):
        next(administration(account, never, "eve").run(COMMAND))


def test_one_who_is_none_any_more_does_not(account: Account) -> None:
    made = administration(account, never)
    account.set_role("ann", Role.WRITE)
    with pytest.raises(NotAuthorisedError, match="any more"):
        next(made.run(COMMAND))


def test_a_grant_for_logs_makes_no_administrator(account: Account) -> None:
    account.add_user("eve", Role.NONE, time=0)
    account.grant(UserGrant("eve", "main", "*", Role.ADMIN))
    with pytest.raises(NotAuthorisedError, match="administer"):
        next(administration(account, never, "eve").run(COMMAND))


def test_without_an_account_nobody_does() -> None:
    with pytest.raises(NotAuthorisedError, match="not a server account"):
        NoAdministration().run(COMMAND)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * LINE_BYTES_LIMIT + "\n", True),
        ("x" * LINE_BYTES_LIMIT + "x\n", False),
        ("\n" * LINE_LIMIT, True),
        ("\n" * LINE_LIMIT + "\n", False),
        ("line of some length\n" * 10_000, True),
    ],
)
def test_what_a_session_carries(account: Account, text: str, *, fits: bool) -> None:
    *printed, last = administration(account, lambda context: context.write(text)).run(COMMAND)
    if fits:
        assert (len(printed), last) == (text.count("\n"), Concluded(1, "why"))
    else:
        assert (printed, last) == ([], Concluded(2, str(TooMuchOutputError())))


def test_what_is_held_for_an_answer_is_bounded(account: Account) -> None:
    def run(context: Context) -> None:
        for _ in range(OUTPUT_BYTES_LIMIT // (1 << 20)):
            context.write("x" * (1 << 20))
        with pytest.raises(TooMuchOutputError):
            context.write("x")

    assert list(administration(account, run).run(COMMAND))

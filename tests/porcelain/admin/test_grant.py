"""`admin grant` and `admin revoke`."""

import pytest

from tests.porcelain.admin.running import Home


@pytest.fixture(params=["files", "postgres"])
def home(request: pytest.FixtureRequest, home: Home) -> Home:
    """An account of either kind."""
    if request.param == "postgres":
        home.keep_in(request.getfixturevalue("databases").fresh())
    return home


def test_a_grant_and_its_revocation(home: Home) -> None:
    home.do("user", "add", "ann")
    assert home.do("grant", "ann", "read", "ops/*").output == "Granted ann read: main ops/*\n"
    assert home.do("grant", "*", "append", "team/a", "x").output == "Granted * append: team/a x\n"
    assert home.do("revoke", "ann", "ops/*").output == "Revoked ann read: main ops/*\n"
    (record,) = home.do("revoke", "*", "team/a", "x", "--json").records
    assert record == {"user": "*", "repository": "team/a", "pattern": "x", "role": "append"}


def test_a_grant_in_a_repository_that_there_is_not_yet_says_so(home: Home) -> None:
    home.do("user", "add", "ann")
    granted = home.do("grant", "ann", "read", "team/a", "ops/*")
    assert granted.errors == (
        "There is no repository team/a yet; `msglog admin repository add team/a` makes it.\n"
    )
    home.do("repository", "add", "team/a")
    assert home.do("grant", "ann", "write", "team/a", "ops/*").errors == ""
    assert home.do("grant", "ann", "read", "ops/*").errors == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["grant", "bob", "read", "x"], "no user"),
        (["grant", "ann", "root", "x"], "no role"),
        (["grant", "ann", "read", "../x"], "pattern"),
        (["grant", "ann", "read", "../x", "x"], "repository"),
        (["grant", "ann", "read", "a", "b", "c"], "unexpected"),
        (["grant", "ann", "read"], "LOG-PATTERN"),
        (["revoke", "ann", "x"], "no grant"),
        (["revoke", "bob", "x"], "no user"),
    ],
)
def test_what_is_refused(home: Home, words: list[str], said: str) -> None:
    home.do("user", "add", "ann")
    result = home.admin(*words)
    assert result.status == 2
    assert said in result.errors
